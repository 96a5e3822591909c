"""What a limiter has let through, and what becomes of it."""

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

from domain.errors import RateLimited
from domain.limits.rate import RateDemands, RateLevel, RateState, refusal, states


class GrantKeeper(Protocol):
    """The limiter that let it through."""

    def correct(self, demands: RateDemands, held: int, tokens: int) -> None:
        """They were charged with `held` tokens, and are to be with so many."""

    def leave(self, demands: RateDemands) -> None:
        """A place of each is free."""

    @property
    def dropped(self) -> "deque[Dropped]":
        """What nobody ended; to be given back (`give_back`) before anything else is taken."""


Dropped: TypeAlias = tuple[RateDemands, int]
"""A grant's demands, and the tokens that it was charged with and never settled."""


class RateGrant:
    """An `Allowance`. A plain class: one is made for each chat."""

    __slots__ = (
        "__weakref__",
        "_demands",
        "_held",
        "_is_over",
        "_is_settled",
        "_keeper",
        "requests",
        "tokens",
    )

    requests: RateState | None
    tokens: RateState | None

    def __init__(
        self,
        keeper: GrantKeeper,
        demands: RateDemands,
        levels: tuple[RateLevel | tuple[float, float, int], ...],
        tokens: int,
    ) -> None:
        self._keeper = keeper
        self._demands = demands
        self._held = tokens
        """What its subjects were charged with so far."""
        self._is_settled = False
        self._is_over = False
        self.requests, self.tokens = states(demands, levels)

    def settle(self, tokens: int) -> None:
        if not self._is_settled:
            self._is_settled = True
            held, self._held = self._held, tokens
            if tokens != held:
                self._keeper.correct(self._demands, held, tokens)

    def end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        unsettled = 0 if self._is_settled else self._held
        self._held -= unsettled
        _release(self._keeper, self._demands, unsettled)

    def __del__(self) -> None:
        # Whoever took it failed before there was a chat to end it. Any thread may come here, at any moment.
        if not self._is_over:
            self._keeper.dropped.append((self._demands, 0 if self._is_settled else self._held))


def give_back(keeper: GrantKeeper) -> None:
    """Frees what dropped grants held."""
    while keeper.dropped:
        demands, tokens = keeper.dropped.popleft()
        _release(keeper, demands, tokens)


def _release(keeper: GrantKeeper, demands: RateDemands, tokens: int) -> None:
    if tokens:
        keeper.correct(demands, tokens, 0)
    if demands.placed:
        keeper.leave(demands)


def rate_limited(
    demands: RateDemands, levels: tuple[RateLevel, ...], *, tokens: int, requests: int
) -> RateLimited:
    """The error for whom these levels did not let through."""
    why = refusal(demands, levels, tokens=tokens, requests=requests)
    return RateLimited(
        _SAID[why.limit](why.subject, why.allowed, tokens), retry_after_s=why.wait_s, refusal=why
    )


def _requests_said(subject: str, allowed: int, _: int) -> str:
    return f"this {subject} may send {_count(allowed, 'request')} a minute and has; send it again after Retry-After"


def _tokens_said(subject: str, allowed: int, tokens: int) -> str:
    return (
        f"this {subject} may use {_count(allowed, 'token')} a minute, and what is left does not hold the {tokens:,} that "
        "this chat may take; ask for a smaller `max_tokens`, or send it again after Retry-After"
    )


def _places_said(subject: str, allowed: int, _: int) -> str:
    return f"this {subject} may have {_count(allowed, 'chat')} under way at a time and has; send it again when one has ended"


_SAID: dict[str, Callable[[str, int, int], str]] = {
    "requests": _requests_said,
    "tokens": _tokens_said,
    "concurrency": _places_said,
}


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
