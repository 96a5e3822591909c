"""Writes to readers of any speed, and tells the slow from those who take nothing."""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

WRITE_S: Final = 30.0
"""How long a reader may take none of what is sent before it counts as gone."""
_PIECE: Final = 64 * 1024
"""Bytes that are written at once: a reader who takes that much within the limit is there."""


def _nobody_asks() -> None:
    """For those to whom it is all one when the reader takes something."""


async def write(
    response: web.StreamResponse,
    data: bytes,
    *,
    transport: asyncio.Transport | None = None,
    moved: Callable[[], None] = _nobody_asks,
    last: bool = False,
) -> None:
    """
    Args:
        transport: the request's, where there are many small writes: one to a reader who has taken all before needs no
            limit.
        moved: called whenever the reader took a piece.
        last: nothing follows; the end goes out with the last piece.

    Raises:
        TimeoutError: the reader took nothing for `WRITE_S`.
        ConnectionError: it is gone.
    """
    if len(data) <= _PIECE // 2 and transport is not None and transport.get_write_buffer_size() == 0:
        # What the socket does not take stays below the mark at which a transport makes its writers wait.
        await (response.write_eof(data) if last else response.write(data))
        moved()
        return
    for start in range(0, len(data), _PIECE):
        async with asyncio.timeout(WRITE_S):
            await response.write(data if len(data) <= _PIECE else data[start : start + _PIECE])
        moved()
