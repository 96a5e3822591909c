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
    response: web.StreamResponse, data: bytes, *, moved: Callable[[], None] = _nobody_asks
) -> None:
    """
    Args:
        moved: called whenever the reader took a piece.

    Raises:
        TimeoutError: the reader took nothing for `WRITE_S`.
        ConnectionError: it is gone.
    """
    for start in range(0, len(data), _PIECE):
        async with asyncio.timeout(WRITE_S):
            await response.write(data if len(data) <= _PIECE else data[start : start + _PIECE])
        moved()
