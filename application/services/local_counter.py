"""What one process knows and holds of one counter of budgets."""

import datetime
from decimal import Decimal
from typing import Final

import attrs

from application.ports.budget_ledger import CounterKey, CounterState, HoldRequest

NOTHING: Final = Decimal(0)


@attrs.define(kw_only=True, eq=False)
class LocalCounter:
    """Money of one period, moving from free to committed (for a call under way) to spent.

    What the database has written down as held is at any time at least what is held here: a chat that is stored is
    spent there at once, and still held until the next exchange. So the two together never fall short of the truth.
    """

    key: CounterKey
    limit_usd: Decimal | None
    """None where no hard budget applies: then nothing is held."""
    starts_at: datetime.datetime | None = None
    """None until the database was asked, unless it follows from the period before."""
    resets_at: datetime.datetime | None = None
    held_usd: Decimal = NOTHING
    committed_usd: Decimal = NOTHING
    lost_usd: Decimal = NOTHING
    """Spent by chats that could not be stored; the database has not been told."""
    spent_usd: Decimal = NOTHING
    """As far as is known: what this process has stored since the last exchange is in it."""
    certain_usd: Decimal = NOTHING
    """As the database said: it is never less from then on."""
    others_usd: Decimal = NOTHING
    """What others held then."""
    written_usd: Decimal = NOTHING
    """What the database has written down as held here."""
    moved_usd: Decimal = NOTHING
    """Stored since the exchange under way was sent, which may or may not have seen it."""
    usual_usd: Decimal = NOTHING
    """What the last call needed."""
    lease_ends: float = 0.0
    """By the monotonic clock, like all that follow. From then on nothing that is free here may be spent."""
    resets: float | None = None
    used: float = 0.0
    """When money was taken last."""
    asked: float = 0.0
    """When the exchange was sent that `answered` counts."""
    purses: int = 0
    is_changed: bool = False
    """Whether the database has to be told."""
    is_stale: bool = False
    """Whether the limit is another than the one that `held_usd` was judged by."""
    answered: int = 0
    """The number of the last exchange that the database has answered."""

    @property
    def is_known(self) -> bool:
        return self.answered > 0

    @property
    def free_usd(self) -> Decimal:
        return self.held_usd - self.committed_usd - self.lost_usd

    @property
    def at_most_usd(self) -> Decimal | None:
        """What there could ever be for a call, were all that is reserved to come free; None for no limit."""
        return None if self.limit_usd is None else self.limit_usd - self.certain_usd

    @property
    def left_usd(self) -> Decimal:
        """What nobody holds, as far as is known."""
        if self.limit_usd is None:
            return NOTHING
        return self.limit_usd - self.spent_usd - self.others_usd - self.held_usd

    @property
    def is_scarce(self) -> bool:
        """Whether so much is spare here that others have little."""
        limit = self.limit_usd
        if limit is None:
            return False
        held = self.held_usd
        free = held - self.committed_usd - self.lost_usd
        return free > 0 and 2 * free > limit - self.spent_usd - self.others_usd - held

    def is_over(self, now: float) -> bool:
        return self.resets is not None and now >= self.resets

    def affords(self, amount_usd: Decimal, now: float) -> bool:
        return (
            self.held_usd - self.committed_usd - self.lost_usd >= amount_usd
            and now < self.lease_ends
            and not self.is_stale
        )

    def available_usd(self, now: float) -> Decimal:
        return self.free_usd if now < self.lease_ends and not self.is_stale else NOTHING

    def take(self, amount_usd: Decimal, now: float) -> Decimal:
        """What is free after it."""
        committed = self.committed_usd = self.committed_usd + amount_usd
        self.used = now
        return self.held_usd - committed - self.lost_usd

    def give_back(self, amount_usd: Decimal) -> None:
        self.committed_usd -= amount_usd
        self.is_changed = True

    def settle(self, committed_usd: Decimal, cost_usd: Decimal) -> None:
        """A chat is stored with its cost."""
        self.committed_usd -= committed_usd
        self.spent_usd += cost_usd
        self.moved_usd += cost_usd
        if self.limit_usd is not None:
            self.held_usd -= cost_usd
        self.is_changed = True

    def lose(self, committed_usd: Decimal, cost_usd: Decimal) -> None:
        """A chat cost something and could not be stored."""
        self.committed_usd -= committed_usd
        self.spent_usd += cost_usd
        self.lost_usd += cost_usd
        self.is_changed = True

    def request(self, *, keep_free_usd: Decimal, needed_usd: Decimal, wished_usd: Decimal) -> HoldRequest:
        """What to send. What is given back is gone from here on, whatever becomes of the exchange."""
        if self.is_stale or self.limit_usd is None:
            keep_free_usd = NOTHING
        keep = self.committed_usd + max(NOTHING, keep_free_usd)
        self.held_usd = min(self.held_usd, keep + self.lost_usd)
        self.moved_usd = NOTHING
        self.is_changed = False
        return HoldRequest(
            key=self.key,
            starts_at=self.starts_at,
            limit_usd=self.limit_usd,
            committed_usd=self.committed_usd if self.limit_usd is not None else NOTHING,
            keep_usd=keep if self.limit_usd is not None else NOTHING,
            needed_usd=needed_usd,
            wished_usd=wished_usd,
            lost_usd=self.lost_usd,
        )

    def answer(
        self,
        sent: HoldRequest,
        state: CounterState,
        *,
        number: int,
        sent_at: float,
        now: float,
        lease_s: float,
    ) -> None:
        """The database has done what was sent."""
        self.starts_at, self.resets_at = state.starts_at, state.resets_at
        if state.resets_at is not None:
            self.resets = now + (state.resets_at - state.now).total_seconds()
        self.lost_usd -= sent.lost_usd
        self.held_usd = state.held_usd - self.moved_usd if self.limit_usd is not None else NOTHING
        # What was lost meanwhile is neither spent nor held there; what was stored meanwhile may be counted twice.
        self.spent_usd = state.spent_usd + self.moved_usd + self.lost_usd
        self.certain_usd = state.spent_usd
        self.written_usd = state.held_usd
        self.others_usd = state.others_usd
        self.lease_ends = sent_at + lease_s
        self.answered = number
        if sent.limit_usd == self.limit_usd:
            self.is_stale = False

    def fail(self) -> None:
        """What was sent may or may not have been done."""
        self.is_changed = True
