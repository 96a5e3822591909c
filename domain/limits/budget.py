"""How much money may be spent, on what, in which time."""

import datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from domain.values import frozen

Period: TypeAlias = Literal["day", "month", "total"]
"""A day and a month are UTC's; `total` never ends."""
SubjectKind: TypeAlias = Literal["key", "tenant", "user", "thread"]


@frozen(kw_only=True)
class Budget:
    """So much in each period."""

    limit_usd: Decimal
    period: Period
    soft: bool = False
    """True: what goes beyond is told of, and not refused."""


@frozen
class Subject:
    """Whose money it is."""

    kind: SubjectKind
    id: str
    """Of a key or a thread its id, of a tenant its name, of a user the caller's own id for them."""


@frozen(kw_only=True)
class AppliedBudget:
    subject: Subject
    budget: Budget


@frozen(kw_only=True)
class Spend:
    """What a chat has cost in one period of one subject; stored in the transaction that stores the chat.

    It counts in the period in which it was covered, as the database's clock had it then: that is where the money is
    reserved.
    """

    subject: Subject
    period: Period
    starts_at: datetime.datetime
    """Of the period; the epoch for `total`."""
    amount_usd: Decimal


@frozen(kw_only=True)
class BudgetState:
    """Where one budget stands, for whoever draws it."""

    subject: SubjectKind
    period: Period
    soft: bool
    limit_usd: Decimal
    spent_usd: Decimal
    left_usd: Decimal
    """At least 0. Less what is reserved for chats under way."""
    resets_at: datetime.datetime | None
    """None for `total`."""


EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def period_start(period: Period, at: datetime.datetime) -> datetime.datetime:
    """When the period began that holds `at`; the epoch for `total`."""
    if period == "total":
        return EPOCH
    midnight = at.astimezone(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if period == "day" else midnight.replace(day=1)


def period_end(period: Period, starts_at: datetime.datetime) -> datetime.datetime | None:
    """When the next one begins; None for `total`."""
    if period == "total":
        return None
    if period == "day":
        return starts_at + datetime.timedelta(days=1)
    year, month = divmod(starts_at.year * 12 + starts_at.month, 12)
    return starts_at.replace(year=year, month=month + 1)
