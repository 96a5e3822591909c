"""Limits on how much callers may ask for in a time."""

from collections.abc import Sequence
from typing import Protocol

from domain.limits.rate import RateDemand, RateState

__all__ = ["Allowance", "RateDemand", "RateLimiter", "RateState"]


class Allowance(Protocol):
    """What was let through. A chat that was streamed outlives its request, so it is the chat that ends it.

    One that is dropped without a word ends by itself: a caller who fails between `take` and the chat holds nothing.
    """

    @property
    def requests(self) -> RateState | None:
        """Of the subject that has the least left, right after `take`; None where no subject has such a limit."""

    @property
    def tokens(self) -> RateState | None: ...

    def settle(self, tokens: int) -> None:
        """The chat took so many, in place of the estimate. At most once, before or after `end`; returns at once.

        What a chat took beyond a limit of a minute is not counted; what several took beyond their estimates keeps the
        next ones waiting, for no longer than one further minute.
        """

    def end(self) -> None:
        """The chat is over: its place is free, and tokens that were never settled are given back. Any number of times;
        returns at once."""


class RateLimiter(Protocol):
    """Takes from all of a request's limits at once, or from none.

    A limit of n a minute lets n through at once and then one each 60/n seconds. Those who ask at the same moment are
    served in the order they came. Where subjects are shared with other processes, all of them together get n; while
    what they share through is away, each process limits by itself, from where the subject stood when it was last
    heard of: no chat waits for that longer than 0.1 s, and none fails of it.

    Memory is bounded whatever ids are asked for. A place (`concurrency`) of a process that died is free within 30 s.
    """

    async def take(self, demands: Sequence[RateDemand], *, tokens: int, requests: int = 1) -> Allowance:
        """Cancelled, it takes nothing but the requests.

        Args:
            demands: of different subjects; none takes from nothing.
            tokens: an estimate of what the prompt and the answer take. More than a limit passes only where that is
                untouched, and takes all of it.

        Raises:
            RateLimited: one of the limits does not allow it now; says which, and when it will. Nothing was taken.
        """

    async def start(self) -> None:
        """
        Raises:
            ConfigurationError: what is shared through can't be used as it is configured; that it is away is no error.
        """

    async def aclose(self) -> None:
        """Gives its places back, if that is quick. Allowances may still be settled and ended, to no effect."""
