"""How a chat that did not come to its answer is brought to an end in the books."""

import datetime
from decimal import Decimal

import attrs

from application.ports.chat_journal import ChatJournal
from application.ports.clock import Clock
from application.ports.telemetry import Telemetry
from application.services.accounting import Accounting, Bill, add_bills
from application.services.admission import Admitted
from application.services.chat_record import ChatIds, chat_record
from application.services.purse import Purse
from application.services.request_assembly import Assembly
from application.services.run import Run
from application.services.stop_signal import StopSignal
from application.services.transcript import Transcript
from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatAnswer
from domain.attempt import Attempt
from domain.chat import FinishReason
from domain.errors import (
    BudgetExceeded,
    BudgetsUnreadable,
    ChatFailed,
    InvalidRequest,
    KeyTakenOver,
    LorError,
    NotFound,
    StorageUnavailable,
)
from domain.limits.budget import BudgetState, Spend
from domain.memory import context_use
from domain.output.formatter import Formatted
from domain.telemetry import ChatCut, ChatLost, ChatRefused
from domain.thread import ChatRecord, MessageStatus
from domain.usage import NO_USAGE
from domain.values import frozen, maker


@attrs.define(kw_only=True)
class Progress:
    """One chat under way."""

    command: SendChatCommand
    assembly: Assembly
    ids: ChatIds
    started: float
    stream: bool
    admitted: Admitted
    purse: Purse | None = None
    """Pays for it; None where there is no budget."""
    runs_before: list[Run] = attrs.field(factory=list)
    """What was asked before the request was whole: a summary of the thread, for one."""
    stop: StopSignal = attrs.field(factory=StopSignal)
    first_token_s: float | None = None
    """From its arrival to the first content of a stream."""
    announced: bool = False
    """Whether a reader was told that somebody answers."""
    formatted: Formatted | None = None
    """Once all is said."""
    is_retold: bool = False
    """Whether a reader was shown the form of the answer in place of what was said."""
    runs: list[Run] = attrs.field(factory=list)
    """One; two where the first answer was not valid and the model was asked again."""

    @property
    def paid_runs(self) -> tuple[Run, ...]:
        """All that belong in the books."""
        return (*self.runs_before, *self.runs)

    @property
    def said(self) -> Transcript | None:
        """What the caller has seen, or would have; None where nothing was said."""
        if not self.runs:
            return None
        run = self.runs[-1]  # what an earlier one said is void
        said = run.shown or run.transcript
        return said if said.has_content else None

    def spends(self, bill: Bill | None) -> tuple[Spend, ...]:
        """What its record is to add to the counters of budgets."""
        return () if self.purse is None else self.purse.spends(_cost(bill))

    def settle(self, bill: Bill | None) -> None:
        """Its record is stored."""
        if self.purse is not None:
            self.purse.settle(_cost(bill))

    def end(self, bill: Bill | None) -> None:
        """What it took is known for good, stored or not."""
        allowance = self.command.allowance
        if allowance is not None:
            allowance.settle(0 if bill is None else bill.usage.input_tokens + bill.usage.output_tokens)

    def close(self) -> None:
        """It is over: what it held is free."""
        if self.purse is not None:
            self.purse.close()
        if self.command.allowance is not None:
            self.command.allowance.end()

    @property
    def waited_s(self) -> float:
        """For providers, and for its turn in its thread."""
        waited_s = self.admitted.queued_s
        for run in self.paid_runs if self.runs_before else self.runs:
            waited_s += run.waited_s
        return waited_s

    def pay_before(self, run: Run) -> None:
        """Takes a run that is asked before the request is whole."""
        run.purse = self.purse
        self.runs_before.append(run)

    def budget_states(self) -> tuple[BudgetState, ...]:
        return () if self.purse is None else self.purse.states()

    @property
    def calls(self) -> int:
        return sum(attempt.was_sent for run in self.paid_runs for attempt in run.attempts)


@frozen(kw_only=True)
class Charge:
    """What a chat has taken so far."""

    attempts: tuple[Attempt, ...]
    """Every one, with what it took itself."""
    bill: Bill | None
    """All of them together; None where nothing was said."""
    answer_tokens: int
    """Of the last run alone."""
    at: datetime.datetime
    """When it was reckoned."""


_charge = maker(Charge)


@frozen(kw_only=True)
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
        if progress.purse is not None and isinstance(error, BudgetExceeded):
            progress.purse.refused()
        if not progress.calls:
            return
        # Who lost the key to a later run leaves nothing: that run's answer is what the key is charged for.
        is_unstored = isinstance(error, StorageUnavailable) and not isinstance(error, BudgetsUnreadable)
        if is_unstored or isinstance(error, KeyTakenOver | NotFound):
            self._lost(progress, error, await self.charge(progress))
            return
        # What was shown of a cut stream is kept; what was never shown, or does not fit its format, is no answer.
        is_cut = (
            progress.announced
            and isinstance(error, ChatFailed | InvalidRequest | BudgetsUnreadable)
            and progress.said is not None
        )
        await self._store(progress, status="incomplete" if is_cut else "failed", error_code=error.code)

    async def left(self, progress: Progress) -> None:
        """The caller is gone, or the server ends: what was said so far is `incomplete`, and paid for."""
        if progress.admitted.is_complete:
            return
        status: MessageStatus = "cancelled" if progress.said is None else "incomplete"
        cut_by = progress.stop.cut_by
        if cut_by is None:
            charge = await self._store(progress, status=status, finish_reason="stopped")
        else:
            charge = await self._store(progress, status=status, error_code=cut_by.code)
        if charge is not None:
            self._cut(progress, charge, status=status, code=None if cut_by is None else cut_by.code)

    async def stopped(self, progress: Progress) -> ChatAnswer:
        """The caller ended it: as `left`, and whoever reads is told what there is.

        Raises:
            StorageUnavailable, NotFound, KeyTakenOver: it could not be stored.
        """
        said = progress.said
        charge = await self.charge(progress)
        record = self._record(
            progress, charge, status="cancelled" if said is None else "incomplete", finish_reason="stopped"
        )
        run = progress.runs[-1] if progress.runs else None
        model = (None if run is None else run.speaker) or progress.assembly.request.model
        bill = charge.bill
        answer = ChatAnswer(
            message_id=progress.ids.message,
            thread_id=progress.ids.thread,
            session_id=progress.ids.session,
            output="" if said is None else said.text,
            format=progress.assembly.request.format,
            model=model,
            prompt_version=progress.assembly.prompt_version,
            finish_reason="stopped",
            tool_calls=() if said is None else said.tool_calls,
            usage=NO_USAGE if bill is None else bill.usage,
            cost_usd=Decimal(0) if bill is None else bill.cost_usd,
            attempts=tuple([each for each in charge.attempts if each.was_sent]),
            fallbacks=0 if run is None else run.fallbacks,
            context=context_use(
                progress.assembly.memory,
                () if run is None or run.compiled is None else run.compiled.request.history,
            ),
            warnings=(
                *progress.assembly.warnings,
                *(() if progress.purse is None else progress.purse.warnings),
            ),
            overhead_s=max(0.0, self.clock.monotonic() - progress.started - progress.waited_s),
        )
        await self.journal.commit(record)
        progress.settle(bill)
        return attrs.evolve(answer, budget=progress.budget_states())

    def refused(self, command: SendChatCommand, error: LorError, started: float, *, attempts: int) -> None:
        self.telemetry.emit(
            ChatRefused(
                request_id=command.request_id,
                tenant=command.tenant,
                code=error.code,
                duration_s=self.clock.monotonic() - started,
                attempts=attempts,
                key_id=command.caller.key_id,
            )
        )

    async def charge(self, progress: Progress) -> Charge:
        attempts: tuple[Attempt, ...] = ()
        total: Bill | None = None
        answer_tokens = 0
        now = self.clock.now()
        for run in progress.paid_runs if progress.runs_before else progress.runs:
            made, bill = await self.accounting.charge(run, at=now)
            attempts += made
            answer_tokens = 0 if bill is None else bill.usage.output_tokens
            if bill is not None:
                total = bill if total is None else add_bills(total, bill)
        progress.end(total)
        return _charge(attempts=attempts, bill=total, answer_tokens=answer_tokens, at=now)

    async def _store(
        self,
        progress: Progress,
        *,
        status: MessageStatus,
        error_code: str | None = None,
        finish_reason: FinishReason | None = None,
    ) -> Charge | None:
        """What it took; None where it could not be stored."""
        charge = await self.charge(progress)
        record = self._record(
            progress, charge, status=status, error_code=error_code, finish_reason=finish_reason
        )
        try:
            await self.journal.commit(record)
        except (StorageUnavailable, NotFound) as lost:
            # The caller is told of the first error; that its record is lost must be seen all the same.
            self._lost(progress, lost, charge)
            return None
        progress.settle(charge.bill)
        return charge

    def _record(
        self,
        progress: Progress,
        charge: Charge,
        *,
        status: MessageStatus,
        error_code: str | None = None,
        finish_reason: FinishReason | None = None,
    ) -> ChatRecord:
        run = progress.runs[-1] if progress.runs else None
        said = progress.said
        model = None if run is None else run.speaker
        if (
            model is None and finish_reason == "stopped"
        ):  # before anybody was asked; readers are told of this one
            model = progress.assembly.request.model
        return chat_record(
            progress.command,
            progress.assembly,
            progress.ids,
            status=status,
            error_code=error_code,
            text="" if said is None else said.text,
            tool_calls=() if said is None else said.tool_calls,
            attempts=charge.attempts,
            model=model,
            finish_reason=finish_reason,
            bill=charge.bill,
            token_count=charge.answer_tokens if run is not None else 0,
            latency_ms=round((self.clock.monotonic() - progress.started) * 1000),
            now=charge.at,
            spends=progress.spends(charge.bill),
        )

    def _cut(self, progress: Progress, charge: Charge, *, status: MessageStatus, code: str | None) -> None:
        said = progress.said
        self.telemetry.emit(
            ChatCut(
                request_id=progress.command.request_id,
                tenant=progress.command.tenant,
                message_id=progress.ids.message,
                thread_id=progress.ids.thread,
                stored=status,
                characters=0 if said is None else len(said.text),
                cost_usd=_cost(charge.bill),
                code=code,
                key_id=progress.command.caller.key_id,
            )
        )

    def _lost(self, progress: Progress, error: LorError, charge: Charge) -> None:
        bill = charge.bill
        if progress.purse is not None:
            progress.purse.lose(_cost(bill))
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


def _cost(bill: Bill | None) -> Decimal | None:
    """None where a price is unknown; nothing that was said costs nothing."""
    return Decimal(0) if bill is None else bill.cost_usd
