"""Compressed bodies: undone in bounded pieces, refused where broken."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.transport.http1.failures import Undecodable
from adapters.providers.transport.http1.inflate import Inflater, needs_inflating

TEXT = b"A model's words. " * 3000


def _bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT[:100]) + gzip.compress(b"") + gzip.compress(TEXT[100:]),
    "deflate": zlib.compress(TEXT),
    " Deflate": _bare(TEXT),
}


def _inflated(coding: str, pieces: list[bytes], max_bytes: int) -> bytes:
    inflater = Inflater(coding)
    blocks = []
    for piece in pieces:
        blocks.append(inflater.feed(piece, max_bytes))
        while inflater.has_more:
            blocks.append(inflater.feed(b"", max_bytes))
    inflater.finish()

    assert max(map(len, blocks)) <= max_bytes
    return b"".join(blocks)


@pytest.mark.parametrize("coding", PACKED)
@given(st.integers(1, 400), st.integers(1, 60_000))
def test_any_cut_and_any_bound_give_the_same(coding: str, step: int, max_bytes: int) -> None:
    """Gzip of one or more members, deflate with and without its wrapping."""
    packed = PACKED[coding]
    pieces = [packed[at : at + step] for at in range(0, len(packed), step)]

    assert TEXT == _inflated(coding, pieces, max(max_bytes, 64))


def test_an_empty_body_is_empty_in_any_coding() -> None:
    """Some proxies name a coding on answers without a body."""
    inflater = Inflater("gzip")
    inflater.finish()

    assert b"" == inflater.feed(b"", 100)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("data", [b"no such thing", TEXT])
def test_other_bytes_do_not_decompress(coding: str, data: bytes) -> None:
    """The header promised what the body does not keep."""
    with pytest.raises(Undecodable):
        Inflater(coding).feed(data, 100_000)


@pytest.mark.parametrize("coding", PACKED)
def test_a_cut_is_noticed(coding: str) -> None:
    """The framing was whole, the compressed data is not."""
    inflater = Inflater(coding)
    inflater.feed(PACKED[coding][:-1], 100_000)
    with pytest.raises(Undecodable):
        inflater.finish()


def test_garbage_after_the_end() -> None:
    """Neither another gzip member nor anything else."""
    for coding in ("gzip", "deflate"):
        with pytest.raises(Undecodable):
            Inflater(coding).feed(PACKED[coding] + b"garbage", 100_000)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_unknown_codings(coding: str) -> None:
    """We ask for identity; what we can't undo is no answer."""
    with pytest.raises(Undecodable):
        Inflater(coding)


def test_identity_needs_nothing() -> None:
    """Nor does an absent header."""
    assert [False, False, False, True] == [
        needs_inflating(coding) for coding in (None, "", " Identity", "gzip")
    ]
