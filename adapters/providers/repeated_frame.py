"""Frames of a stream that differ in one string alone, which need not be parsed again.

Most of a stream are frames that repeat one another but for the text: the same id, model and structure a thousand times.
Once one of them was parsed and found to say a piece of text and nothing else, a frame with the same bytes before and
after that string says a piece of text and nothing else too: a JSON string can't change what stands around it.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from adapters.providers import json_text

_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')
"""The inside of a JSON string without escapes (RFC 8259, section 7)."""
_PLAIN_LINES: Final = re.compile(rb'[^"\\\x00-\x09\x0b-\x1f]*')
"""Several of them, with a line feed between."""
_RUN: Final = 64
"""Frames that are looked at together: what one of them spoils is looked at again."""
_TRIES: Final = 3
"""Some servers put something random into each frame: after that many that did not fit, each is parsed."""


class RepeatedFrame:
    """Learns from frames that were parsed. One for each stream."""

    __slots__ = ("_after", "_before", "_field", "_misfits", "_tries")

    def __init__(self, field: bytes) -> None:
        """
        Args:
            field: the name of the field that holds the text.
        """
        self._field = b'"%b":"' % field
        self._before = b""
        self._after = b""
        self._tries = _TRIES
        self._misfits = 0

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
            and frame.count(b'"%b"' % said) == 1
            and _PLAIN.fullmatch(said)
            and frame[end : end + 1] == b'"'
        ):
            self._before, self._after = frame[:start], frame[end:]

    def forget(self) -> None:
        """From now on such frames mean something else."""
        self._before = b""
        self._tries = 0

    def texts(self, frames: Sequence[bytes], start: int) -> list[str]:
        """The texts of the frames from `start` on that repeat one another; empty where the first of them has to be
        parsed."""
        before, after = self._before, self._after
        if not before:
            return []
        end, most = start, min(len(frames), start + _RUN)
        while end < most and frames[end].startswith(before) and frames[end].endswith(after):
            end += 1
        if end == start:
            return []
        first, last, least = len(before), -len(after), len(before) + len(after)
        inner = [frame[first:last] for frame in frames[start:end] if len(frame) >= least]
        if len(inner) < end - start:
            self.forget()
            return []  # its ends overlap: a frame that only looks alike
        lines = b"\n".join(inner)
        if _PLAIN_LINES.fullmatch(lines) and lines.count(b"\n") == len(inner) - 1:
            try:
                return lines.decode().split("\n")
            except UnicodeDecodeError:
                pass  # one by one: see json_text for what becomes of it
        texts = _one_by_one(inner)
        if not texts:
            self._misfits += 1
            if self._misfits > _TRIES:
                self.forget()  # a server that does not escape what it should: looking twice costs more than parsing
        return texts


def _one_by_one(inner: Iterable[bytes]) -> list[str]:
    """As far as they are the insides of JSON strings."""
    texts: list[str] = []
    for each in inner:
        try:
            text = json_text.parse(b'"%b"' % each)
        except ValueError:
            break
        if type(text) is not str:
            break
        texts.append(text)
    return texts
