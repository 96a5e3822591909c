"""Keys by which a request may be sent twice and is answered, and charged, once."""

import datetime
from typing import Final, TypeAlias

from domain.answer import ChatAnswer
from domain.values import frozen

KEEP: Final = datetime.timedelta(hours=24)
"""How long an answer is given again, from the moment the key was first claimed."""
LEASE_S: Final = 5.0
"""How long a claim holds without a word of its owner: past it whoever sends the key again takes it over."""
RENEW_S: Final = 1.5
"""How often an owner says that it still works on what it claimed."""


@frozen(kw_only=True)
class IdempotencyKey:
    """What a caller sent, with a digest of what it sent it with."""

    key: str
    """1 to 255 visible ASCII characters."""
    fingerprint: str
    """SHA-256, in hex, over the route and the body, whatever the order of its fields."""


@frozen(kw_only=True)
class Claimed:
    """The caller's to answer, for as long as the lease is renewed."""

    key: str
    owner: str
    """A UUID of this one run. Two runs with the same key have two owners; only one can complete it."""


@frozen(kw_only=True)
class Answered:
    """The key was completed before: this is what it completed with."""

    answer: ChatAnswer


@frozen(kw_only=True)
class InFlight:
    """Another run holds the key."""

    lease_left_s: float


@frozen(kw_only=True)
class OfAnotherRequest:
    """The key was claimed with another fingerprint within its day."""


ClaimOutcome: TypeAlias = Claimed | Answered | InFlight | OfAnotherRequest


@frozen(kw_only=True)
class KeyCompletion:
    """Ends a claim in the transaction that stores the answer, or that transaction fails."""

    claim: Claimed
    answer: ChatAnswer
