"""The time limit and the breaker that stand before Redis."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import attrs

from application.ports.clock import Clock

_log: Final = logging.getLogger("lor3.redis")
_FAILURES: Final = 5
_OPEN_S: Final = 5.0


@attrs.define(kw_only=True)
class RedisGuard:
    """After five failures in a row, Redis is left alone for five seconds, and then until one attempt succeeds."""

    _clock: Clock
    _limit_s: float
    _what: str
    """That is not shared without Redis, such as `cooldowns`."""
    _failures: int = attrs.field(default=0, init=False)
    _open_until: float = attrs.field(default=0.0, init=False)

    @property
    def is_open(self) -> bool:
        """Whether nothing is tried for now."""
        return self._clock.monotonic() < self._open_until

    async def run(self, operation: Callable[[], Awaitable[None]]) -> bool:
        """Whether `operation` succeeded, within the limit; it is not called while the breaker is open."""
        if self.is_open:
            return False
        try:
            async with asyncio.timeout(self._limit_s):
                await operation()
        except Exception as error:  # whatever redis-py makes of an outage or of garbage: chats go on without
            self.failed(error)
            return False
        self.succeeded()
        return True

    def failed(self, error: Exception) -> None:
        """Counts an operation that was bounded in time elsewhere."""
        self._failures += 1
        if self._failures == _FAILURES:
            # The type alone: redis-py's messages quote the address.
            _log.warning(
                "Redis does not serve (%s); %s are not shared for now", type(error).__name__, self._what
            )
        if self._failures >= _FAILURES:
            self._open_until = self._clock.monotonic() + _OPEN_S

    def succeeded(self) -> None:
        """As `failed`."""
        if self._failures >= _FAILURES:
            _log.warning("Redis serves again; %s are shared", self._what)
        self._failures = 0
