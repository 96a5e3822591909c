"""Undoes gzip and deflate, a bounded piece at a time. Pure.

We ask for `identity`, yet some proxies compress whatever they pass on.
"""

import zlib
from typing import Final

from adapters.providers.transport.http1.failures import Undecodable

_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB: Final = zlib.MAX_WBITS
_RAW_DEFLATE: Final = -zlib.MAX_WBITS


def needs_inflating(coding: str | None) -> bool:
    """Whether a Content-Encoding changes the bytes at all."""
    return coding is not None and coding.strip().lower() not in ("", "identity")


class Inflater:
    """One compressed body.

    Raises (the methods):
        Undecodable: the coding is unknown, or the bytes are not of it.
    """

    __slots__ = ("_gzip", "_held_back", "_inside", "_waiting", "_zlib")

    def __init__(self, coding: str) -> None:
        name = coding.strip().lower()
        if name not in ("gzip", "x-gzip", "deflate"):
            raise Undecodable("no decoder for this content coding; have: gzip, deflate")
        self._gzip = name != "deflate"
        self._zlib = zlib.decompressobj(_GZIP) if self._gzip else None
        self._inside = False
        self._held_back = False
        self._waiting = b""

    @property
    def has_more(self) -> bool:
        """The last bound kept something back."""
        return self._held_back

    def feed(self, data: bytes, max_bytes: int) -> bytes:
        """At most `max_bytes` decompressed; what that keeps back comes with the next call."""
        data = self._waiting + data if self._waiting else data
        pieces: list[bytes] = []
        room = max_bytes
        while room > 0 and (data or self._held_back):
            self._held_back = False
            if self._zlib is None:
                # Deflate should be in zlib's wrapping (RFC 9110, section 8.4.1.2); some send it bare.
                if len(data) < 2:
                    break
                wrapped = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
                self._zlib = zlib.decompressobj(_ZLIB if wrapped else _RAW_DEFLATE)
            self._inside = True
            try:
                piece = self._zlib.decompress(data, room)
            except zlib.error as exc:
                raise Undecodable("broken compressed data") from exc
            pieces.append(piece)
            room -= len(piece)
            data = self._zlib.unconsumed_tail
            if self._zlib.eof:
                self._inside = False
                data = self._zlib.unused_data
                if data and not self._gzip:
                    raise Undecodable("data after the end of the compressed data")
                if data or self._gzip:  # gzip members may follow one another (RFC 1952, section 2.2)
                    self._zlib = zlib.decompressobj(_GZIP)
        self._waiting = data
        # zlib may have taken in all the input and still hold output of it.
        self._held_back = room == 0 and (self._inside or bool(data))
        return b"".join(pieces)

    def finish(self) -> None:
        """The body has ended; what is missing now is missing for good."""
        if self._inside or self._waiting:
            raise Undecodable("the compressed data was cut short")
