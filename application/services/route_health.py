"""What this process knows of each route's health: breakers, cooldowns, pacing and the retry budget."""

from typing import Final, TypeVar

import attrs

from application.ports.chat_provider import Timeouts
from application.ports.clock import Clock
from application.ports.cooldown_board import CooldownBoard
from application.ports.telemetry import Telemetry
from domain.errors import FailureKind, ProviderFailure
from domain.model import ModelRef
from domain.routing.breaker import Breaker
from domain.routing.pacing import Pacing
from domain.routing.policy import VERDICTS
from domain.routing.retry import RetryBudget
from domain.routing.settings import RoutingPolicy
from domain.telemetry import BreakerMoved
from domain.values import frozen

V = TypeVar("V")
MAX_ROUTES: Final = 4096


@frozen(kw_only=True)
class ClosedRoute:
    """Why a route is passed over right now."""

    outcome: str
    kind: FailureKind
    """The failure that closed it: it gives the error its class."""
    reason: str
    opens_in_s: float


@attrs.define(kw_only=True)
class RouteHealth:
    """Shared by all requests of a process. Local and immediate: asking never waits."""

    _policy: RoutingPolicy
    _clock: Clock
    _telemetry: Telemetry
    _cooldowns: CooldownBoard
    retry_budget: RetryBudget = attrs.field(init=False)
    _breakers: dict[ModelRef, Breaker] = attrs.field(init=False, factory=dict)
    _pacings: dict[ModelRef, Pacing] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.retry_budget = RetryBudget(self._policy.retry_ratio, float(self._policy.retry_reserve))

    def breaker(self, model: ModelRef) -> Breaker:
        breaker = self._breakers.get(model)
        if breaker is None:
            _make_room(self._breakers)
            breaker = self._breakers[model] = Breaker(policy=self._policy.breaker)
        return breaker

    def pacing(self, model: ModelRef, timeouts: Timeouts) -> Pacing:
        pacing = self._pacings.get(model)
        if pacing is None:
            _make_room(self._pacings)
            pacing = self._pacings[model] = Pacing(limit_s=timeouts.first_token_s)
        return pacing

    def closed(self, model: ModelRef) -> ClosedRoute | None:
        """Why `model` must not be called now; None if it may."""
        cooldown = self._cooldowns.active(model.provider) or self._cooldowns.active(str(model))
        if cooldown is not None:
            return ClosedRoute(
                outcome="skipped_cooldown",
                kind=cooldown.kind,
                reason=f"its provider closed it for {cooldown.remaining_s:.0f} s more ({cooldown.kind})",
                opens_in_s=cooldown.remaining_s,
            )
        breaker = self._breakers.get(model)
        now = self._clock.monotonic()
        if breaker is not None and not breaker.would_allow(now):
            return ClosedRoute(
                outcome="skipped_breaker_open",
                kind=breaker.last_kind,
                reason=f"its breaker is open after repeated failures ({breaker.last_kind})",
                opens_in_s=max(1.0, breaker.reopens_in_s(now)),
            )
        return None

    def health(self, model: ModelRef) -> str:
        """`ok`, `degraded`, `down` or `cooling`, for people and UIs."""
        if self._cooldowns.active(model.provider) or self._cooldowns.active(str(model)):
            return "cooling"
        breaker = self._breakers.get(model)
        if breaker is None:
            return "ok"
        return {"closed": "ok", "half_open": "degraded", "open": "down"}[
            breaker.state(self._clock.monotonic())
        ]

    def succeeded(self, model: ModelRef) -> None:
        breaker = self._breakers.get(model)
        if breaker is not None and not breaker.is_untouched:
            was = breaker.state(self._clock.monotonic())
            breaker.succeeded()
            if was != "closed":
                self._telemetry.emit(BreakerMoved(model=model, state="closed"))

    def failed(self, model: ModelRef, failure: ProviderFailure) -> None:
        health = VERDICTS[failure.kind].health
        if health == "alive":
            self.succeeded(model)
        elif health == "neutral":
            self.breaker(model).abandoned()
        else:
            breaker = self.breaker(model)
            was_open = breaker.state(self._clock.monotonic()) == "open"
            breaker.failed(failure.kind, self._clock.monotonic())
            if not was_open and breaker.state(self._clock.monotonic()) == "open":
                self._telemetry.emit(BreakerMoved(model=model, state="open"))

    def close_for(self, model: ModelRef, failure: ProviderFailure) -> None:
        """Remembers that the provider itself closed the route; called once no retry follows."""
        if failure.kind == "quota_exhausted":
            # The account is empty for every model of the credential.
            self._cooldowns.close_route(model.provider, failure.kind, for_s=self._policy.quota_cooldown_s)
        elif failure.kind == "rate_limited" and failure.retry_after_s is not None:
            seconds = min(failure.retry_after_s, self._policy.max_cooldown_s)
            self._cooldowns.close_route(str(model), failure.kind, for_s=seconds)


def _make_room(known: dict[ModelRef, V]) -> None:
    """Callers choose the names: the oldest is forgotten, which costs a few calls to learn again."""
    if len(known) >= MAX_ROUTES:
        del known[next(iter(known))]
