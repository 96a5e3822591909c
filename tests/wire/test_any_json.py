"""Whatever JSON a vendor sends, only domain events or a ProviderFailure come out."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.anthropic.wire import AnthropicCodec
from adapters.providers.failure_words import no_header
from adapters.providers.http_provider import Codec
from adapters.providers.openai.wire import OpenAICodec
from domain.chat import AnswerFinished, AnswerStarted, TextDelta, ToolCallDelta, UsageReported
from domain.errors import ProviderFailure
from tests.support import wire_upstream as wire

EVENTS = (AnswerStarted, TextDelta, ToolCallDelta, UsageReported, AnswerFinished)
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "text", "id", "code", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
OPENAI = [
    wire.openai_answer("x"),
    wire.openai_answer(
        None,
        choices=[
            {
                "index": 0,
                "message": {"content": [{"text": "x"}], "refusal": "r", "tool_calls": [CALL]},
                "finish_reason": "x",
            }
        ],
        usage={"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 1}},
    ),
    json.loads(wire.openai_chunk({"content": "x", "refusal": "r", "tool_calls": [CALL]}, "stop")[6:]),
    {"error": {"message": "m", "type": "server_error", "param": "model", "code": "x"}},
]
ANTHROPIC = [
    wire.anthropic_answer("x"),
    wire.anthropic_answer("", content=[{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]),
    {"type": "error", "error": {"type": "api_error", "message": "m"}},
    *(json.loads(frame.partition(b"data: ")[2]) for frame in wire.anthropic_frames("abc")),
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{"}},
    {"type": "content_block_stop", "index": 1},
]


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside `value`, itself included."""
    found = [at]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _places(inner, (*at, key))
    return found


def _replaced(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    copied = copy.deepcopy(value)
    inside = copied
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = odd
    return copied


def _check(codec: Codec, values: list[Any]) -> None:
    decoder = codec.decoder()
    for value in values:
        data = wire.as_json(value)
        try:
            assert all(isinstance(event, EVENTS) for event in codec.decode(data))
        except ProviderFailure:
            pass  # one of the two things that may come out
        try:
            assert all(isinstance(event, EVENTS) for event in decoder.feed(data))
        except ProviderFailure:
            pass  # one of the two things that may come out
        for status in (400, 429, 500):
            assert isinstance(codec.failure(status, no_header, data), ProviderFailure)
    assert all(isinstance(event, EVENTS) for event in decoder.end())


@pytest.mark.parametrize(("codec", "messages"), [(OpenAICodec(), OPENAI), (AnthropicCodec(), ANTHROPIC)])
@given(data=st.data())
def test_one_odd_value_anywhere(codec: Codec, messages: list[Any], data: st.DataObject) -> None:
    """Each field of each message may hold any JSON at all."""
    number = data.draw(st.integers(min_value=0, max_value=len(messages) - 1))
    place = data.draw(st.sampled_from(_places(messages[number])))
    changed = list(messages)
    changed[number] = _replaced(messages[number], place, data.draw(ODD))

    _check(codec, changed)


@pytest.mark.parametrize("odd", [[], {}, None, 0, 1.5, "x", True])
@pytest.mark.parametrize(("codec", "messages"), [(OpenAICodec(), OPENAI), (AnthropicCodec(), ANTHROPIC)])
def test_each_kind_of_value_at_each_place(codec: Codec, messages: list[Any], odd: Any) -> None:
    """The same, without chance."""
    for number, message in enumerate(messages):
        for place in _places(message):
            _check(codec, [*messages[:number], _replaced(message, place, odd), *messages[number + 1 :]])
