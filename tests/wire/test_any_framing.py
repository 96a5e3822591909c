"""Row 43 of docs/faults.md: however a stream is framed and cut into blocks, its text comes out byte for byte."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.anthropic.wire import AnthropicCodec
from adapters.providers.http_provider import Codec
from adapters.providers.openai.wire import OpenAICodec
from adapters.providers.sse import SSEParser
from domain.chat import AnswerFinished, ProviderEvent, TextDelta, UsageReported
from domain.clean_text import clean
from tests.support import wire_upstream as wire

TEXT = "Größe 😀\u2028\n\n data: [DONE]\r\n\x00 end"


@attrs.frozen(kw_only=True)
class Framing:
    """One of the ways that the standard allows (WHATWG HTML, section 9.2.6)."""

    end: str = "\n"
    """Of a line."""
    bom: bool = False
    space: bool = True
    """After `data:`."""
    compact: bool = True
    """JSON without white space, as vendors write it."""
    ascii: bool = False
    """JSON with all else escaped."""
    lines: bool = False
    """JSON over many lines, each its own `data`."""
    noise: bool = False
    """Comments, ids and unknown fields around each frame."""

    def write(self, values: Iterable[Any]) -> bytes:
        out: list[str] = []
        for value in values:
            if self.noise:
                out += [": ping", "", "id: 7", "foo", "retry: 10"]
            if isinstance(value, dict) and "type" in value:
                out.append(f"event: {value['type']}")
            data = "data: " if self.space else "data:"
            out += [data + line for line in self._json(value).split("\n")]
            out += ["unknown: field", ""] if self.noise else [""]
        stream = "".join(line + self.end for line in out).encode()
        return b"\xef\xbb\xbf" + stream if self.bom else stream

    def _json(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        separators = (",", ":") if self.compact else None
        return json.dumps(
            value,
            ensure_ascii=self.ascii,
            separators=separators,
            indent=1 if self.lines else None,
        )


FRAMINGS = st.builds(
    Framing,
    end=st.sampled_from(["\n", "\r", "\r\n"]),
    bom=st.booleans(),
    space=st.booleans(),
    compact=st.booleans(),
    ascii=st.booleans(),
    lines=st.booleans(),
    noise=st.booleans(),
)
REFERENCE = [
    Framing(),
    Framing(end="\r\n", noise=True),
    Framing(bom=True),
    Framing(end="\r", space=False, lines=True, compact=False),
]
CODECS = pytest.mark.parametrize("codec", [OpenAICodec(), AnthropicCodec()], ids=["openai", "anthropic"])


def values_of(codec: Codec, texts: Iterable[str]) -> list[Any]:
    """The data of a whole stream that says `texts`, one in each frame."""
    is_openai = isinstance(codec, OpenAICodec)
    frames = wire.openai_frames("") if is_openai else wire.anthropic_frames("")
    data = [frame.decode().partition("data: ")[2].strip() for frame in frames]
    values = [each if each == "[DONE]" else json.loads(each) for each in data]
    if is_openai:
        said = [json.loads(wire.openai_chunk({"content": text})[6:]) for text in texts]
        return [*said, *values[1:]]  # no role first, so that losing the first frame would show
    said = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in texts
    ]
    return [*values[:3], *said, *values[3:]]


def decoded(codec: Codec, blocks: Iterable[bytes]) -> tuple[str, list[ProviderEvent]]:
    """The text, and what came after it."""
    parser, decoder = SSEParser(), codec.decoder()
    events = [
        event for block in blocks for data in parser.feed(block) for event in decoder.feed(data)
    ] + decoder.end()
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    # Anthropic tells the prompt's tokens before the text already.
    counted = [event for event in events if isinstance(event, UsageReported | AnswerFinished)]
    return text, [*counted[-2:]]


ENDING = [UsageReported(input_tokens=9, output_tokens=3), AnswerFinished(reason="stop")]


@CODECS
@pytest.mark.parametrize("framing", REFERENCE, ids=["plain", "crlf", "bom", "cr"])
def test_reference_streams_survive_every_cut(codec: Codec, framing: Framing) -> None:
    """In two at every byte, inside characters and line ends too, and in single bytes."""
    stream = framing.write(values_of(codec, [TEXT, TEXT]))
    whole = (clean(TEXT) * 2, ENDING)

    assert decoded(codec, [stream[at : at + 1] for at in range(len(stream))]) == whole
    for cut in range(len(stream)):
        assert decoded(codec, [stream[:cut], stream[cut:]]) == whole


@CODECS
@given(
    texts=st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=12), max_size=8),
    framing=FRAMINGS,
    cuts=st.sets(st.integers(min_value=0, max_value=4000), max_size=12),
)
def test_any_text_survives_any_framing(
    codec: Codec, texts: list[str], framing: Framing, cuts: set[int]
) -> None:
    """What the model said, no byte more or less, and the counts and the finish after it."""
    stream = framing.write(values_of(codec, texts))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    blocks = [stream[begin:end] for begin, end in itertools.pairwise(edges)]

    assert (clean("".join(texts)), ENDING) == decoded(codec, blocks)
