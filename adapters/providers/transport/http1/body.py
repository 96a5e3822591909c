"""Where a body ends: by its length, by its last chunk, or with the connection. Pure.

RFC 9112, sections 6 and 7. Content that has come is handed on at once; nothing of it is kept.
"""

import re
from typing import Final, Protocol

from adapters.providers.transport.http1.failures import NotHTTP
from adapters.providers.transport.http1.head import FIELD_LINES, MAX_HEAD_BYTES, MAX_LINE_BYTES, ResponseHead

_MAX_SIZE_LINE_BYTES: Final = 1024
# 15 digits: far above any body and still exact in 64 bits. Blanks after the size are an old habit of some servers.
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*+)?\r\n")


_SIZES: Final = {b"%x" % size: size for size in range(1, 2048)}
"""Of the chunks that an answer's events come in."""


class Body(Protocol):
    """Takes what follows a head. One for each answer."""

    has_ended: bool
    surplus: bool
    """Bytes came after the end, so the connection must not be used again."""

    def feed(self, data: bytes) -> bytes:
        """The content in `data`, perhaps none.

        Raises:
            NotHTTP: a chunk breaks the rules.
        """

    def end_of_connection(self) -> bool:
        """Whether the body is whole now that nothing more will come."""


def body_after(head: ResponseHead) -> Body:
    if head.framing == "chunked":
        return ChunkedBody()
    if head.framing == "length":
        return LengthBody(head.length)
    return UntilCloseBody()


class LengthBody:
    __slots__ = ("_left", "has_ended", "surplus")

    def __init__(self, length: int) -> None:
        self._left = length
        self.has_ended = length == 0
        self.surplus = False

    def feed(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left > 0:
            return data
        self.has_ended = True
        if self._left == 0:
            return data
        self.surplus = True
        content = data[: self._left]
        self._left = 0
        return content

    def end_of_connection(self) -> bool:
        return self.has_ended


class UntilCloseBody:
    __slots__ = ("has_ended", "surplus")

    def __init__(self) -> None:
        self.has_ended = False
        self.surplus = False

    def feed(self, data: bytes) -> bytes:
        return data

    def end_of_connection(self) -> bool:
        self.has_ended = True
        return True


class ChunkedBody:
    """Sizes, extensions (ignored), trailers (checked and dropped)."""

    __slots__ = ("_in_trailers", "_left", "_tail", "_trailer_bytes", "has_ended", "surplus")

    def __init__(self) -> None:
        self._left = 0
        """Bytes of the chunk still to come, its line end (2) included; 0 before a size line."""
        self._tail = b""
        """The beginning of a size line or trailer whose end has not come."""
        self._in_trailers = False
        self._trailer_bytes = 0
        self.has_ended = False
        self.surplus = False

    def feed(self, data: bytes) -> bytes:
        if self._tail:
            data = self._tail + data
            self._tail = b""
        pieces: list[bytes] = []
        at = 0
        size = len(data)
        if self._left == 0 and not self._in_trailers:
            at = _whole_chunks(data, pieces)
        while at < size:
            if self._in_trailers:
                self._trailers(data, at)
                break
            left = self._left
            if left == 0:
                line = _SIZE_LINE.match(data, at)
                if line is None:
                    self._tail = _unfinished_size_line(data, at)
                    break
                at = line.end()
                left = int(line[1], 16)
                if left == 0:
                    self._in_trailers = True
                    continue
                end = at + left
                if end + 2 <= size:  # the whole chunk has come: the usual case
                    if data[end : end + 2] != b"\r\n":
                        raise NotHTTP("a chunk is longer than its size")
                    pieces.append(data[at:end])
                    at = end + 2
                    continue
                self._left = left = left + 2
                if at == size:
                    break
            if size - at >= left:  # the whole rest of a chunk
                end = at + left
                # Of its line end, a part may have come and been checked before.
                if not b"\r\n".endswith(data[max(at, end - 2) : end]):
                    raise NotHTTP("a chunk is longer than its size")
                if left > 2:
                    pieces.append(data[at : end - 2])
                self._left = 0
                at = end
                continue
            if left > 2:
                content_end = at + left - 2
                pieces.append(data[at:content_end])
                if content_end < size and data[content_end] != 13:
                    raise NotHTTP("a chunk is longer than its size")
            elif data[at] != 13:  # left is 2 and one byte came
                raise NotHTTP("a chunk is longer than its size")
            self._left = left - (size - at)
            break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _trailers(self, data: bytes, at: int) -> None:
        while True:
            end = data.find(b"\r\n", at)
            if end < 0:
                self._tail = data[at:]
                if len(self._tail) > MAX_LINE_BYTES:
                    raise NotHTTP("a trailer is too long")
                return
            if end == at:
                self.has_ended = True
                self.surplus = end + 2 < len(data)
                return
            self._trailer_bytes += end + 2 - at
            if (
                end - at > MAX_LINE_BYTES
                or self._trailer_bytes > MAX_HEAD_BYTES
                or FIELD_LINES.fullmatch(data, at, end + 2) is None
            ):
                raise NotHTTP("a trailer breaks the rules")
            at = end + 2

    def end_of_connection(self) -> bool:
        return self.has_ended


def _whole_chunks(data: bytes, pieces: list[bytes]) -> int:
    """Takes the small whole chunks at the beginning of `data`, in a third of the time; returns where they end."""
    at, find, size_of = 0, data.find, _SIZES.get
    while True:
        line_end = find(b"\r\n", at, at + 8)
        size = size_of(data[at:line_end]) if line_end > at else None
        if size is None:
            return at
        end = line_end + 2 + size
        if not data.startswith(b"\r\n", end):
            return at
        pieces.append(data[line_end + 2 : end])
        at = end + 2


def _unfinished_size_line(data: bytes, at: int) -> bytes:
    if data.find(b"\n", at, at + _MAX_SIZE_LINE_BYTES) >= 0 or len(data) - at >= _MAX_SIZE_LINE_BYTES:
        raise NotHTTP("a chunk without a size")
    return data[at:]
