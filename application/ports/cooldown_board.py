"""Which routes are known to be closed, shared by all replicas where they can share."""

from typing import Protocol

from domain.errors import FailureKind
from domain.values import frozen


@frozen(kw_only=True)
class Cooldown:
    """A route that a provider closed: a model by a rate limit, a whole credential by an empty account."""

    route: str
    """`provider:model`, or `provider` for all its models."""
    kind: FailureKind
    remaining_s: float


class CooldownBoard(Protocol):
    """Reads and writes are local and immediate; sharing happens behind them, within about a second.

    A caller may always go on without it: when the shared side is away, each process knows only its own.
    """

    def active(self, route: str) -> Cooldown | None: ...

    def close_route(self, route: str, kind: FailureKind, *, for_s: float) -> None:
        """Extends, never shortens, what is there."""

    async def start(self) -> None: ...

    async def aclose(self) -> None: ...
