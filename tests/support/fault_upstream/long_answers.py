"""Row 58: an answer that is far longer than all buffers on its way to a reader who has stopped."""

from itertools import chain
from typing import Final

from tests.support.fault_upstream.exchange import Exchange
from tests.support.fault_upstream.registry import fault
from tests.support.fault_upstream.streams import head_frames, said, tail_frames

PIECES: Final = 12_000
LONG_TEXT: Final = "".join(f"token-{number:05d} " for number in range(PIECES))
"""144,000 characters in pieces as small as models send them: what a stream puts around each is four times as much."""
_BLOCK: Final = 100


@fault("f58-long")
async def long_answer(exchange: Exchange) -> None:
    size = len(LONG_TEXT) // PIECES
    frames = said(exchange, *(LONG_TEXT[at : at + size] for at in range(0, len(LONG_TEXT), size)))
    blocks = (b"".join(frames[at : at + _BLOCK]) for at in range(0, PIECES, _BLOCK))
    await exchange.stream(chain(head_frames(exchange), blocks, tail_frames(exchange)))
