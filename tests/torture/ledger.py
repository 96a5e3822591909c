"""What clients were told: the other side of the books."""

from collections import Counter
from typing import Any

import attrs

Answer = dict[str, Any]
"""The answer object of a 200, or of a `done` event."""


@attrs.frozen(kw_only=True)
class Acknowledged:
    nonce: str
    key: str | None
    body: dict[str, Any]
    """The request, as it was sent."""
    answer: Answer
    first_sent_at: float
    acknowledged_at: float
    path: str = "/chat"
    """Where it was sent to."""


@attrs.frozen(kw_only=True)
class GivenUp:
    """A request whose client was told, in so many words, that it will never be answered."""

    key: str
    body: dict[str, Any]
    path: str


@attrs.define
class Ledger:
    """Filled by all drivers."""

    sent: dict[str, str] = attrs.field(factory=dict)
    """The whole prompt of each nonce."""
    acknowledged: list[Acknowledged] = attrs.field(factory=list)
    remade: list[Acknowledged] = attrs.field(factory=list)
    """Answers that were made in place of others: by the nonce of the question, each with a key of its own."""
    given_up: list[GivenUp] = attrs.field(factory=list)
    forks: dict[str, str] = attrs.field(factory=dict)
    """By the new thread's id, of those that clients know of: the message at which it was forked."""
    statuses: Counter[str] = attrs.field(factory=Counter)
    """What sends came to: a status with its code, or the kind of connection that was lost."""
    sends: int = 0
    replays: int = 0
    """Answers to keys that had been answered before."""
    violations: list[str] = attrs.field(factory=list)
    """What no client may be told, whatever breaks."""
