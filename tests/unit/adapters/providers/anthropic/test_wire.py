"""Decoding Anthropic's wire: whole answers, streams and everything that is wrong with them."""

import json
from typing import Any

import pytest

from adapters.providers.anthropic.wire import AnthropicCodec
from domain.chat import (
    AnswerFinished,
    AnswerStarted,
    ProviderEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from domain.errors import ProviderFailure
from tests.support.wire_upstream import anthropic_answer, anthropic_event, anthropic_frames

CODEC = AnthropicCodec()
STARTED = AnswerStarted(response_id="msg_1", model="m-1-2026")
USED = UsageReported(input_tokens=9, output_tokens=3)
SENT = UsageReported(input_tokens=9)
"""What message_start tells: the prompt's tokens; its `output_tokens` is a placeholder."""
START = anthropic_event(
    "message_start", message=anthropic_answer("", content=[], usage={"input_tokens": 9, "output_tokens": 1})
)
STOP = (
    anthropic_event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3}),
    anthropic_event("message_stop"),
)


def _decode(answer: Any) -> list[ProviderEvent]:
    return CODEC.decode(json.dumps(answer).encode())


def _text_start(index: int = 0, text: str = "") -> bytes:
    return anthropic_event("content_block_start", index=index, content_block={"type": "text", "text": text})


def _text(text: str, index: int = 0) -> bytes:
    return anthropic_event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})


def _stream(*frames: bytes) -> list[ProviderEvent]:
    decoder = CODEC.decoder()
    events: list[ProviderEvent] = []
    for frame in frames:
        events += decoder.feed(frame.partition(b"data: ")[2].strip())
        if decoder.is_closed:
            break
    return events + decoder.end()


def test_a_whole_answer() -> None:
    """Text, usage, finish."""
    assert [STARTED, TextDelta("Hi"), USED, AnswerFinished(reason="stop")] == _decode(anthropic_answer("Hi"))


def test_an_empty_answer_is_valid() -> None:
    """Fault row 29: `content: []` with `end_turn`."""
    assert [STARTED, USED, AnswerFinished(reason="stop")] == _decode(anthropic_answer("", content=[]))


def test_tool_use_and_unknown_blocks() -> None:
    """Fault row 30."""
    content = [
        {"type": "thinking", "thinking": "…", "signature": "s"},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": "ü"}},
        {"type": "novelty"},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
        None,
    ]

    assert [
        STARTED,
        TextDelta("Let me see."),
        ToolCallDelta(index=0, id="t1", name="f", arguments='{"a":"ü"}'),
        ToolCallDelta(index=1, id="t2", name="g", arguments="{}"),
        USED,
        AnswerFinished(reason="tool_calls"),
    ] == _decode(anthropic_answer("", content=content, stop_reason="tool_use"))


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("novelty", "stop"),
    ],
)
def test_stop_reasons(stop: str, expected: str) -> None:
    """Unknown ones count as a stop."""
    assert AnswerFinished(reason=expected) == _decode(anthropic_answer("x", stop_reason=stop))[-1]  # type: ignore[arg-type]  # from the table


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b'{"type": "message", "content": [{"ty',
        b"{}",
        b'{"content": null, "stop_reason": "end_turn"}',
        b'{"content": [], "stop_reason": null}',
        b'{"content": []}',
    ],
)
def test_what_is_no_answer_is_a_bad_body(body: bytes) -> None:
    """Fault rows 26 and 27."""
    with pytest.raises(ProviderFailure) as caught:
        CODEC.decode(body)

    assert caught.value.kind == "bad_body"


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"type": "overloaded_error", "message": "CANARY"}, "overloaded", 529),
        ({"type": "rate_limit_error", "message": "x"}, "rate_limited", 429),
        ({"type": "api_error"}, "server_error", 500),
        ({"type": "billing_error"}, "quota_exhausted", 402),
        ({"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}, "context_too_long", 400),
        ({"type": "novelty"}, "server_error", 500),
        (None, "server_error", 500),
        ("words", "server_error", 500),
    ],
)
def test_an_error_under_a_200_is_the_error_with_its_real_status(error: Any, kind: str, status: int) -> None:
    """Fault rows 28 and 35, before and after message_start."""
    body = json.dumps({"type": "error", "error": error}).encode()
    frame = b"data: " + body
    for frames in ((), (frame,), (START, frame)):
        with pytest.raises(ProviderFailure) as caught:
            _ = _stream(*frames) if frames else CODEC.decode(body)

        assert (kind, status) == (caught.value.kind, caught.value.status)
        assert "CANARY" not in str(caught.value)


def test_every_token_of_the_prompt_counts_as_input() -> None:
    """Anthropic reports cached tokens apart."""
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 1000,
        "output_tokens": 5,
    }
    expected = UsageReported(
        input_tokens=1110, output_tokens=5, cached_input_tokens=100, cache_write_tokens=1000
    )

    assert expected in _decode(anthropic_answer("Hi", usage=usage))


@pytest.mark.parametrize("garbage", [None, "12", -1, 1e300, True, []])
def test_garbled_usage_is_not_reported(garbage: Any) -> None:
    """Fault row 31."""
    usage = {"input_tokens": garbage, "output_tokens": garbage}

    assert [STARTED, TextDelta("Hi"), AnswerFinished(reason="stop")] == _decode(
        anthropic_answer("Hi", usage=usage)
    )


def test_a_stream() -> None:
    """Pings are no content; the cumulative usage wins."""
    assert [STARTED, SENT, TextDelta("Hell"), TextDelta("o"), USED, AnswerFinished(reason="stop")] == _stream(
        *anthropic_frames("Hello")
    )


def test_null_counts_in_a_delta_keep_what_was_reported() -> None:
    """message_delta may send null for the counts that did not change."""
    delta = anthropic_event(
        "message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": None, "output_tokens": 3}
    )

    assert [STARTED, SENT, USED, AnswerFinished(reason="stop")] == _stream(START, delta)


def test_streamed_tool_use() -> None:
    """Arguments come in pieces; a call without any has `{}`."""
    assert [
        STARTED,
        SENT,
        TextDelta("So:"),
        ToolCallDelta(index=0, id="t1", name="f"),
        ToolCallDelta(index=0, arguments='{"a"'),
        ToolCallDelta(index=0, arguments=":1}"),
        ToolCallDelta(index=1, id="t2", name="g"),
        ToolCallDelta(index=1, arguments="{}"),
        USED,
        AnswerFinished(reason="tool_calls"),
    ] == _stream(
        START,
        _text_start(text="So:"),
        anthropic_event("content_block_stop", index=0),
        anthropic_event(
            "content_block_start",
            index=1,
            content_block={"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        ),
        anthropic_event(
            "content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": ""}
        ),
        anthropic_event(
            "content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": '{"a"'}
        ),
        anthropic_event(
            "content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": ":1}"}
        ),
        anthropic_event("content_block_stop", index=1),
        anthropic_event(
            "content_block_start",
            index=2,
            content_block={"type": "tool_use", "id": "t2", "name": "g", "input": {}},
        ),
        anthropic_event("content_block_stop", index=2),
        anthropic_event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 3}),
        anthropic_event("message_stop"),
    )


@pytest.mark.parametrize(
    "frame",
    [
        b"data: {not json\n\n",
        b"data: null\n\n",
        anthropic_event("novelty", x=1),
        _text("lost", index=7),
        _text_start(text="again"),
        anthropic_event("content_block_start", index=None, content_block={}),
        anthropic_event("content_block_start", index=9, content_block=None),
        anthropic_event("content_block_delta", index=0, delta=None),
        anthropic_event("content_block_delta", index=0, delta={"type": "text_delta", "text": 5}),
        anthropic_event(
            "content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": "{"}
        ),
        anthropic_event("message_start", message=None),
        anthropic_event("message_delta", delta=None, usage="x"),
    ],
)
def test_frames_that_break_the_protocol_are_skipped(frame: bytes) -> None:
    """Fault rows 42 and 45: the rest is whole, so the answer is."""
    events = _stream(START, _text_start(), _text("A"), frame, _text("A"), *STOP)

    assert [STARTED, SENT, TextDelta("A"), TextDelta("A"), USED, AnswerFinished(reason="stop")] == events


def test_a_stream_without_a_stop_reason_is_truncated() -> None:
    """Fault row 38; what was reported of the prompt is still handed on, and nothing of the answer."""
    events = _stream(START, _text_start(), _text("A"))

    assert [STARTED, SENT, TextDelta("A"), SENT] == events


@pytest.mark.parametrize("usage", [{}, {"usage": None}, {"usage": {}}, {"usage": {"output_tokens": None}}])
def test_the_count_of_message_start_is_no_count_of_the_answer(usage: dict[str, Any]) -> None:
    """A stream whose end has no usage leaves the answer's tokens unknown, and those of the prompt exact."""
    started = anthropic_event(
        "message_start",
        message=anthropic_answer(
            "", content=[], usage={"input_tokens": 9, "cache_read_input_tokens": 90, "output_tokens": 1}
        ),
    )
    sent = UsageReported(input_tokens=99, cached_input_tokens=90)
    end = anthropic_event("message_delta", delta={"stop_reason": "end_turn"}, **usage)

    events = _stream(started, _text_start(), _text("A"), end, STOP[1])

    assert [STARTED, sent, TextDelta("A"), sent, AnswerFinished(reason="stop")] == events


def test_a_stop_reason_without_message_stop_is_whole() -> None:
    """Fault row 39."""
    events = _stream(START, _text_start(), _text("A"), STOP[0])

    assert AnswerFinished(reason="stop") == events[-1]


def test_message_stop_alone_is_truncated() -> None:
    """The end mark does not say why the model stopped."""
    assert not [e for e in _stream(START, STOP[1]) if isinstance(e, AnswerFinished)]


def test_unfit_text_is_mapped() -> None:
    """Fault row 33."""
    body = json.dumps(anthropic_answer("HERE")).replace("HERE", "a\\u0000b\\udfffc").encode()

    assert TextDelta("a\ufffdb\ufffdc") in CODEC.decode(body)
