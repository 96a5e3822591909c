"""Answer a chat."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import attrs

from application.ports.chat_journal import ChatJournal
from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.telemetry import Telemetry
from application.services.background import Background
from application.services.chat_record import ChatIds, answer_record
from application.services.compilation import Compilation
from application.services.failover import Failover, Run, Switched
from application.services.request_assembly import Assembly, RequestAssembly
from application.services.settlement import Progress, Settlement
from application.use_cases.chat_command import SendChatCommand
from domain.answer import (
    ChatAnswer,
    ChatDone,
    ChatEvent,
    ChatStarted,
    ContextUse,
    Delta,
    Reset,
    ToolCalled,
    ToolCallGrew,
)
from domain.chat import ChatRequest, TextDelta
from domain.errors import LorError, OutputInvalid, StorageUnavailable
from domain.ids import MessageId, SessionId, ThreadId
from domain.message import Message
from domain.model import ModelRef, ModelSpec
from domain.output.formatter import Formatted
from domain.passes.manager import Compiled
from domain.telemetry import ChatAnswered

STORE_ON_LEAVING_S = 10.0
"""How long a caller who leaves may hold up the storing of what there is."""


@attrs.define(kw_only=True)
class SendChat:
    """Compiles a request, has it answered by the first candidate that can, and commits the answer."""

    _assembly: RequestAssembly
    _compilation: Compilation
    _failover: Failover
    _settlement: Settlement
    _background: Background
    _journal: ChatJournal
    _clock: Clock
    _ids: IdGenerator
    _telemetry: Telemetry

    async def execute(self, command: SendChatCommand) -> ChatAnswer:
        """The whole answer, once it is durable.

        Raises:
            LorError: as `stream` does.
        """
        async with self.stream(command) as events:
            async for event in events:
                if isinstance(event, ChatDone):
                    return event.answer
        raise AssertionError("a stream of chat events ends with ChatDone or raises")

    @asynccontextmanager
    async def stream(self, command: SendChatCommand) -> AsyncIterator[AsyncIterator[ChatEvent]]:
        """The answer as it grows; `ChatDone` comes after the commit.

        Leaving before that closes the upstream and stores what there is as `incomplete` (or `cancelled`,
        where nothing was said yet).

        Raises:
            InvalidRequest: the request can't be served as it is; nothing is stored.
            NotFound: there is no such thread or session; nothing is stored.
            ChatFailed: no candidate answered; the failure is stored with its attempts.
            OutputInvalid: the answer does not fit `format` or `schema`, twice; stored as failed.
            StorageUnavailable: nothing is stored, and nothing was asked if that was known before.
        """
        started = self._clock.monotonic()
        try:
            if not self._journal.is_ready:
                raise StorageUnavailable("the database is away; nothing was asked, try again in a moment")
            assembly = await self._assembly.assemble(command, now=self._clock.now())
        except LorError as error:
            self._settlement.refused(command, error, started, attempts=0)
            raise
        progress = Progress(
            command=command,
            assembly=assembly,
            ids=ChatIds(
                message=MessageId(self._ids.new()),
                thread=assembly.thread.id if assembly.thread else ThreadId(self._ids.new()),
                session=assembly.session.id if assembly.session else SessionId(self._ids.new()),
                turns=tuple(MessageId(self._ids.new()) for _ in assembly.new_turns),
            ),
            started=started,
        )
        async with aclosing(self._events(progress)) as events:
            yield events

    async def _events(self, progress: Progress) -> AsyncGenerator[ChatEvent, None]:
        finished = False
        try:
            async with aclosing(self._answer(progress)) as events:
                async for event in events:
                    finished = finished or isinstance(event, ChatDone)
                    yield event
        except LorError as error:
            finished = True
            await self._settlement.failed(progress, error)
            raise
        finally:
            if not finished:
                await self._background.finish(self._settlement.left(progress), within_s=STORE_ON_LEAVING_S)

    async def _answer(self, progress: Progress) -> AsyncGenerator[ChatEvent, None]:
        request, ask_again = progress.assembly.request, True
        while True:
            run = self._start(progress, request)
            async with aclosing(self._run(progress, run)) as events:
                async for event in events:
                    yield event
            spec, compiled = _settled(run)
            formatted = self._format(progress, run)
            if not formatted.problems:
                break
            if not ask_again:
                raise OutputInvalid(
                    f"{spec.ref} answered twice with something that is not valid {request.format}: "
                    + "; ".join(formatted.problems[:5])
                )
            ask_again = False
            if run.transcript.has_content:
                yield Reset(reason="output_invalid", from_model=spec.ref, to_model=spec.ref)
            request = _asking_again(request, run, formatted)
        if len(progress.runs) == 1 and not run.transcript.has_content:
            yield self._chat_started(progress, spec.ref)
        for call in run.transcript.tool_calls:
            yield ToolCalled(call)
        yield ChatDone(await self._commit(progress, run, spec, compiled, formatted))

    def _start(self, progress: Progress, request: ChatRequest) -> Run:
        async def compile_for(spec: ModelSpec) -> Compiled:
            return await self._compilation.compile_for(request, spec)

        run = self._failover.start(
            request_id=progress.command.request_id,
            candidates=progress.assembly.candidates,
            compile_for=compile_for,
            stream=progress.command.stream,
        )
        progress.runs.append(run)
        return run

    async def _run(self, progress: Progress, run: Run) -> AsyncGenerator[ChatEvent, None]:
        """The events of one pass over the candidates, in the caller's terms."""
        announced = len(progress.runs) > 1
        async with aclosing(self._failover.events(run)) as events:
            async for event in events:
                if isinstance(event, Switched):
                    yield Reset(reason=event.reason, from_model=event.from_model, to_model=event.to_model)
                    continue
                if not announced:
                    announced = True
                    yield self._chat_started(progress, _settled(run)[0].ref)
                if isinstance(event, TextDelta):
                    yield Delta(event.text)
                else:
                    yield ToolCallGrew(
                        index=event.index, id=event.id, name=event.name, arguments=event.arguments
                    )

    def _chat_started(self, progress: Progress, model: ModelRef) -> ChatStarted:
        ids = progress.ids
        return ChatStarted(
            message_id=ids.message,
            thread_id=ids.thread,
            session_id=ids.session,
            model=model,
            prompt_version=None,
        )

    def _format(self, progress: Progress, run: Run) -> Formatted:
        transcript = run.transcript
        if transcript.tool_calls or transcript.finish_reason == "content_filter":
            # A call or a refusal is not the answer that the format speaks of.
            return Formatted(output=transcript.text, text=transcript.text)
        return progress.assembly.formatter.format(transcript.text, schema=progress.assembly.request.schema)

    async def _commit(
        self, progress: Progress, run: Run, spec: ModelSpec, compiled: Compiled, formatted: Formatted
    ) -> ChatAnswer:
        command, ids = progress.command, progress.ids
        attempts, bill = await self._settlement.charge(progress)
        assert bill is not None and run.transcript.finish_reason is not None  # noqa: S101, PT018 - a finished run has said something
        request = progress.assembly.request
        now = self._clock.now()
        duration_s = self._clock.monotonic() - progress.started
        # Streamed text has been seen: what is stored is that, byte for byte.
        text = run.transcript.text if command.stream else formatted.text
        output = text if command.stream and isinstance(formatted.output, str) else formatted.output
        message = Message.of("assistant", text) if text else Message(role="assistant")
        record = answer_record(
            command,
            progress.assembly,
            ids,
            answer=attrs.evolve(message, tool_calls=run.transcript.tool_calls),
            attempts=attempts,
            model=spec.ref,
            finish_reason=run.transcript.finish_reason,
            bill=bill,
            latency_ms=round(duration_s * 1000),
            now=now,
        )
        await self._journal.commit(record)
        duration_s = self._clock.monotonic() - progress.started
        overhead_s = max(0.0, duration_s - progress.waited_s)
        sent = tuple(each for each in attempts if each.was_sent)
        dropped = len(request.history) - len(compiled.request.history)
        self._telemetry.emit(
            ChatAnswered(
                request_id=command.request_id,
                tenant=command.tenant,
                message_id=ids.message,
                thread_id=ids.thread,
                model=spec.ref,
                prompt_version=None,
                usage=bill.usage,
                cost_usd=bill.cost_usd,
                duration_s=duration_s,
                overhead_s=overhead_s,
                attempts=len(sent),
                stream=command.stream,
            )
        )
        return ChatAnswer(
            message_id=ids.message,
            thread_id=ids.thread,
            session_id=ids.session,
            output=output,
            format=request.format,
            model=spec.ref,
            prompt_version=None,
            finish_reason=run.transcript.finish_reason,
            tool_calls=run.transcript.tool_calls,
            usage=bill.usage,
            cost_usd=bill.cost_usd,
            attempts=sent,
            context=context_use(progress.assembly, dropped),
            warnings=progress.assembly.warnings + compiled.warnings,
            overhead_s=overhead_s,
        )


def context_use(assembly: Assembly, dropped: int) -> ContextUse:
    """How much of the thread is in the prompt, given how many turns of the history were trimmed."""
    lost = min(dropped, assembly.remembered)
    return ContextUse(injected=assembly.remembered - lost, dropped=lost)


def _settled(run: Run) -> tuple[ModelSpec, Compiled]:
    assert run.spec is not None and run.compiled is not None  # noqa: S101, PT018 - content comes from a prepared candidate
    return run.spec, run.compiled


def _asking_again(request: ChatRequest, run: Run, formatted: Formatted) -> ChatRequest:
    problems = "\n".join(f"- {problem}" for problem in formatted.problems)
    complaint = (
        f"That answer is not usable as {request.format}:\n{problems}\n"
        "Answer the same request again, complete and corrected, with nothing around it."
    )
    retort = (Message.of("assistant", run.transcript.text or " "), Message.of("user", complaint))
    return attrs.evolve(request, messages=request.messages + retort)
