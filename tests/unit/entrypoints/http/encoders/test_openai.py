"""Chunks, byte by byte."""

import json
from typing import Any

import jsonschema
import pytest
from openai.types.chat import ChatCompletionChunk

from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatDone, ChatEvent, Delta, Reset, ToolCalled, ToolCallGrew
from domain.errors import ChatFailed, Fault, InvalidRequest
from domain.live_answer import Portion
from domain.message import ToolCall
from domain.model import ModelRef
from domain.usage import Usage
from entrypoints.http.encoders.openai import OpenAIEncoder
from entrypoints.http.openai_answers import completion_json
from entrypoints.http.openai_body import OpenAIChat
from entrypoints.http.openapi import document
from tests.support.http import MODEL, an_answer, started

CALL = ToolCall(id="c1", name="f", arguments='{"a":1}')
USAGE = OpenAIChat(command=SendChatCommand(request_id="r"), names={}, include_usage=True, warnings=("mind",))


def chunks(data: bytes) -> list[Any]:
    """What each event holds: an object, or the end mark."""
    frames = data.decode().split("\n\n")

    assert frames.pop() == ""
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames)
    return [frame[6:] if frame == "data: [DONE]" else json.loads(frame[6:]) for frame in frames]


def encoded(*events: ChatEvent, asked: OpenAIChat | None = None) -> list[Any]:
    encoder = OpenAIEncoder(asked=asked)
    return chunks(encoder.encode(Portion(begins=0, events=events)) + encoder.close(None, request_id="r"))


def deltas(found: list[Any]) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in found if chunk != "[DONE]" and chunk["choices"]]


def test_an_answer_is_chunks_of_one_id_and_an_end_mark() -> None:
    """Role first, then the text, then why it ends and what lor3 says of it."""
    found = encoded(started(), Delta("Hel"), Delta("lo"), ChatDone(an_answer()))

    assert found.pop() == "[DONE]"
    assert {chunk["id"] for chunk in found} == {an_answer().message_id}
    assert {(chunk["object"], chunk["model"]) for chunk in found} == {
        ("chat.completion.chunk", "demo:scripted")
    }
    assert deltas(found) == [
        {"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"}, {},
    ]  # fmt: skip
    assert [chunk["choices"][0]["finish_reason"] for chunk in found] == [None, None, None, "stop"]
    assert found[-1]["lor3"]["thread_id"] == an_answer().thread_id
    assert not any("usage" in chunk for chunk in found)
    for chunk in found:
        ChatCompletionChunk.model_validate(chunk, strict=True)


def test_every_chunk_fits_its_schema() -> None:
    """With usage and without; and so does a whole answer."""
    schemas: Any = document()["components"]
    schema = {"$ref": "#/components/schemas/OpenAIChunk", "components": schemas}
    called = ToolCallGrew(index=0, id="c1", name="f", arguments="{")
    events = (started(), Delta("a"), called, ChatDone(an_answer()))
    for chunk in (*encoded(*events)[:-1], *encoded(*events, asked=USAGE)[:-1]):
        jsonschema.validate(chunk, schema)
    whole = {"$ref": "#/components/schemas/OpenAICompletion", "components": schemas}
    jsonschema.validate(completion_json(an_answer(tool_calls=(CALL,), finish_reason="tool_calls")), whole)


def test_usage_comes_last_where_it_is_asked_for() -> None:
    """In a chunk without choices, which has lor3's extras then; null in all others."""
    usage = Usage(input_tokens=9, output_tokens=4, cached_input_tokens=2, reasoning_tokens=1)
    found = encoded(started(), Delta("a"), ChatDone(an_answer(usage=usage)), asked=USAGE)[:-1]

    assert [chunk["usage"] for chunk in found[:-1]] == [None] * 3
    assert found[-1]["choices"] == []
    assert found[-1]["usage"] == {
        "prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 1},
    }  # fmt: skip
    assert [("lor3" in chunk) for chunk in found] == [False, False, False, True]
    assert found[-1]["lor3"]["warnings"] == ["mind"]


def test_tool_calls_that_grow_come_in_pieces_alone() -> None:
    """The first piece has the id, the type and the name."""
    found = encoded(
        started(),
        ToolCallGrew(index=0, id="c1", name="f", arguments=""),
        ToolCallGrew(index=0, arguments='{"a":'),
        ToolCallGrew(index=0, arguments="1}"),
        ToolCalled(CALL),
        ChatDone(an_answer(tool_calls=(CALL,), finish_reason="tool_calls")),
    )

    assert deltas(found)[0] == {"role": "assistant", "content": None}
    assert [delta["tool_calls"] for delta in deltas(found)[1:-1]] == [
        [{"index": 0, "function": {"name": "f", "arguments": ""}, "id": "c1", "type": "function"}],
        [{"index": 0, "function": {"arguments": '{"a":'}}],
        [{"index": 0, "function": {"arguments": "1}"}}],
    ]
    assert found[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_tool_calls_of_an_answer_that_is_told_again_come_whole() -> None:
    """A replay has no pieces."""
    other = ToolCall(id="c2", name="g", arguments="{}")
    found = encoded(started(), ToolCalled(CALL), ToolCalled(other), ChatDone(an_answer()))

    assert [delta["tool_calls"][0] for delta in deltas(found)[1:-1]] == [
        {"index": 0, "function": {"name": "f", "arguments": '{"a":1}'}, "id": "c1", "type": "function"},
        {"index": 1, "function": {"name": "g", "arguments": "{}"}, "id": "c2", "type": "function"},
    ]


def test_an_answer_that_was_stopped_ends_with_stop() -> None:
    """OpenAI has no word for it."""
    assert (
        encoded(started(), ChatDone(an_answer(finish_reason="stopped")))[-2]["choices"][0]["finish_reason"]
        == "stop"
    )


@pytest.mark.parametrize(
    "text", ["a\rb", "\n\ndata: [DONE]\n\n", "\u2028\u0085\x00", '"}', "\ud800", "ünïcödé 😀"]
)
def test_text_can_not_make_events(text: str) -> None:
    """And arrives as it was (security 19)."""
    found = encoded(started(), Delta(text), ChatDone(an_answer()))

    assert len(found) == 4
    assert deltas(found)[1] == {"content": text}


def test_a_failure_is_an_error_and_the_end() -> None:
    """All four fields, then the end mark; in the body's own names."""
    encoder = OpenAIEncoder(
        asked=OpenAIChat(command=SendChatCommand(request_id="r"), names={"schema": "there"})
    )
    failed = chunks(encoder.close(ChatFailed("upstream_error", "cut", retryable=True), request_id="r"))
    refused = chunks(
        encoder.close(InvalidRequest.of(Fault(path="schema.type", message="bad")), request_id="r")
    )

    assert failed == [
        {"error": {"message": "cut", "type": "server_error", "param": None, "code": "upstream_error"}},
        "[DONE]",
    ]
    assert refused[0]["error"]["param"] == "there.type"


def test_an_answer_that_begins_again_ends_for_its_reader() -> None:
    """One that another protocol's request began: nothing that is void is left standing as an answer."""
    encoder = OpenAIEncoder()
    reset = Reset(reason="connection_lost", from_model=MODEL, to_model=ModelRef("a", "b"))
    first = chunks(encoder.encode(Portion(begins=0, events=(started(), Delta("a"), reset, Delta("b")))))

    assert first[-2]["error"]["code"] == "answer_interrupted"
    assert first[-1] == "[DONE]"
    assert len(first) == 4
    assert encoder.encode(Portion(begins=9, events=(Delta("c"), ChatDone(an_answer())))) == b""
    assert encoder.close(None, request_id="r") == b""


def test_a_stored_answer_that_is_told_again_has_its_beginning() -> None:
    """Its calls were stored without their pieces, so a reader who comes back amid them gets all of it."""
    encoder = OpenAIEncoder()
    encoder.begin(an_answer().message_id, model="")
    again = Reset(reason="replayed", from_model=MODEL, to_model=MODEL)
    done = ChatDone(an_answer(tool_calls=(CALL,), finish_reason="tool_calls"))
    found = chunks(encoder.encode(Portion(begins=2, events=(again, Delta("hm"), ToolCalled(CALL), done))))

    assert {(chunk["id"], chunk["model"]) for chunk in found} == {(an_answer().message_id, "demo:scripted")}
    assert [each.get("role") for each in deltas(found)] == ["assistant", None, None, None]
    assert deltas(found)[1] == {"content": "hm"}
    assert deltas(found)[2]["tool_calls"][0]["id"] == "c1"
