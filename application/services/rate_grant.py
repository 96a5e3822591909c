"""What a limiter has let through, and what becomes of it."""

from collections.abc import Callable
from typing import Protocol

from domain.errors import RateLimited
from domain.limits.rate import RateDemand, RateLevel, RateState, cost_s, refusal, states


class GrantKeeper(Protocol):
    """The limiter that let it through."""

    def correct(self, subject: str, tokens_s: float) -> None:
        """More tokens were taken than was thought, or fewer (negative), in seconds of the subject's limit."""

    def leave(self, subject: str) -> None:
        """One of its places is free."""


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

    def __init__(
        self,
        keeper: GrantKeeper,
        demands: tuple[RateDemand, ...],
        levels: tuple[RateLevel, ...],
        *,
        tokens: int,
    ) -> None:
        self._keeper = keeper
        self._demands = demands
        self._held = tokens
        """What its subjects were charged with so far."""
        self._is_settled = False
        self._is_over = False
        requests_state, tokens_state = states(demands, levels)
        self.requests: RateState | None = requests_state
        self.tokens: RateState | None = tokens_state

    def settle(self, tokens: int) -> None:
        if not self._is_settled:
            self._is_settled = True
            self._charge(tokens)

    def end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        if not self._is_settled:
            self._charge(0)
        for demand in self._demands:
            if demand.limits.concurrency is not None:
                self._keeper.leave(demand.subject)

    def __del__(self) -> None:
        # Whoever took it failed before there was a chat to end it. Nothing here can fail for want of a loop.
        if not self._is_over:
            self.end()

    def _charge(self, tokens: int) -> None:
        held, self._held = self._held, tokens
        if tokens == held:
            return
        for demand in self._demands:
            limit = demand.limits.tokens_per_minute
            if limit is not None:
                difference = cost_s(tokens, limit) - cost_s(held, limit)
                if difference:
                    self._keeper.correct(demand.subject, difference)


def rate_limited(
    demands: tuple[RateDemand, ...], levels: tuple[RateLevel, ...], *, tokens: int, requests: int
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
