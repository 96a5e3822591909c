"""How a chat that did not come to its answer is brought to an end in the books."""

import attrs

from application.ports.chat_journal import ChatJournal
from application.ports.clock import Clock
from application.ports.telemetry import Telemetry
from application.services.accounting import Accounting, Bill, add_bills
from application.services.chat_record import ChatIds, chat_record, spoken
from application.services.request_assembly import Assembly
from application.services.run import Run
from application.use_cases.chat_command import SendChatCommand
from domain.attempt import Attempt
from domain.errors import LorError, StorageUnavailable
from domain.telemetry import ChatRefused
from domain.thread import MessageStatus


@attrs.define(kw_only=True)
class Progress:
    """One chat under way."""

    command: SendChatCommand
    assembly: Assembly
    ids: ChatIds
    started: float
    stream: bool
    runs: list[Run] = attrs.field(factory=list)
    """One; two where the first answer was not valid and the model was asked again."""

    @property
    def waited_s(self) -> float:
        return sum(run.waited_s for run in self.runs)

    @property
    def calls(self) -> int:
        return sum(attempt.was_sent for run in self.runs for attempt in run.attempts)


@attrs.frozen(kw_only=True)
class Settlement:
    """Stores failures and abandoned answers, and says so to telemetry."""

    accounting: Accounting
    journal: ChatJournal
    clock: Clock
    telemetry: Telemetry

    async def failed(self, progress: Progress, error: LorError) -> None:
        """Keeps the user's turn and the failure; a chat that was refused before any call leaves nothing."""
        self.refused(progress.command, error, progress.started, attempts=progress.calls)
        if progress.calls and not isinstance(error, StorageUnavailable):
            await self._store(progress, status="failed", error_code=error.code)

    async def left(self, progress: Progress) -> None:
        """The caller is gone: what was said so far is `incomplete`, and paid for."""
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

    async def charge(self, progress: Progress) -> tuple[tuple[Attempt, ...], Bill | None]:
        """Every attempt with what it took, and all of it together; None where nothing was said."""
        attempts: tuple[Attempt, ...] = ()
        total: Bill | None = None
        for run in progress.runs:
            made, bill = await self.accounting.charge(run, at=self.clock.now())
            attempts += made
            if bill is not None:
                total = bill if total is None else add_bills(total, bill)
        return attempts, total

    async def _store(self, progress: Progress, *, status: MessageStatus, error_code: str | None) -> None:
        run = progress.runs[-1] if progress.runs else None
        attempts, bill = await self.charge(progress)
        record = chat_record(
            progress.command,
            progress.assembly,
            progress.ids,
            status=status,
            error_code=error_code,
            answer=spoken("" if run is None else run.transcript.text),
            attempts=attempts,
            model=run.spec.ref if run is not None and run.spec is not None else None,
            bill=bill,
            latency_ms=round((self.clock.monotonic() - progress.started) * 1000),
            now=self.clock.now(),
        )
        try:
            await self.journal.commit(record)
        except StorageUnavailable as lost:
            # The caller is told of the first error; that its record is lost must be seen all the same.
            self.refused(progress.command, lost, progress.started, attempts=progress.calls)
