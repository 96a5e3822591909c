"""From what a model has said to an answer that is stored."""

import asyncio

import attrs

from application.ports.chat_journal import ChatJournal
from application.ports.clock import Clock
from application.ports.telemetry import Telemetry
from application.services.background import Background
from application.services.chat_record import chat_record
from application.services.pinning import PinCarrier
from application.services.run import Run
from application.services.settlement import Progress, Settlement
from domain.answer import ChatAnswer
from domain.chat import ChatRequest
from domain.errors import LorError, OutputInvalid
from domain.idempotency import KeyCompletion
from domain.ids import MessageId
from domain.limits.budget import BudgetState
from domain.memory import context_use
from domain.output.cut import as_cut
from domain.output.formatter import Formatted
from domain.telemetry import ChatAnswered, ChatSaid, CommitEnded
from domain.thread import ChatRecord
from domain.values import frozen, maker

_answer = maker(ChatAnswer)
_answered = maker(ChatAnswered)

STORE_ON_LEAVING_S = 10.0
"""How long a caller who leaves may hold up the storing of what there is."""

SHORT_TEXT = 512
"""Characters that any formatter is done with in about a millisecond; longer texts would hold up other requests."""


@frozen(kw_only=True)
class Completion:
    """Forms the answer and commits it with its cost, its attempts and its Idempotency-Key, all at once."""

    _settlement: Settlement
    _pins: PinCarrier
    _background: Background
    _journal: ChatJournal
    _clock: Clock
    _telemetry: Telemetry
    _spans: Telemetry | None = None
    """Told of each commit, where somebody wants spans."""
    _content: Telemetry | None = None
    """Told of what was asked and answered, where the operator wants that."""

    async def format(self, progress: Progress, run: Run) -> Formatted:
        """What was said, in the form that was asked for; `problems` say what does not fit."""
        transcript = run.transcript
        text, schema = transcript.text, progress.assembly.request.schema
        if transcript.tool_calls or transcript.finish_reason == "content_filter":
            # A call or a refusal is not the answer that the format speaks of.
            return Formatted(output=text, text=text)
        formatter = progress.assembly.formatter
        # A schema may ask for seconds of work whatever the length of the answer.
        if formatter.is_instant or (schema is None and len(text) <= SHORT_TEXT):
            formatted = formatter.format(text, schema=schema)
        else:
            formatted = await asyncio.to_thread(formatter.format, text, schema=schema)
        if transcript.finish_reason == "length" and formatter.wants_json:
            return as_cut(formatted, text)
        return formatted

    async def second(self, progress: Progress, run: Run) -> Formatted:
        """The second answer's form; there is no third.

        Raises:
            OutputInvalid: it does not fit either.
        """
        formatted = await self.format(progress, run)
        if formatted.problems:
            raise invalid(progress, run, formatted, "answered twice")
        return formatted

    async def commit(self, progress: Progress, run: Run, formatted: Formatted) -> ChatAnswer:
        """The answer, once it is durable.

        Raises:
            StorageUnavailable, NotFound, KeyTakenOver: it could not be stored.
        """
        spec, compiled = run.asked
        command, ids, assembly = progress.command, progress.ids, progress.assembly
        charge = await self._settlement.charge(progress)
        bill, finish_reason = charge.bill, run.transcript.finish_reason
        assert bill is not None and finish_reason is not None  # noqa: S101, PT018 - a finished run has said something
        duration_s = self._clock.monotonic() - progress.started
        # Streamed text has been seen: what is stored is that, byte for byte.
        is_as_shown = progress.stream and not progress.is_retold
        text = run.transcript.text if is_as_shown else formatted.text
        sent = tuple([each for each in charge.attempts if each.was_sent])
        warnings = (
            *assembly.warnings,
            *run.passed_over,
            *compiled.warnings,
            *formatted.warnings,
            *(() if progress.purse is None else progress.purse.warnings),
        )

        def made(*, overhead_s: float, budget: tuple[BudgetState, ...] = ()) -> ChatAnswer:
            return _answer(
                message_id=ids.message,
                thread_id=ids.thread,
                session_id=ids.session,
                output=text if is_as_shown and isinstance(formatted.output, str) else formatted.output,
                format=assembly.request.format,
                model=spec.ref,
                prompt_version=assembly.prompt_version,
                finish_reason=finish_reason,
                tool_calls=run.transcript.tool_calls,
                usage=bill.usage,
                cost_usd=bill.cost_usd,
                attempts=sent,
                fallbacks=run.fallbacks,
                context=context_use(assembly.memory, compiled.request.history),
                warnings=warnings,
                overhead_s=overhead_s,
                budget=budget,
            )

        completes: KeyCompletion | None = None
        claim = progress.admitted.claim
        if claim is not None:
            answer = made(overhead_s=max(0.0, duration_s - progress.waited_s))
            completes = KeyCompletion(claim=claim, answer=answer)
        record = chat_record(
            command,
            assembly,
            ids,
            text=text,
            tool_calls=run.transcript.tool_calls,
            status="complete",
            attempts=charge.attempts,
            model=spec.ref,
            finish_reason=finish_reason,
            bill=bill,
            token_count=charge.answer_tokens,
            latency_ms=round(duration_s * 1000),
            now=charge.at,
            completes=completes,
            spends=progress.spends(bill),
        )
        if self._spans is None:
            await self._journal.commit(record)
        else:
            await self._commit_told(record, command.request_id, self._spans)
        progress.admitted.is_complete = True
        progress.settle(bill)
        late_warnings = () if assembly.parent is None else await self._carry_pin(progress, assembly.parent)
        duration_s = self._clock.monotonic() - progress.started
        overhead_s = max(0.0, duration_s - progress.waited_s)
        if self._content is not None:
            self._content.emit(_said(progress, compiled.request, text))
        self._telemetry.emit(
            _answered(
                request_id=command.request_id,
                tenant=command.tenant,
                message_id=ids.message,
                thread_id=ids.thread,
                model=spec.ref,
                prompt_version=assembly.prompt_version,
                usage=bill.usage,
                cost_usd=bill.cost_usd,
                duration_s=duration_s,
                overhead_s=overhead_s,
                attempts=len(sent),
                stream=progress.stream,
                key_id=command.caller.key_id,
                first_token_s=progress.first_token_s,
            )
        )
        answer = made(overhead_s=overhead_s, budget=progress.budget_states())
        return attrs.evolve(answer, warnings=answer.warnings + late_warnings) if late_warnings else answer

    async def _commit_told(self, record: ChatRecord, request_id: str, spans: Telemetry) -> None:
        started_s, outcome = self._clock.monotonic(), "cancelled"
        try:
            await self._journal.commit(record)
            outcome = "ok"
        except LorError as error:
            outcome = error.code
            raise
        finally:
            duration_s = self._clock.monotonic() - started_s
            spans.emit(
                CommitEnded(
                    request_id=request_id, started_s=started_s, duration_s=duration_s, outcome=outcome
                )
            )

    async def _carry_pin(self, progress: Progress, parent: MessageId) -> tuple[str, ...]:
        """Of an answer that was added to a stored exchange, while the thread still waits for this chat."""
        warnings = list[str]()

        async def carry() -> None:
            command, answer = progress.command, progress.ids.message
            warnings.extend(await self._pins.carry(command.tenant, answer, parent=parent))

        await self._background.finish(carry(), within_s=STORE_ON_LEAVING_S)
        return tuple(warnings)


def _said(progress: Progress, request: ChatRequest, answer: str) -> ChatSaid:
    command = progress.command
    system = () if request.system is None else (("system", request.system),)
    turns = (*request.prelude, *request.history, *request.messages)
    return ChatSaid(
        request_id=command.request_id,
        tenant=command.tenant,
        key_id=command.caller.key_id,
        message_id=progress.ids.message,
        model=progress.runs[-1].asked[0].ref,
        prompt=(*system, *((turn.role, turn.text) for turn in turns)),
        answer=answer,
    )


def invalid(progress: Progress, run: Run, formatted: Formatted, what: str) -> OutputInvalid:
    """
    Args:
        what: the model did, such as `answered twice`.
    """
    return OutputInvalid(
        f"{run.asked[0].ref} {what} with something that is not valid "
        f"{progress.assembly.request.format}: " + "; ".join(formatted.problems[:5])
    )
