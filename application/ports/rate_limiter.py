"""Limits on how much callers may ask for in a time."""

from collections.abc import Sequence
from typing import Protocol

import attrs

from domain.limits.rate import RateLimits


@attrs.frozen(kw_only=True)
class RateDemand:
    """One subject's limits, to be taken from."""

    kind: str
    """`key`, `user` or `address`."""
    id: str
    limits: RateLimits


@attrs.frozen(kw_only=True)
class RateState:
    """Where a subject's limit stands after a demand, for the `x-ratelimit-*` headers."""

    limit: int
    remaining: int
    reset_s: float
    """Until all of it is there again, if nothing more is asked."""


class Allowance(Protocol):
    """What was let through. A chat that was streamed outlives its request, so it is the chat that ends it."""

    @property
    def requests(self) -> RateState | None:
        """Of the subject that has the least left."""

    @property
    def tokens(self) -> RateState | None: ...

    def settle(self, tokens: int) -> None:
        """The chat took so many, in place of the estimate. At most once; returns at once."""

    def end(self) -> None:
        """The chat is over: its place is free, and tokens that were never settled are given back. Any number of times;
        returns at once."""


class RateLimiter(Protocol):
    """Takes from all of a request's limits at once, or from none."""

    async def take(self, demands: Sequence[RateDemand], *, tokens: int, requests: int = 1) -> Allowance:
        """
        Args:
            tokens: an estimate of what the prompt and the answer take.

        Raises:
            RateLimited: one of the limits does not allow it now; says which, and when it will. Nothing was taken.
        """

    async def start(self) -> None: ...

    async def aclose(self) -> None: ...
