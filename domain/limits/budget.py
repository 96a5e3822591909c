"""How much money may be spent, on what, in which time."""

import datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import attrs

Period: TypeAlias = Literal["day", "month", "total"]
"""A day and a month are UTC's; `total` never ends."""
SubjectKind: TypeAlias = Literal["key", "tenant", "user", "thread"]


@attrs.frozen(kw_only=True)
class Budget:
    """So much in each period."""

    limit_usd: Decimal
    period: Period
    soft: bool = False
    """True: what goes beyond is told of, and not refused."""


@attrs.frozen
class Subject:
    """Whose money it is."""

    kind: SubjectKind
    id: str
    """Of a key or a thread its id, of a tenant its name, of a user the caller's own id for them."""


@attrs.frozen(kw_only=True)
class AppliedBudget:
    subject: Subject
    budget: Budget


@attrs.frozen(kw_only=True)
class Spend:
    """What a chat has cost in one period of one subject; stored in the transaction that stores the chat.

    Which day or month that is says the database's clock, when it is stored.
    """

    subject: Subject
    period: Period
    starts_at: datetime.datetime
    """Of the period; the epoch for `total`."""
    amount_usd: Decimal


@attrs.frozen(kw_only=True)
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
