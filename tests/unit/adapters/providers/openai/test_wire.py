"""Decoding OpenAI's wire: whole answers, streams and everything that is wrong with them."""

import json
from typing import Any

import pytest

from adapters.providers.openai.wire import OpenAICodec
from domain.chat import (
    AnswerFinished,
    AnswerStarted,
    ProviderEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from domain.errors import ProviderFailure
from tests.support.wire_upstream import openai_answer, openai_chunk

CODEC = OpenAICodec()
STARTED = AnswerStarted(response_id="chatcmpl-1", model="m-1-2026")
USED = UsageReported(input_tokens=9, output_tokens=3)


def _decode(answer: Any) -> list[ProviderEvent]:
    return CODEC.decode(json.dumps(answer).encode())


def _with_message(finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return openai_answer(None, choices=[{"index": 0, "message": message, "finish_reason": finish}])


def _stream(*frames: bytes) -> list[ProviderEvent]:
    decoder = CODEC.decoder()
    events: list[ProviderEvent] = []
    for frame in frames:
        events += decoder.feed(frame.removeprefix(b"data: ").strip())
        if decoder.is_closed:
            break
    return events + decoder.end()


def test_a_whole_answer() -> None:
    """Text, usage, finish."""
    assert [STARTED, TextDelta("Hi"), USED, AnswerFinished(reason="stop")] == _decode(openai_answer("Hi"))


def test_tool_calls_with_null_content_and_unknown_fields() -> None:
    """Fault row 30."""
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}, "new": True},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": {"b": 2}}},
    ]
    answer = _with_message("tool_calls", role="assistant", content=None, tool_calls=calls, novelty={"x": 1})

    assert [
        STARTED,
        ToolCallDelta(index=0, id="c1", name="f", arguments='{"a": 1}'),
        ToolCallDelta(index=1, id="c2", name="g", arguments='{"b":2}'),
        USED,
        AnswerFinished(reason="tool_calls"),
    ] == _decode(answer)


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("eos", "stop"),
        (None, "stop"),
        (7, "stop"),
    ],
)
def test_finish_reasons(finish: Any, expected: str) -> None:
    """Unknown ones count as a stop."""
    assert AnswerFinished(reason=expected) == _decode(_with_message(finish, content="x"))[-1]  # type: ignore[arg-type]  # from the table


def test_a_refusal_is_text_with_content_filter() -> None:
    """Structured outputs put a refusal in its own field."""
    events = _decode(_with_message(content=None, refusal="No."))

    assert TextDelta("No.") in events
    assert AnswerFinished(reason="content_filter") == events[-1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"12",
        b"<html>",
        b'{"id": "x", "choices": [{"mess',
        b"{}",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [null]}',
        b'{"choices": [{"message": null, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": "x"}, "finish_reason": "error"}]}',
    ],
)
def test_what_is_no_answer_is_a_bad_body(body: bytes) -> None:
    """Fault rows 26, 27 and 29."""
    with pytest.raises(ProviderFailure) as caught:
        CODEC.decode(body)

    assert caught.value.kind == "bad_body"


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"type": "server_error", "code": None, "message": "CANARY"}, "server_error", None),
        ({"type": "requests", "code": "rate_limit_exceeded"}, "rate_limited", None),
        ({"type": "insufficient_quota", "code": "insufficient_quota"}, "quota_exhausted", None),
        ({"code": 429, "message": "slow down"}, "rate_limited", 429),
        ({"code": 503}, "overloaded", 503),
        (
            {"type": "BadRequestError", "code": 400, "message": "maximum context length is 8"},
            "context_too_long",
            400,
        ),
        ({"type": "new_kind"}, "server_error", None),
        ("model 'x' not loaded", "server_error", None),
    ],
)
def test_an_error_object_under_a_200_is_the_error(error: Any, kind: str, status: int | None) -> None:
    """Fault rows 28 and 35."""
    whole = json.dumps({"error": error}).encode()
    for decode in (CODEC.decode, _stream):
        with pytest.raises(ProviderFailure) as caught:
            decode(whole)

        assert (kind, status) == (caught.value.kind, caught.value.status)
        assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("garbage", [None, "12", -1, 1e300, True, [], 1.5])
def test_garbled_usage_is_not_reported(garbage: Any) -> None:
    """Fault row 31."""
    usage = {"prompt_tokens": garbage, "completion_tokens": garbage}

    assert [STARTED, TextDelta("Hi"), AnswerFinished(reason="stop")] == _decode(
        openai_answer("Hi", usage=usage)
    )


@pytest.mark.parametrize("usage", [None, 5, "12", [], {}])
def test_missing_usage_is_not_reported(usage: Any) -> None:
    """Fault row 31."""
    assert not [e for e in _decode(openai_answer("Hi", usage=usage)) if isinstance(e, UsageReported)]


def test_an_explicit_zero_stays_and_garbage_beside_it_is_none() -> None:
    """Each count is judged by itself."""
    usage = {
        "prompt_tokens": 0,
        "completion_tokens": -4,
        "prompt_tokens_details": {"cached_tokens": "x"},
        "completion_tokens_details": None,
    }

    assert UsageReported(input_tokens=0, output_tokens=None) in _decode(openai_answer("Hi", usage=usage))


def test_details_of_usage() -> None:
    """Cached and reasoning tokens are parts of the two counts."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    expected = UsageReported(input_tokens=100, output_tokens=50, cached_input_tokens=64, reasoning_tokens=30)

    assert expected in _decode(openai_answer("Hi", usage=usage))


def test_unfit_text_is_mapped() -> None:
    """Fault row 33: what is handed on can be stored."""
    body = json.dumps(openai_answer("HERE")).replace("HERE", "a\\u0000b\\ud800c").encode()

    assert TextDelta("a\ufffdb\ufffdc") in CODEC.decode(body)
    assert TextDelta("a\ufffdb") in CODEC.decode(
        json.dumps(openai_answer("aXb")).encode().replace(b"aXb", b"a\xffb")
    )


def test_a_stream() -> None:
    """Usage comes last, and once, though it came in every chunk."""
    usage = {"prompt_tokens": 9, "completion_tokens": 3}

    assert [
        STARTED,
        TextDelta("He"),
        TextDelta("He"),
        USED,
        AnswerFinished(reason="stop"),
    ] == _stream(
        openai_chunk(
            {"role": "assistant", "content": ""}, usage={"prompt_tokens": 9, "completion_tokens": 1}
        ),
        openai_chunk({"content": "He"}, usage=usage),
        openai_chunk({"content": "He"}, usage=usage),
        openai_chunk({}, "stop"),
        openai_chunk(None, usage=None),
        b"data: [DONE]\n\n",
        openai_chunk({"content": "too late"}),
    )


def test_tool_call_deltas() -> None:
    """Pieces carry the index; id and name come first; two calls may interleave."""
    assert [
        STARTED,
        ToolCallDelta(index=0, id="c1", name="f"),
        ToolCallDelta(index=1, id="c2", name="g"),
        ToolCallDelta(index=0, arguments='{"a"'),
        ToolCallDelta(index=0, arguments=": 1}"),
        AnswerFinished(reason="tool_calls"),
    ] == _stream(
        openai_chunk({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}}]}),
        openai_chunk({"tool_calls": [{"index": 1, "id": "c2", "function": {"name": "g"}}]}),
        openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
        openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
        openai_chunk({}, "tool_calls"),
    )


def test_pieces_of_a_call_that_say_nothing_new_are_no_content() -> None:
    """Else a server that repeats them would seem to answer for as long as it likes."""
    first = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}}
    again = openai_chunk({"tool_calls": [first]})

    assert [
        STARTED,
        ToolCallDelta(index=0, id="c1", name="f"),
        AnswerFinished(reason="tool_calls"),
    ] == _stream(
        again,
        again,
        openai_chunk({"tool_calls": [{"index": 0, "function": {}}]}),
        openai_chunk({}, "tool_calls"),
    )


def test_tool_calls_without_an_index() -> None:
    """Some servers leave it out: a new id is a new call."""
    events = _stream(
        openai_chunk({"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{"}}]}),
        openai_chunk({"tool_calls": [{"function": {"arguments": "}"}}]}),
        openai_chunk({"tool_calls": [{"id": "c2", "function": {"name": "g", "arguments": "{}"}}]}),
    )

    assert [event.index for event in events if isinstance(event, ToolCallDelta)] == [0, 0, 1]


def _call(call_id: str | None, name: str | None, arguments: str, **index: Any) -> dict[str, Any]:
    return {**index, "id": call_id, "function": {"name": name, "arguments": arguments}}


def _pieces(*calls: dict[str, Any]) -> list[tuple[int, str | None, str | None, str]]:
    """Of a stream with one call of `calls` in each chunk."""
    events = _stream(*[openai_chunk({"tool_calls": [call]}) for call in calls])
    return [
        (each.index, each.id, each.name, each.arguments) for each in events if isinstance(each, ToolCallDelta)
    ]


@pytest.mark.parametrize("indexes", [(1, 3), (7, 0), (-1, 10**30), (0, 1)])
def test_calls_are_numbered_as_they_come(indexes: tuple[int, int]) -> None:
    """Clients keep the calls in a list, by index: a gap breaks them."""
    one, two = indexes

    assert [
        (0, "c1", "f", ""),
        (1, "c2", "g", ""),
        (0, None, None, "{}"),
        (1, None, None, "[]"),
    ] == _pieces(
        _call("c1", "f", "", index=one),
        _call("c2", "g", "", index=two),
        _call(None, None, "{}", index=one),
        _call(None, None, "[]", index=two),
    )


def test_a_new_id_with_a_name_at_a_used_index_is_another_call() -> None:
    """Some servers give every call the index 0; merged, the arguments would be no JSON and the second call lost."""
    assert [
        (0, "c1", "f", '{"a":'),
        (0, None, None, "1}"),
        (1, "c2", "g", '{"b":'),
        (1, None, None, "2}"),
    ] == _pieces(
        _call("c1", "f", '{"a":', index=0),
        _call(None, None, "1}", index=0),
        _call("c2", "g", '{"b":', index=0),
        _call(None, None, "2}", index=0),
    )


def test_ids_and_names_that_are_repeated_are_one_call() -> None:
    """Some servers repeat both with every piece, or make an id for each; joined by a reader they would be garbled."""
    assert [
        (0, "c1", "f", "{"),
        (0, None, None, '"a":'),
        (0, None, None, "1"),
        (0, None, None, "}"),
    ] == _pieces(
        _call("c1", "f", "{", index=0),
        _call("c1", "f", '"a":', index=0),
        _call("c9", None, "1", index=0),
        _call(None, "f", "}", index=0),
    )


def test_an_id_or_a_name_may_come_late() -> None:
    """The id that was shown stays: callers answer the call by it."""
    assert [(0, "call_0", None, "{"), (0, None, "f", "}")] == _pieces(
        _call(None, None, "{", index=2), _call("late", "f", "}", index=2)
    )


def test_calls_at_one_index_are_counted() -> None:
    """Without an end of their own they would fill the memory."""
    calls = [_call(f"c{number}", "f", "{}", index=0) for number in range(1025)]

    with pytest.raises(ProviderFailure, match="too many tool calls"):
        _pieces(*calls)


def test_what_is_no_call_takes_no_number() -> None:
    """A whole answer numbers its calls in the way of a stream."""
    calls = [None, {"id": "x"}, {"id": "c1", "function": {"name": "f", "arguments": "{}"}}]
    answer = _with_message("tool_calls", role="assistant", content=None, tool_calls=calls)

    assert ToolCallDelta(index=0, id="c1", name="f", arguments="{}") in _decode(answer)


@pytest.mark.parametrize(
    "frame",
    [
        b"data: {not json\n\n",
        b"data: null\n\n",
        b"data: []\n\n",
        b'data: {"choices": [{"index": 1, "delta": {"content": "other"}}]}\n\n',
        b'data: {"choices": [null]}\n\n',
        b'data: {"choices": [{"delta": {"content": 5, "tool_calls": [null, {"function": 1}]}}]}\n\n',
        b'data: {"choices": "x", "usage": "y"}\n\n',
    ],
)
def test_frames_that_say_nothing_are_skipped(frame: bytes) -> None:
    """Fault rows 42 and 46: the rest is whole, so the answer is."""
    events = _stream(openai_chunk({"content": "A"}), frame, openai_chunk({"content": "B"}, "stop"))

    assert [STARTED, TextDelta("A"), TextDelta("B"), AnswerFinished(reason="stop")] == events


@pytest.mark.parametrize("tail", [(), (b"data: [DONE]\n\n",)])
def test_a_stream_without_a_finish_reason_is_truncated(tail: tuple[bytes, ...]) -> None:
    """Fault row 38; `[DONE]` alone does not make an answer whole."""
    assert [STARTED, TextDelta("A")] == _stream(openai_chunk({"content": "A"}), *tail)


def test_content_after_the_finish_reason_is_ignored() -> None:
    """Fault row 46."""
    events = _stream(openai_chunk({"content": "A"}, "stop"), openai_chunk({"content": "B"}))

    assert [STARTED, TextDelta("A"), AnswerFinished(reason="stop")] == events
