"""The events of a stream: a schema and an example for the data of each."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject, JSONValue
from domain.live_answer import RUN
from domain.values import frozen
from entrypoints.http.openapi_answers import EXAMPLE_ANSWER, PROMPT_VERSION
from entrypoints.http.schema_parts import count, nullable, record, ref, text, uuid_text
from entrypoints.rendering import to_json

EVENT_SCHEMAS: Final[Mapping[str, JSONObject]] = {
    "StartEvent": record(
        "The first event.",
        {
            "message_id": uuid_text("The answer to come."),
            "thread_id": uuid_text("The thread it belongs to."),
            "session_id": uuid_text("The session that the thread belongs to."),
            "model": text("The model that starts; another one may end, see `reset`."),
            "prompt_version": PROMPT_VERSION,
        },
    ),
    "DeltaEvent": record(
        "The next piece of the text.", {"text": text("To be appended to what there is.", example="Hello")}
    ),
    "ToolCallDeltaEvent": record(
        "The next piece of a tool call, for showing it grow; the whole call comes as `tool_call`.",
        {
            "index": count("Which call of the answer, from 0."),
            "id": nullable("string", "The call's id; null in its later pieces."),
            "name": nullable("string", "The function's name; null in its later pieces."),
            "arguments": text("To be appended to the arguments, which are JSON text at the end."),
        },
    ),
    "ResetEvent": record(
        "All deltas so far are void: another model starts from the beginning, or the same one again after an "
        "invalid answer.",
        {
            "reason": text(
                "What went wrong: a failure such as `connection_lost`, or `output_invalid`. `replayed` where nothing "
                "did: a reader who came back gets the whole answer again.",
                example="connection_lost",
            ),
            "from": text("The model that was given up.", example="openai:gpt-5.2"),
            "to": text(
                "The model that starts; the same one after `output_invalid` and `replayed`.",
                example="anthropic:claude-opus-5-5",
            ),
        },
    ),
}


@frozen(kw_only=True)
class EventKind:
    name: str
    schema: str
    meaning: str
    example: JSONValue


_PROBLEM: Final[JSONObject] = {
    "type": "urn:lor3:problem:upstream_timeout",
    "title": "The provider did not answer in time",
    "status": 504,
    "detail": "openai:gpt-5.2 sent nothing for 30 s; try again",
    "code": "upstream_timeout",
    "request_id": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e04",
    "retryable": True,
}
EVENTS: Final = (
    EventKind(
        name="start",
        schema="StartEvent",
        meaning="First, once.",
        example={
            key: EXAMPLE_ANSWER[key]
            for key in ("message_id", "thread_id", "session_id", "model", "prompt_version")
        },
    ),
    EventKind(
        name="delta", schema="DeltaEvent", meaning="A piece of the text.", example={"text": "An architecture"}
    ),
    EventKind(
        name="tool_call_delta",
        schema="ToolCallDeltaEvent",
        meaning="A piece of a tool call.",
        example={"index": 0, "id": "call_1", "name": "get_weather", "arguments": '{"city": '},
    ),
    EventKind(
        name="tool_call",
        schema="ToolCallBody",
        meaning="A complete tool call.",
        example={
            "id": "call_1",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
            "complete": True,
        },
    ),
    EventKind(
        name="reset",
        schema="ResetEvent",
        meaning="All deltas so far are void: another model, or the same one again after an invalid answer.",
        example={
            "reason": "connection_lost",
            "from": "openai:gpt-5.2",
            "to": "anthropic:claude-opus-5-5",
        },
    ),
    EventKind(
        name="done", schema="Answer", meaning="Last: the answer, once it is durable.", example=EXAMPLE_ANSWER
    ),
    EventKind(
        name="error", schema="Problem", meaning="Last, in place of `done`: what went wrong.", example=_PROBLEM
    ),
)
"""In the order in which a stream may have them."""
STREAM_HEADERS: Final[JSONObject] = {
    "x-lor3-message-id": {
        "description": "The answer's id, where it is known by then: with it the answer can be stopped or read on.",
        "schema": {"type": "string", "format": "uuid"},
    }
}


def event_stream() -> JSONObject:
    """The media type's entry. OpenAPI 3.1 has no word for events, so `x-events` says which data each has."""
    # Text counts its characters; a reset goes on at the next multiple of 2^32.
    shown = (("start", 1), ("delta", 16), ("reset", RUN), ("delta", RUN + 15), ("done", RUN + 16))
    kinds = {kind.name: kind for kind in EVENTS}
    frames = [
        f"id: {number}\nevent: {name}\ndata: {to_json(kinds[name].example).decode()}\n\n"
        for name, number in shown
    ]
    return {
        "schema": {
            "type": "string",
            "description": "Events in order: `start`, then `delta`, `tool_call_delta`, `tool_call` and `reset`, then "
            "`done` or `error`. Each has an increasing `id`, by which a reader that was cut off reads on: "
            "GET /chat/{message_id}/stream. A comment line comes where nothing else does for 15 s. "
            "`Accept: text/event-stream; protocol=openai` asks for another protocol's events.",
        },
        "example": "".join(frames),
        "x-events": {
            kind.name: {
                "description": kind.meaning,
                "schema": ref(kind.schema),
                "example": kind.example,
            }
            for kind in EVENTS
        },
    }
