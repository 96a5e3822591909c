"""Framing of Server-Sent Events."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.sse import MAX_FRAME_BYTES, SSEParser
from domain.errors import ProviderFailure

REFERENCE = (
    b"\xef\xbb\xbf: a comment\n\n"
    b'data: {"a": 1}\n\n'
    b"data:no space\r\n\r\n"
    b"event: x\rdata: first\rdata: second\r\r"
    b"data:  two spaces\n\n\n"
    b"id: 7\nretry: 10\ndata\ndata: after an empty line\n\n"
    + 'data: "ünïcödé 😀"\r\n\n'.encode()
    + b"data: x\n\ndata: y\n\ndata: z\n\n: ping\n\nevent: only a name\n\n"
    b"data: a: b\nfoo: ignored\n\ndata: [DONE]\n\n"
)
FRAMES = [
    b'{"a": 1}',
    b"no space",
    b"first\nsecond",
    b" two spaces",
    b"\nafter an empty line",
    '"ünïcödé 😀"'.encode(),
    b"x",
    b"y",
    b"z",
    b"a: b",
    b"[DONE]",
]


def _frames(blocks: list[bytes]) -> list[bytes]:
    parser = SSEParser()
    found = [frame for block in blocks for frame in parser.feed(block)]
    return found + parser.close()


def test_one_block_gives_all_frames() -> None:
    """Every form the standard allows is understood."""
    assert _frames([REFERENCE]) == FRAMES


def test_single_bytes_give_the_same_frames() -> None:
    """The smallest blocks there are."""
    assert _frames([REFERENCE[at : at + 1] for at in range(len(REFERENCE))]) == FRAMES


@given(st.sets(st.integers(min_value=0, max_value=len(REFERENCE))))
def test_any_split_gives_the_same_frames(cuts: set[int]) -> None:
    """Where the network cuts the stream does not matter, empty blocks included."""
    edges = [0, *sorted(cuts), len(REFERENCE)]
    blocks = [REFERENCE[begin:end] for begin, end in itertools.pairwise(edges)]

    assert _frames(blocks) == FRAMES


@given(
    st.lists(
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n")).filter(bool), max_size=20
    ),
    st.integers(min_value=1, max_value=50),
    st.sampled_from(["\n", "\r", "\r\n"]),
)
def test_any_text_survives(texts: list[str], step: int, end: str) -> None:
    """What was sent as data comes out, byte for byte."""
    stream = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    blocks = [stream[at : at + step] for at in range(0, len(stream), step)]

    assert [text.encode() for text in texts] == _frames(blocks)


def test_an_unfinished_frame_comes_out_at_the_end() -> None:
    """A server that forgets the last empty line loses nothing."""
    parser = SSEParser()

    assert parser.feed(b"data: whole") == []
    assert parser.close() == [b"whole"]
    assert parser.close() == []


def test_a_line_of_a_megabyte_passes() -> None:
    """Frames are bounded by the cap alone, not by a reader's line limit."""
    line = b"x" * 1_000_000
    blocks = [b"data: ", *(line[at : at + 1000] for at in range(0, len(line), 1000)), b"\n", b"\n"]

    assert [line] == _frames(blocks)


@pytest.mark.parametrize("block", [b"x" * 65536, b"data: " + b"x" * 65530 + b"\n", b": " + b"x" * 65536])
def test_endless_frames_are_refused(block: bytes) -> None:
    """Neither a line nor the data lines of one frame may grow without end."""
    parser = SSEParser()

    def feed() -> None:
        for _ in range(MAX_FRAME_BYTES // 65536 + 2):
            parser.feed(block)

    with pytest.raises(ProviderFailure) as caught:
        feed()

    assert caught.value.kind == "too_large"
