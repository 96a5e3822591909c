"""How a chat that did not come to its answer is brought to an end in the books."""

from decimal import Decimal

import attrs

from application.ports.chat_journal import ChatJournal
from application.ports.clock import Clock
from application.ports.telemetry import Telemetry
from application.services.accounting import Accounting, Bill, add_bills
from application.services.admission import Admitted
from application.services.chat_record import ChatIds, chat_record, spoken
from application.services.request_assembly import Assembly
from application.services.run import Run
from application.use_cases.chat_command import SendChatCommand
from domain.attempt import Attempt
from domain.errors import KeyTakenOver, LorError, NotFound, StorageUnavailable
from domain.telemetry import ChatLost, ChatRefused
from domain.thread import MessageStatus
from domain.usage import NO_USAGE


@attrs.define(kw_only=True)
class Progress:
    """One chat under way."""

    command: SendChatCommand
    assembly: Assembly
    ids: ChatIds
    started: float
    stream: bool
    admitted: Admitted
    runs_before: list[Run] = attrs.field(factory=list)
    """What was asked before the request was whole: a summary of the thread, for one."""
    runs: list[Run] = attrs.field(factory=list)
    """One; two where the first answer was not valid and the model was asked again."""

    @property
    def paid_runs(self) -> tuple[Run, ...]:
        """All that belong in the books."""
        return (*self.runs_before, *self.runs)

    @property
    def waited_s(self) -> float:
        """For providers, and for its turn in its thread."""
        return self.admitted.queued_s + sum(run.waited_s for run in self.paid_runs)

    @property
    def calls(self) -> int:
        return sum(attempt.was_sent for run in self.paid_runs for attempt in run.attempts)


@attrs.frozen(kw_only=True)
class Charge:
    """What a chat has taken so far."""

    attempts: tuple[Attempt, ...]
    """Every one, with what it took itself."""
    bill: Bill | None
    """All of them together; None where nothing was said."""
    answer_tokens: int
    """Of the last run alone."""


@attrs.frozen(kw_only=True)
class Settlement:
    """Stores failures and abandoned answers, and says so to telemetry."""

    accounting: Accounting
    journal: ChatJournal
    clock: Clock
    telemetry: Telemetry

    async def failed(self, progress: Progress, error: LorError) -> None:
        """Keeps the user's turn and the failure; a chat that was refused before any call leaves nothing.

        One whose answer could not be stored leaves nothing either, whatever it cost: telemetry tells.
        """
        self.refused(progress.command, error, progress.started, attempts=progress.calls)
        if not progress.calls:
            return
        # Who lost the key to a later run leaves nothing: that run's answer is what the key is charged for.
        if isinstance(error, StorageUnavailable | KeyTakenOver | NotFound):
            self._lost(progress, error, await self.charge(progress))
        else:
            await self._store(progress, status="failed", error_code=error.code)

    async def left(self, progress: Progress) -> None:
        """The caller is gone: what was said so far is `incomplete`, and paid for."""
        if progress.admitted.is_complete:
            return
        said = bool(progress.runs) and progress.runs[-1].transcript.has_content
        await self._store(progress, status="incomplete" if said else "cancelled", error_code=None)

    def refused(self, command: SendChatCommand, error: LorError, started: float, *, attempts: int) -> None:
        self.telemetry.emit(
            ChatRefused(
                request_id=command.request_id,
                tenant=command.tenant,
                code=error.code,
                duration_s=self.clock.monotonic() - started,
                attempts=attempts,
            )
        )

    async def charge(self, progress: Progress) -> Charge:
        attempts: tuple[Attempt, ...] = ()
        total: Bill | None = None
        answer_tokens = 0
        for run in progress.paid_runs:
            made, bill = await self.accounting.charge(run, at=self.clock.now())
            attempts += made
            answer_tokens = 0 if bill is None else bill.usage.output_tokens
            if bill is not None:
                total = bill if total is None else add_bills(total, bill)
        return Charge(attempts=attempts, bill=total, answer_tokens=answer_tokens)

    async def _store(self, progress: Progress, *, status: MessageStatus, error_code: str | None) -> None:
        run = progress.runs[-1] if progress.runs else None
        charge = await self.charge(progress)
        record = chat_record(
            progress.command,
            progress.assembly,
            progress.ids,
            status=status,
            error_code=error_code,
            answer=spoken("" if run is None else run.transcript.text),
            attempts=charge.attempts,
            model=run.spec.ref if run is not None and run.spec is not None else None,
            bill=charge.bill,
            token_count=charge.answer_tokens if run is not None else 0,
            latency_ms=round((self.clock.monotonic() - progress.started) * 1000),
            now=self.clock.now(),
        )
        try:
            await self.journal.commit(record)
        except (StorageUnavailable, NotFound) as lost:
            # The caller is told of the first error; that its record is lost must be seen all the same.
            self._lost(progress, lost, charge)

    def _lost(self, progress: Progress, error: LorError, charge: Charge) -> None:
        bill = charge.bill
        self.telemetry.emit(
            ChatLost(
                request_id=progress.command.request_id,
                tenant=progress.command.tenant,
                thread_id=progress.ids.thread,
                code=error.code,
                usage=NO_USAGE if bill is None else bill.usage,
                cost_usd=Decimal(0) if bill is None else bill.cost_usd,
                attempts=progress.calls,
            )
        )
