"""How late the event loop is: what holds it up holds up every request."""

import asyncio
from collections.abc import Callable
from typing import Final

import attrs

EVERY_S: Final = 0.25


@attrs.define
class LoopLag:
    """Asks the loop to be woken again and again, and tells how much later than asked for it was."""

    _tell: Callable[[float], None]
    _timer: asyncio.TimerHandle | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(EVERY_S, self._woken, loop, loop.time() + EVERY_S)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _woken(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._tell(max(0.0, loop.time() - due))
        self.start()
