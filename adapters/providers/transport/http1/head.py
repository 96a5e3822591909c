"""The head of a response: status line, header fields and what they say about the body. Pure.

RFC 9112, sections 2 to 6. Strict where leniency would let two readers of one connection disagree about where an
answer ends: no folded lines, no bare line feeds, no blanks before a colon, no odd lengths.
"""

import re
from typing import Final, Literal, TypeAlias

from adapters.providers.transport.http1.failures import NotHTTP
from domain.values import frozen

MAX_LINE_BYTES: Final = 8190
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_FIELDS: Final = 128

Framing: TypeAlias = Literal["length", "chunked", "until_close"]

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
FIELD_LINES: Final = re.compile(rb"(?:" + _TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+")
"""Any number of header fields, each with its line end (RFC 9110, section 5.6.2: token)."""

_FIELD_LINE: Final = re.compile(_TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*+)?\r\n")
_START: Final = b"HTTP/1."
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_BODILESS: Final = frozenset((204, 304))


@frozen
class ResponseHead:
    status: int
    fields: dict[str, str]
    """By lower-case name; the first value of each."""
    framing: Framing
    length: int
    """Bytes of the body where the framing is `length`, else 0."""
    keeps_alive: bool
    """The connection may carry another request once the body has ended."""


def find_end(received: bytes | bytearray, scanned: int) -> int:
    """Where the blank line ends, or -1 while it has not come; `scanned` bytes were looked at before.

    Raises:
        NotHTTP: it can't become a head any more: wrong first bytes, or too long.
    """
    end = received.find(b"\r\n\r\n", scanned - 3 if scanned > 3 else 0)
    if end >= 0:
        if end + 4 > MAX_HEAD_BYTES:
            raise NotHTTP("the head is too long")
        return end + 4
    size = len(received)
    if received[:7] != _START[:size]:
        raise NotHTTP("no status line")
    if size > MAX_LINE_BYTES and (
        size > MAX_HEAD_BYTES or size - received.rfind(b"\r\n") - 2 > MAX_LINE_BYTES
    ):
        raise NotHTTP("the head is too long")
    return -1


def parse_head(head: bytes) -> ResponseHead:
    """Parses a head from the status line up to and with the blank line.

    Raises:
        NotHTTP: it breaks a rule or a limit.
    """
    status_line = _STATUS_LINE.match(head)
    if status_line is None:
        raise NotHTTP("no status line")
    begin = status_line.end()
    status = int(status_line[2])
    fields: dict[str, str] = {}
    repeated: list[tuple[str, str]] = []
    lines = head[begin:-4].split(b"\r\n") if len(head) > begin + 2 else []
    if len(lines) > MAX_FIELDS:
        raise NotHTTP("too many header fields")
    if len(head) > MAX_LINE_BYTES and (begin > MAX_LINE_BYTES or max(map(len, lines)) > MAX_LINE_BYTES):
        raise NotHTTP("a line of the head is too long")
    for line in lines:
        name, value = _KNOWN.get(line) or _field(line)
        if name in fields:
            repeated.append((name, value))
        else:
            fields[name] = value
    framing, length = _framing(status, fields, repeated)
    # A length beside a transfer coding, or a coding in HTTP/1.0, was refused or ends the connection (section 6.1).
    minor = status_line[1]
    keeps_alive = framing != "until_close" and _keeps_alive(minor, fields, repeated)
    if minor == b"0" and "transfer-encoding" in fields:
        keeps_alive = False
    return ResponseHead(status, fields, framing, length, keeps_alive)


_KNOWN: Final[dict[bytes, tuple[str, str]]] = {}
"""Lines that came before, as nearly all of an answer's did, taken apart."""
_MAX_KNOWN: Final = 512
_MAX_KNOWN_BYTES: Final = 128
"""Of a line that is kept: what is longer seldom comes twice."""


def _field(line: bytes) -> tuple[str, str]:
    """The name, in lower case, and the value."""
    if _FIELD_LINE.fullmatch(line) is None:
        raise NotHTTP("a header field breaks the rules")
    name, _, value = line.decode("latin-1").partition(":")
    field = (name.lower(), value.strip(" \t"))
    if len(line) <= _MAX_KNOWN_BYTES:
        if len(_KNOWN) >= _MAX_KNOWN:
            _KNOWN.clear()
        _KNOWN[line] = field
    return field


def _framing(status: int, fields: dict[str, str], repeated: list[tuple[str, str]]) -> tuple[Framing, int]:
    """How the end of the body is told (section 6.3)."""
    length = fields.get("content-length")
    coding = fields.get("transfer-encoding")
    if coding is not None:
        if length is not None:
            raise NotHTTP("both a length and a transfer coding")
        if coding.lower() != "chunked" or any(name == "transfer-encoding" for name, _ in repeated):
            raise NotHTTP("a transfer coding other than chunked")
    if length is not None:
        if _LENGTH.fullmatch(length) is None:
            raise NotHTTP("the length is not a number")
        if repeated and any(name == "content-length" and value != length for name, value in repeated):
            raise NotHTTP("lengths that differ")
    if status < 200 or status in _BODILESS:
        return "length", 0
    if coding is not None:
        return "chunked", 0
    if length is not None:
        return "length", int(length)
    return "until_close", 0


def _keeps_alive(minor: bytes, fields: dict[str, str], repeated: list[tuple[str, str]]) -> bool:
    """Section 9.3."""
    value = fields.get("connection")
    if value is None or (not repeated and value.lower() == "keep-alive"):
        return minor == b"1" or value is not None
    values = [value, *(other for name, other in repeated if name == "connection")]
    options = {option.strip(" \t").lower() for option in ",".join(values).split(",")}
    if "close" in options:
        return False
    return minor == b"1" or "keep-alive" in options
