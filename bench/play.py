"""Streamed answers with a plan: how many pieces, how far apart, and whether the end waits for a word.

The load asks for a plan in its prompt, and the upstream finds it there, whatever gateway stands between them. Each piece
says when it was due, in microseconds of the machine's monotonic clock, so that the load can tell how late it came.
"""

import re
import time
from typing import Final

import attrs

from bench.payloads import PROMPT, stream_end, stream_head, stream_text

STAMP: Final = re.compile(rb"@([0-9]{15})")
"""In a piece's text: when it was due."""
_PLAN: Final = re.compile(rb"\[plan (\d+) pieces of (\d+) every (\d+) us(, held)?\]")


@attrs.frozen(kw_only=True)
class Plan:
    """One streamed answer."""

    pieces: int
    characters: int = 16
    """Of each piece, its stamp (16) included."""
    every_us: int = 0
    """0 sends all at once."""
    held: bool = False
    """Whether the end comes only when the upstream is told to (`GET /release`)."""

    def asked(self) -> str:
        """A prompt that asks for it."""
        held = ", held" if self.held else ""
        plan = f"[plan {self.pieces} pieces of {self.characters} every {self.every_us} us{held}]"
        return f"{plan} {PROMPT}"

    @classmethod
    def found_in(cls, request: bytes) -> "Plan | None":
        found = _PLAN.search(request)
        if found is None:
            return None
        pieces, characters, every_us = map(int, found.groups()[:3])
        return cls(pieces=pieces, characters=characters, every_us=every_us, held=found[4] is not None)


def now_us() -> int:
    return time.monotonic_ns() // 1000


HEAD: Final = stream_head()
END: Final = stream_end()
_MARK: Final = "@" + "0" * 15


@attrs.define
class Pieces:
    """A plan's pieces as bytes. Kept by the upstream: making them costs more than sending them."""

    plan: Plan
    _before: bytes = attrs.field(init=False)
    _after: bytes = attrs.field(init=False)
    _all: "tuple[int, bytes] | None" = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        text = _MARK + "." * (self.plan.characters - len(_MARK))
        self._before, _, self._after = stream_text(text).partition(_MARK.encode())

    def one(self, due_us: int) -> bytes:
        return b"%b@%015d%b" % (self._before, due_us, self._after)

    def burst(self) -> bytes:
        """All of them, the same object each time: many answers that wait to be sent share it."""
        if self._all is None:
            due_us = now_us()
            self._all = (due_us, self.one(due_us) * self.plan.pieces)
        return self._all[1]
