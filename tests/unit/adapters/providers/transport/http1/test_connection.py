"""A response means the same however the network cuts it."""

import asyncio
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.transport.http1.answer import HTTPAnswer
from adapters.providers.transport.http1.connection import Connection
from domain.errors import ProviderFailure


class _Wire(asyncio.Transport):
    """The far end of a connection, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@attrs.define
class _Home:
    freed_connections: int = 0

    def opened(self, connection: Connection) -> None:
        pass

    def freed(self, connection: Connection) -> None:
        self.freed_connections += 1

    def lost(self, connection: Connection) -> None:
        pass


@attrs.frozen
class _Outcome:
    status: int | None
    fields: tuple[str | None, str | None]
    body: bytes
    failure: str | None
    is_reusable: bool


async def _outcome(pieces: list[bytes], *, by_block: bool) -> _Outcome:
    """What one call sees when these pieces come and then the connection ends."""
    home, wire = _Home(), _Wire()
    connection = Connection(home)
    connection.connection_made(wire)
    call = asyncio.ensure_future(connection.exchange(b"request"))
    await asyncio.sleep(0)
    for piece in pieces:
        if not wire.aborted:
            connection.data_received(piece)
    is_reusable = not wire.aborted and home.freed_connections == 1
    if not wire.aborted:
        connection.eof_received()
    connection.connection_lost(None)
    try:
        answer: HTTPAnswer = await call
    except ProviderFailure as failure:
        return _Outcome(None, (None, None), b"", failure.kind, is_reusable)
    body, kind = b"", None
    try:
        if by_block:
            while block := await answer.block():
                body += block
        else:
            body = await answer.read()
    except ProviderFailure as failure:
        kind = failure.kind
    fields = (answer.header("X-Name"), answer.header("missing"))
    return _Outcome(answer.status, fields, body, kind, is_reusable)


BODY = b"data: a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n0\r\n\r\n"
CHUNKS = b"".join(b"%x;x=y\r\n%b\r\n" % (len(part), part) for part in (BODY[:1], BODY[1:20], BODY[20:]))
HEAD = b"HTTP/1.1 200 OK\r\nX-Name: value\r\n"
RESPONSES: dict[str, tuple[bytes, str | None, bool]] = {
    # what comes, the failure, whether the connection may be used again
    "length": (HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY, None, True),
    "chunked": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"0\r\nA: b\r\n\r\n", None, True),
    "until close": (HEAD + b"\r\n" + BODY, None, False),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nX-Name: other\r\n\r\n"
        + HEAD
        + b"Content-Length: %d\r\n\r\n" % len(BODY)
        + BODY,
        None,
        True,
    ),
    "surplus": (HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY + b"more", None, False),
    "short": (HEAD + b"Content-Length: 999\r\n\r\n" + BODY, "connection_lost", False),
    "no last chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS, "connection_lost", False),
    "bad chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"zz\r\n", "bad_body", False),
}


@pytest.mark.parametrize("name", RESPONSES)
@given(data=st.data())
def test_any_cut_gives_the_same_answer(name: str, data: st.DataObject) -> None:
    """Status, headers, body or failure; whole or block by block."""
    wire, kind, is_reusable = RESPONSES[name]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(wire) - 1))))
    pieces = [wire[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    by_block = data.draw(st.booleans())
    outcome = asyncio.run(_outcome(pieces, by_block=by_block))

    assert (200, ("value", None), kind) == (outcome.status, outcome.fields, outcome.failure)
    assert BODY.startswith(outcome.body)
    if kind != "bad_body" and (by_block or kind is None):  # with a broken chunk, what came along is dropped
        assert BODY == outcome.body
    if name != "surplus":  # seen while idle, it ends the connection as well, but after it was freed
        assert is_reusable is outcome.is_reusable


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_cut_off_anywhere_is_never_whole(name: str) -> None:
    """Unless all that was cut off is surplus, or the end of the connection is what ends the body."""
    wire = RESPONSES[name][0]
    body_begins = wire.rindex(b"\r\n", 0, wire.index(BODY[:6])) if name == "until close" else len(wire)
    for end in range(len(wire) - (4 if name == "surplus" else 0)):
        if end > body_begins:
            break
        outcome = asyncio.run(_outcome([wire[:end]] if end else [], by_block=False))

        assert outcome.failure is not None
        assert not outcome.is_reusable


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_end_in_an_answer_or_a_failure(noise: bytes, begins_well: bool) -> None:
    """Nothing else gets out of the parser."""
    start = b"HTTP/1.1 200 OK\r\n" if begins_well else b""
    outcome = asyncio.run(_outcome([start + noise] if start + noise else [], by_block=False))

    assert outcome.status in (None, 200) or outcome.failure is None
