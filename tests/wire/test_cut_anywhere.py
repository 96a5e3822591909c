"""A cut answer is never presented as complete: both wires' reference streams, cut at every byte."""

import pytest

from adapters.providers.anthropic.wire import AnthropicCodec
from adapters.providers.http_provider import Codec
from adapters.providers.openai.wire import OpenAICodec
from adapters.providers.sse import SSEParser
from domain.chat import AnswerFinished, ProviderEvent
from domain.errors import ProviderFailure
from tests.support import wire_upstream as wire

TEXT = "Whole, and nothing but the whole. 😀"


def _decode(codec: Codec, stream: bytes) -> list[ProviderEvent]:
    parser, decoder = SSEParser(), codec.decoder()
    events: list[ProviderEvent] = []
    for data in (*parser.feed(stream), *parser.close()):
        events += decoder.feed(data)
    return events + decoder.end()


@pytest.mark.parametrize(
    ("codec", "frames", "mark"),
    [
        (OpenAICodec(), wire.openai_frames(TEXT), b'"finish_reason": "stop"'),
        (AnthropicCodec(), wire.anthropic_frames(TEXT), b'"stop_reason": "end_turn"'),
    ],
    ids=["openai", "anthropic"],
)
def test_a_stream_cut_before_its_finish_reason_is_never_finished(
    codec: Codec, frames: list[bytes], mark: bytes
) -> None:
    """And one cut after the frame that holds it always is."""
    stream = b"".join(frames)
    holder = stream.index(mark)
    whole_from = stream.index(b"\n\n", holder)

    finished = [
        any(isinstance(event, AnswerFinished) for event in _decode(codec, stream[:cut]))
        for cut in range(len(stream) + 1)
    ]

    assert [cut >= whole_from for cut in range(len(stream) + 1)] == finished


@pytest.mark.parametrize(
    ("codec", "answer"),
    [(OpenAICodec(), wire.openai_answer(TEXT)), (AnthropicCodec(), wire.anthropic_answer(TEXT))],
    ids=["openai", "anthropic"],
)
def test_a_whole_answer_cut_anywhere_is_a_bad_body(codec: Codec, answer: dict[str, object]) -> None:
    """Half a JSON is never read as an answer."""
    body = wire.as_json(answer)

    for cut in range(len(body)):
        with pytest.raises(ProviderFailure) as caught:
            codec.decode(body[:cut])
        assert caught.value.kind == "bad_body"
