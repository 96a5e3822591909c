"""Bodies: whole however they are cut, and refused where their ends are in doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.transport.http1.body import Body, ChunkedBody, LengthBody, UntilCloseBody
from adapters.providers.transport.http1.failures import NotHTTP


def _feed(body: Body, pieces: list[bytes]) -> bytes:
    content = b""
    for piece in pieces:
        assert not body.has_ended
        content += body.feed(piece)
    return content


def test_a_length_is_kept_to_the_byte() -> None:
    """What comes after it is told, not given out."""
    body = LengthBody(5)

    assert b"abc" == body.feed(b"abc")
    assert not body.end_of_connection()
    assert b"de" == body.feed(b"deXY")
    assert (True, True) == (body.has_ended, body.surplus)
    assert LengthBody(0).has_ended


def test_a_body_until_the_end_of_the_connection_ends_only_there() -> None:
    """A clean end makes it whole."""
    body = UntilCloseBody()

    assert b"abc" == body.feed(b"abc")
    assert not body.has_ended
    assert body.end_of_connection()
    assert body.has_ended


@given(st.lists(st.binary(min_size=1, max_size=40)), st.data())
def test_chunks_are_joined_however_they_are_cut(chunks: list[bytes], data: st.DataObject) -> None:
    """Chunk sizes in either case, extensions, trailers; the cuts fall anywhere."""
    extension = data.draw(st.sampled_from([b"", b";a=b", b' ; a="b;c"', b"  "]))
    trailers = data.draw(st.sampled_from([b"", b"X: y\r\n", b"X: y\r\nZ:\r\n"]))
    size = data.draw(st.sampled_from([b"%x", b"%X", b"000%x"]))
    wire = b"".join(size % len(chunk) + extension + b"\r\n" + chunk + b"\r\n" for chunk in chunks)
    wire += b"0\r\n" + trailers + b"\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(wire) - 1))))
    pieces = [wire[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    body = ChunkedBody()

    assert b"".join(chunks) == _feed(body, pieces)
    assert (True, False) == (body.has_ended, body.surplus)


def test_content_is_given_out_before_its_chunk_is_whole() -> None:
    """A model's words shall not wait for the rest of a large chunk."""
    body = ChunkedBody()

    assert b"abc" == body.feed(b"a\r\nabc")
    assert b"def" == body.feed(b"def")


def test_bytes_after_the_last_chunk_are_surplus() -> None:
    """They are no part of the answer."""
    body = ChunkedBody()

    assert b"" == body.feed(b"0\r\n\r\nHTTP/1.1 200 OK")
    assert (True, True) == (body.has_ended, body.surplus)


@pytest.mark.parametrize(
    "wire",
    [
        b"zz\r\n",
        b"-1\r\na",
        b"+1\r\na",
        b"0x1\r\na\r\n",
        b"1_0\r\n",
        b" 1\r\na\r\n",
        b"\r\n",
        b";x\r\n",
        b"1\na\r\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"1\r\na\n\n0\r\n\r\n",
        b"1\r\na\rX",
        b"2\r\na\r\n0\r\n\r\n",
        b"f" * 16 + b"\r\n",
        b"1;a\x00\r\na\r\n",
        b"1;" + b"x" * 2000,
        b"1" * 2000,
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n folded: x\r\n\r\n",
        b"0\r\nX: a\nb\r\n\r\n",
        b"0\r\nX: " + b"x" * 9000,
        b"0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    ],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_chunks_that_break_the_rules(wire: bytes, step: int) -> None:
    """However they are cut."""
    with pytest.raises(NotHTTP):
        _feed(ChunkedBody(), [wire[at : at + step] for at in range(0, len(wire), step)])
