"""Cuts connections whose reader takes nothing of an answer that has left its handler."""

import asyncio
from typing import Final

from entrypoints.http import paced_writing

_LOOKS: Final = 8
"""In `WRITE_S`."""


class UnreadWriting:
    """Watches what a transport holds until `stop`, and aborts it once its reader took none of it for `WRITE_S`.

    Streams see to it by each write. A whole answer is one write, and whatever it is nobody waits for the end of it
    with a limit.
    """

    __slots__ = ("_left", "_loop", "_since_s", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._left = transport.get_write_buffer_size()
        self._since_s = loop.time()
        self._timer = loop.call_later(paced_writing.WRITE_S / _LOOKS, self._look)

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        left, now_s = self._transport.get_write_buffer_size(), self._loop.time()
        if not left or left < self._left:
            self._since_s = now_s
        elif now_s - self._since_s >= paced_writing.WRITE_S:
            self._transport.abort()
            return
        self._left = left
        self._timer = self._loop.call_later(paced_writing.WRITE_S / _LOOKS, self._look)
