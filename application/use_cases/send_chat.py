"""Answer a chat."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial

import attrs

from application.ports.chat_journal import ChatJournal
from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.rate_limiter import Allowance
from application.services.admission import Admission, Admitted
from application.services.background import Background
from application.services.chat_events import replayed
from application.services.chat_record import ChatIds
from application.services.compilation import Compilation
from application.services.completion import STORE_ON_LEAVING_S, Completion, invalid
from application.services.failover import Failover
from application.services.purse import Budgets
from application.services.request_assembly import RequestAssembly
from application.services.run import Run
from application.services.second_ask import asking_again
from application.services.settlement import Progress, Settlement
from application.services.stop_signal import StoppedByCaller, StopSignal
from application.use_cases.chat_command import SendChatCommand
from domain.answer import (
    ChatAdmitted,
    ChatAnswer,
    ChatDone,
    ChatEvent,
    ChatStarted,
    ChatSteps,
    Delta,
    Reset,
    ToolCalled,
)
from domain.chat import ChatRequest
from domain.errors import Fault, LorError, StorageUnavailable
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.json_value import JSONObject, JSONValue
from domain.model import ModelRef
from domain.output.cut import is_all_of
from domain.values import maker

_progress = maker(Progress)
_chat_ids = maker(ChatIds)


@attrs.define(kw_only=True)
class SendChat:
    """Compiles a request, has it answered by the first candidate that can, and commits the answer."""

    _admission: Admission
    _assembly: RequestAssembly
    _compilation: Compilation
    _failover: Failover
    _budgets: Budgets
    _settlement: Settlement
    _completion: Completion
    _background: Background
    _journal: ChatJournal
    _clock: Clock
    _ids: IdGenerator

    async def execute(self, command: SendChatCommand) -> ChatAnswer:
        """The whole answer, once it is durable. Nothing is shown before, so every retry is free.

        Raises:
            InvalidRequest: the request can't be served as it is; nothing is stored.
            NotFound: there is no such thread or session; nothing is stored.
            ThreadBusy: another chat of the thread is being answered, and this one may not wait for it any longer.
            KeyInFlight, KeyReused: the Idempotency-Key is another request's; nothing is stored or asked.
            KeyTakenOver: a later request with the key went ahead, since this one was silent for too long.
            ChatFailed: no candidate answered; the failure is stored with its attempts.
            OutputInvalid: the answer does not fit `format` or `schema`, twice; stored as failed.
            StorageUnavailable: nothing is stored, and nothing was asked if that was known before.
        """
        try:
            if _is_free(command):
                return await self._whole(await self._begin(command, Admitted(), stop=None))
            async with self._admitted(command) as admitted:
                if admitted.replay is not None:
                    return self._as_it_stands(command, admitted.replay)
                return await self._whole(await self._begin(command, admitted, stop=None))
        finally:
            if command.allowance is not None:
                command.allowance.end()

    def stream(
        self, command: SendChatCommand, *, stop: StopSignal | None = None
    ) -> AsyncGenerator[ChatSteps, None]:
        """The answer as it grows; `ChatDone` comes after the commit. Close it (`aclosing`).

        Leaving before the end closes the upstream and stores what there is as `incomplete` (or `cancelled`,
        where nothing was said yet). Raises as `execute` does.

        Args:
            stop: ends it early, as the caller wishes; then `ChatDone` holds what there is, stored in the same way.
        """
        stop = stop or StopSignal()
        free = _is_free(command)
        steps = self._steps(command, Admitted(), stop) if free else self._admitted_steps(command, stop)
        return steps if command.allowance is None else _ending(command.allowance, steps)

    async def judge(self, command: SendChatCommand) -> None:
        """Whether the chat would be begun, as far as it can be told without asking or storing anything: for callers who
        have something to change before they send it.

        Raises: as `execute` does before it calls a provider.
        """
        started = self._clock.monotonic()
        try:
            self._demand_journal()
            assembly = await self._assembly.assemble(
                command, now=self._clock.now(), new_thread=command.request_id, use_prompt=False
            )
            compile_for = partial(self._compilation.compile_for, assembly.request)
            await self._failover.judge(assembly.candidates, compile_for)
        except LorError as error:
            self._settlement.refused(command, error, started, attempts=0)
            raise

    async def name_faults(
        self,
        *,
        format: str | None,  # noqa: A002 - the field's name
        schema: JSONObject | None,
        model: str | None,
        fallbacks: tuple[str, ...] | None,
        system_prompt: str | None,
        variables: Mapping[str, JSONValue] | None,
        tenant: Tenant = DEFAULT_TENANT,
    ) -> tuple[Fault, ...]:
        """What is wrong with these alone; for callers who answer a request's other faults, to name all at once."""
        return await self._assembly.name_faults(
            format=format,
            schema=schema,
            model=model,
            fallbacks=fallbacks,
            system_prompt=system_prompt,
            variables=variables,
            today=self._clock.now().date(),
            tenant=tenant,
        )

    @asynccontextmanager
    async def _admitted(self, command: SendChatCommand) -> AsyncIterator[Admitted]:
        started = self._clock.monotonic()
        if _is_free(command):
            yield Admitted()
            return
        entered = False
        try:
            async with self._admission.admitted(command) as admitted:
                entered = True
                yield admitted
        except LorError as error:
            if not entered:
                self._settlement.refused(command, error, started, attempts=0)
            raise

    async def _begin(
        self, command: SendChatCommand, admitted: Admitted, *, stop: StopSignal | None
    ) -> Progress:
        """
        Args:
            stop: of a stream; None where the whole answer is waited for.
        """
        started = self._clock.monotonic() - admitted.queued_s
        try:
            self._demand_journal()
            # All that it can need. In this order: ids sort by time, and the answer comes after what it answers.
            new_thread, *others = self._ids.several(3 + len(command.messages))
            assembly = await self._assembly.assemble(
                command, now=self._clock.now(), new_thread=new_thread, use_prompt=True
            )
        except LorError as error:
            self._settlement.refused(command, error, started, attempts=0)
            raise
        turns = tuple([MessageId(each) for each in others[: len(assembly.new_turns)]])
        ids = _chat_ids(
            message=MessageId(others[len(turns)]),
            thread=assembly.thread.id if assembly.thread else ThreadId(new_thread),
            session=assembly.session.id if assembly.session else SessionId(others[-1]),
            turns=turns,
        )
        user = assembly.session.user if assembly.session else command.user
        return _progress(
            command=command,
            assembly=assembly,
            ids=ids,
            started=started,
            stream=stop is not None,
            stop=stop or StopSignal(),
            admitted=admitted,
            purse=self._budgets.open(command, ids.thread, user=user),
        )

    def _as_it_stands(self, command: SendChatCommand, answer: ChatAnswer) -> ChatAnswer:
        """A stored answer, with its budgets as they are now, as far as they are known here."""
        purse = self._budgets.open(command, answer.thread_id, user=command.user)
        return answer if purse is None else attrs.evolve(answer, budget=purse.states())

    def _demand_journal(self) -> None:
        if not self._journal.is_ready:
            raise StorageUnavailable(f"nothing was asked: {self._journal.reason or 'the database is away'}")

    async def _whole(self, progress: Progress) -> ChatAnswer:
        is_left = False
        try:
            if progress.assembly.due is not None:
                await self._remember(progress)
            run = self._start(progress, progress.assembly.request)
            await self._failover.whole(run)
            formatted = await self._completion.format(progress, run)
            if formatted.problems:
                run = self._start(progress, asking_again(progress.assembly.request, run, formatted))
                await self._failover.whole(run)
                formatted = await self._completion.second(progress, run)
            return await self._completion.commit(progress, run, formatted)
        except LorError as error:
            await self._settlement.failed(progress, error)
            raise
        except asyncio.CancelledError:
            is_left = True
            await self._background.finish(self._left(progress), within_s=STORE_ON_LEAVING_S)
            raise
        except Exception:
            # A fault of ours or a plugin's: the provider may have been paid, so it must be in the books.
            await self._settlement.failed(progress, LorError("an unexpected fault"))
            raise
        finally:
            if not is_left:
                progress.close()

    async def _left(self, progress: Progress) -> None:
        """May end after the caller: its purse is open until all is stored."""
        try:
            await self._settlement.left(progress)
        finally:
            progress.close()

    async def _admitted_steps(
        self, command: SendChatCommand, stop: StopSignal
    ) -> AsyncGenerator[ChatSteps, None]:
        async with self._admitted(command) as admitted:
            if admitted.replay is not None:
                yield replayed(self._as_it_stands(command, admitted.replay))
                return
            async with aclosing(self._steps(command, admitted, stop)) as steps:
                async for step in steps:
                    yield step

    async def _steps(
        self, command: SendChatCommand, admitted: Admitted, stop: StopSignal
    ) -> AsyncGenerator[ChatSteps, None]:
        progress = await self._begin(command, admitted, stop=stop)
        ids = progress.ids
        yield ChatAdmitted(
            message_id=ids.message,
            thread_id=ids.thread,
            session_id=ids.session,
            turns=progress.assembly.new_turns,
            parent=progress.assembly.parent,
            user=command.user if progress.assembly.session is None else progress.assembly.session.user,
        )
        async with aclosing(self._events(progress)) as events:
            async for batch in events:
                yield batch

    async def _events(self, progress: Progress) -> AsyncGenerator[Sequence[ChatEvent], None]:
        """All of a streamed answer: the first run, a second one where the first was not valid, the commit."""
        finished = False
        try:
            try:
                async with aclosing(self._said(progress)) as said:
                    async for batch in said:
                        yield batch
                        if not progress.is_retold:  # then it is whole, and a wish to stop comes too late
                            progress.stop.arm()
                progress.stop.disarm()
            except StoppedByCaller:
                answer = await self._settlement.stopped(progress)
            except asyncio.CancelledError:
                if not progress.stop.took_place():
                    raise
                answer = await self._settlement.stopped(progress)
            else:
                assert progress.formatted is not None  # noqa: S101 - `_said` ends with it
                answer = await self._completion.commit(progress, progress.runs[-1], progress.formatted)
            finished = True
            before: tuple[ChatEvent, ...] = tuple([ToolCalled(call) for call in answer.tool_calls])
            if not progress.announced:
                before = (self._chat_started(progress, answer.model), *before)
            yield (*before, ChatDone(answer))
        except LorError as error:
            finished = True
            await self._settlement.failed(progress, error)
            raise
        except Exception:  # as in `execute`
            finished = True
            await self._settlement.failed(progress, LorError("an unexpected fault"))
            raise
        finally:
            if finished:
                progress.close()
            else:
                await self._background.finish(self._left(progress), within_s=STORE_ON_LEAVING_S)

    async def _said(self, progress: Progress) -> AsyncGenerator[Sequence[ChatEvent], None]:
        """What is said, up to its form. The caller's wish to stop is heard wherever this waits."""
        stop = progress.stop
        stop.arm()
        if progress.assembly.due is not None:
            await self._remember(progress)
        run = self._start(progress, progress.assembly.request)
        async with aclosing(self._run(progress, run)) as content:
            async for batch in content:
                yield batch
        formatted = await self._completion.format(progress, run)
        if formatted.problems:
            if progress.announced:
                if not progress.command.may_reset:
                    raise invalid(progress, run, formatted, "answered")
                stop.disarm()
                yield (_void(run, "output_invalid"),)
            run = self._start(progress, asking_again(progress.assembly.request, run, formatted))
            async with aclosing(self._run(progress, run)) as content:
                async for batch in content:
                    yield batch
            formatted = await self._completion.second(progress, run)
        progress.formatted = formatted
        if progress.assembly.formatter.wants_json and not is_all_of(formatted, run.transcript.text):
            # What was shown is no JSON, it only holds some: whoever puts the pieces together could not read it.
            if not progress.command.may_reset:
                around = attrs.evolve(formatted, problems=("there is text around the JSON",))
                raise invalid(progress, run, around, "answered")
            progress.is_retold = True
            stop.disarm()
            yield (_void(run, "output_extracted"), Delta(formatted.text))

    async def _run(self, progress: Progress, run: Run) -> AsyncGenerator[Sequence[ChatEvent], None]:
        """What one run says; the first of all has its start before it."""
        async with aclosing(self._failover.events(run)) as content:
            async for batch in content:
                progress.stop.disarm()
                if progress.announced:
                    yield batch
                else:
                    progress.announced = True
                    progress.first_token_s = self._clock.monotonic() - progress.started
                    yield (self._chat_started(progress, run.asked[0].ref), *batch)

    async def _remember(self, progress: Progress) -> None:
        progress.assembly = await self._assembly.remember(
            progress.assembly, request_id=progress.command.request_id, paid=progress.pay_before
        )

    def _start(self, progress: Progress, request: ChatRequest) -> Run:
        run = self._failover.start(
            request_id=progress.command.request_id,
            candidates=progress.assembly.candidates,
            compile_for=partial(self._compilation.compile_for, request),
            stream=progress.stream,
            may_reset=progress.command.may_reset,
            purse=progress.purse,
        )
        progress.runs.append(run)
        return run

    def _chat_started(self, progress: Progress, model: ModelRef) -> ChatStarted:
        ids = progress.ids
        return ChatStarted(
            message_id=ids.message,
            thread_id=ids.thread,
            session_id=ids.session,
            model=model,
            prompt_version=progress.assembly.prompt_version,
        )


async def _ending(
    allowance: Allowance, steps: AsyncGenerator[ChatSteps, None]
) -> AsyncGenerator[ChatSteps, None]:
    try:
        async with aclosing(steps):
            async for step in steps:
                yield step
    finally:
        allowance.end()


def _void(run: Run, reason: str) -> Reset:
    spec, _ = run.asked
    return Reset(reason=reason, from_model=spec.ref, to_model=spec.ref)


def _is_free(command: SendChatCommand) -> bool:
    """Whether nobody else can be in its way: it has no key, and a thread of its own."""
    return command.thread_id is None and command.idempotency is None and command.regenerates is None
