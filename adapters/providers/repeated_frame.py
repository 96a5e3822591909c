"""Frames of a stream that differ in one string alone, which need not be parsed again.

Most of a stream are frames that repeat one another but for the text: the same id, model and structure a thousand times.
Once one of them was parsed and found to say a piece of text and nothing else, a frame with the same bytes before and
after that string says a piece of text and nothing else too: a JSON string can't change what stands around it.
"""

import re
from typing import Final

_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')
"""The inside of a JSON string without escapes (RFC 8259, section 7)."""
_TRIES: Final = 3
"""Some servers put something random into each frame: after that many that did not fit, each is parsed."""


class RepeatedFrame:
    """Learns from frames that were parsed. One for each stream."""

    __slots__ = ("_after", "_before", "_field", "_tries")

    def __init__(self, field: bytes) -> None:
        """
        Args:
            field: the name of the field that holds the text.
        """
        self._field = b'"%b":"' % field
        self._before = b""
        self._after = b""
        self._tries = _TRIES

    def learn(self, frame: bytes, text: str) -> None:
        """`frame` says `text`, and nothing else."""
        if self._tries <= 0:
            return
        self._tries -= 1
        start = frame.find(self._field) + len(self._field)
        end = start + len(said := text.encode("utf-8", "replace"))
        # The field may stand there twice, perhaps written in another way: then its place is not known.
        if (
            frame.count(self._field) == 1
            and b"\\" not in frame
            and frame[start:end] == said
            and _PLAIN.fullmatch(said)
            and frame[end : end + 1] == b'"'
        ):
            self._before, self._after = frame[:start], frame[end:]

    def forget(self) -> None:
        """From now on such frames mean something else."""
        self._before = b""
        self._tries = 0

    def text_in(self, frame: bytes) -> str | None:
        """The text; None where the frame has to be parsed."""
        before, after = self._before, self._after
        if not before or not frame.startswith(before) or not frame.endswith(after):
            return None
        start, end = len(before), len(frame) - len(after)
        if end < start or _PLAIN.fullmatch(frame, start, end) is None:
            return None
        try:
            return frame[start:end].decode()
        except UnicodeDecodeError:
            return None
