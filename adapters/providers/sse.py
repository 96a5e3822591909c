"""Framing of Server-Sent Events (WHATWG HTML, section 9.2.6): bytes in, the data of each event out.

Event names and ids are dropped: both wires that lor3 speaks repeat them in the JSON.
"""

from typing import Final

from domain.errors import ProviderFailure

MAX_FRAME_BYTES: Final = 8 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"


class SSEParser:
    """Cuts a stream into events, however it is split into blocks. Byte-exact: nothing is decoded here."""

    __slots__ = ("_at_start", "_data", "_data_bytes", "_partial", "_partial_bytes", "_skip_lf")

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        """The pieces of a line whose end has not come."""
        self._partial_bytes = 0
        self._data: list[bytes] = []
        """The data lines of an event whose end has not come."""
        self._data_bytes = 0
        self._skip_lf = False
        """The last block ended in CR: an LF that follows belongs to it."""
        self._at_start = True
        """A byte order mark may still come."""

    def feed(self, block: bytes) -> list[bytes]:
        """The data of each event that `block` ends, in order.

        Raises:
            ProviderFailure: `too_large`, an event or a line above 8 MiB.
        """
        if self._skip_lf and block:
            self._skip_lf = False
            if block[0] == 10:
                block = block[1:]
        if b"\r" in block:
            self._skip_lf = block.endswith(b"\r")
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        out: list[bytes] = []
        if not block:
            return out
        if self._at_start and not self._partial and block[0] != _BOM[0]:
            self._at_start = False
        if not (self._partial or self._data or self._at_start):
            if block.startswith(b"data: ") and block.endswith(b"\n\n") and block.count(b"\n") == 2:
                return [block[6:-2]]  # one event: what a stream mostly comes in
            # Whole events from here on: no copying between blocks, one split for all of them.
            end = block.rfind(b"\n\n")
            if end >= 0:
                self._whole(block[: end + 1].split(b"\n"), out)
                block = block[end + 2 :]
                if not block:
                    return out
        lines = block.split(b"\n")
        last = lines.pop()
        if lines:
            if self._partial:
                self._partial.append(lines[0])
                lines[0] = b"".join(self._partial)
                self._partial.clear()
                self._partial_bytes = 0
            for line in lines:
                self._line(line, out)
        if last:
            self._partial.append(last)
            self._partial_bytes += len(last)
            if self._partial_bytes > MAX_FRAME_BYTES:
                raise _too_large()
        return out

    def close(self) -> list[bytes]:
        """What the stream ended inside of. The standard drops it; some servers forget the last empty line, and
        whether such data is whole shows when it is parsed as JSON."""
        out: list[bytes] = []
        if self._partial:
            line = b"".join(self._partial)
            self._partial.clear()
            self._line(line, out)
        self._line(b"", out)
        return out

    def _whole(self, lines: list[bytes], out: list[bytes]) -> None:
        """Whole events, each line of them; looked at in bulk where all are of one of the two usual shapes."""
        if not any(lines[1::2]):
            data = [line[6:] for line in lines[::2] if line.startswith(b"data: ")]
            if 2 * len(data) == len(lines):
                out += data
                return
        elif not any(lines[2::3]):
            data = [line[6:] for line in lines[1::3] if line.startswith(b"data: ")]
            if 3 * len(data) == len(lines) and all(line.startswith(b"event:") for line in lines[::3]):
                out += data
                return
        for line in lines:
            self._line(line, out)

    def _line(self, line: bytes, out: list[bytes]) -> None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                out.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
                self._data_bytes = 0
        elif line.startswith(b"data:"):
            value = line[6:] if line.startswith(b"data: ") else line[5:]
            self._data.append(value)
            self._data_bytes += len(value) + 1
            if self._data_bytes > MAX_FRAME_BYTES:
                raise _too_large()
        elif line == b"data":
            self._data.append(b"")
            self._data_bytes += 1
            if self._data_bytes > MAX_FRAME_BYTES:
                raise _too_large()


def _too_large() -> ProviderFailure:
    return ProviderFailure("too_large", "one event of the provider's stream is larger than 8 MiB")
