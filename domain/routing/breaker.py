"""A circuit breaker for one (provider, model): a state machine that is told the time."""

from typing import Literal, TypeAlias

import attrs

from domain.errors import FailureKind
from domain.routing.settings import BreakerPolicy

BreakerState: TypeAlias = Literal["closed", "open", "half_open"]


@attrs.define(kw_only=True)
class Breaker:
    """Opens after so many failures in a row, then lets one probe at a time find out.

    `now` is monotonic seconds throughout. Every permit that `allow` gives is answered by exactly one of
    `succeeded`, `failed` and `abandoned`.
    """

    _policy: BreakerPolicy
    _failures: int = 0
    _opened_at: float | None = None
    _open_s: float = 0.0
    _probing: bool = False
    _last_kind: FailureKind = "server_error"

    @property
    def is_untouched(self) -> bool:
        """Whether no failure is remembered: then a success says nothing new."""
        return self._failures == 0 and self._opened_at is None and not self._probing

    @property
    def last_kind(self) -> FailureKind:
        """The failure that opened it, so that a refusal can say why."""
        return self._last_kind

    def state(self, now: float) -> BreakerState:
        if self._opened_at is None:
            return "closed"
        return "half_open" if self._probing or now >= self._opened_at + self._open_s else "open"

    def reopens_in_s(self, now: float) -> float:
        """Seconds until the next probe may go; 0 when closed."""
        return 0.0 if self._opened_at is None else max(0.0, self._opened_at + self._open_s - now)

    def would_allow(self, now: float) -> bool:
        """Like `allow`, without taking the probe."""
        return self._opened_at is None or (not self._probing and now >= self._opened_at + self._open_s)

    def allow(self, now: float) -> bool:
        """Whether a call may go now; in the half-open state this takes the one probe."""
        if self._opened_at is None:
            return True
        if not self.would_allow(now):
            return False
        self._probing = True
        return True

    @property
    def is_probing(self) -> bool:
        """True while the call under way is the half-open state's probe: it must not be retried."""
        return self._probing

    def succeeded(self) -> None:
        self._failures = 0
        self._opened_at = None
        self._probing = False

    def failed(self, kind: FailureKind, now: float) -> None:
        self._failures += 1
        self._last_kind = kind
        if self._probing:
            self._probing = False
            self._opened_at = now
            self._open_s = min(self._open_s * 2, self._policy.max_open_s)
        elif self._opened_at is None and self._failures >= self._policy.failures:
            self._opened_at = now
            self._open_s = self._policy.open_s

    def abandoned(self) -> None:
        """The call told nothing: it was cancelled, or refused for a reason of its own."""
        self._probing = False
