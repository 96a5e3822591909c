"""What the OpenAPI document says of streams that are read on, and stopped."""

from typing import Final

from domain.json_value import JSONObject, JSONValue
from entrypoints.http.checks import Schemas
from entrypoints.http.openapi_answers import EXAMPLE_ANSWER
from entrypoints.http.openapi_events import STREAM_HEADERS, event_stream
from entrypoints.http.openapi_operations import (
    header_parameter,
    json_answer,
    json_body,
    operation,
    path_parameter,
)
from entrypoints.http.query import parameters_of
from entrypoints.http.routes.stream import LAST_EVENT_ID, STOP, ResumeQuery
from entrypoints.http.schema_parts import choice, flag, record, ref, uuid_text

_STATUSES: Final = ("complete", "incomplete", "cancelled", "failed", "interrupted", "stopping")
STREAM_SCHEMAS: Final[dict[str, JSONObject]] = {
    "StoppedAnswer": record(
        "What became of an answer that was to be stopped.",
        {
            "message_id": uuid_text("The answer."),
            "status": choice(
                _STATUSES,
                "`incomplete` with what was said so far, `cancelled` where that is nothing; `complete`, `failed` or "
                "`interrupted` where it ended otherwise; `stopping` where its end did not come within two seconds.",
            ),
            "stopped": flag(
                "True where this request, or another one at the same time, ended it; false where it had ended before, "
                "or came to its end first."
            ),
        },
    ),
}
_MESSAGE_ID: Final = path_parameter(
    "message_id", "The answer's id.", "[0-9a-fA-F-]{36}", str(EXAMPLE_ANSWER["message_id"])
)


def stream_paths(schemas: Schemas) -> dict[str, JSONValue]:
    described = ref("StoppedAnswer")
    events: JSONObject = {
        "description": "The events that come after `Last-Event-ID`.",
        "headers": STREAM_HEADERS,
        "content": {"text/event-stream": event_stream()},
    }
    return {
        "/chat/{message_id}/stream": {
            "get": operation(
                "resumeAnswer",
                "Read an answer's events on",
                "On any replica, while the answer is made and ever after. Without `Last-Event-ID` from the start. Where "
                "the stored answer does not tell the place any more (models were changed in the middle, or tools "
                "called) a `reset` with the reason `replayed` comes first, and then all of it.",
                "chat",
                events,
                parameters=(
                    _MESSAGE_ID,
                    header_parameter(LAST_EVENT_ID, "The `id` of the last event that was received."),
                    *parameters_of(ResumeQuery),
                ),
                others={"204": {"description": "Nothing comes after that event: the reader has all."}},
            )
        },
        "/chat/{message_id}/stop": {
            "post": operation(
                "stopAnswer",
                "Stop an answer",
                "Ends the provider's call on whichever replica makes it, and keeps what was said so far. Its readers "
                "get `done` with the finish reason `stopped`. An answer that has ended stays as it is.",
                "chat",
                json_answer("It has ended.", described),
                request_body=json_body(
                    STOP.schema(schemas), {"stop": ("Nothing to say", {})}, required=False
                ),
                parameters=(_MESSAGE_ID,),
                others={"202": json_answer("It will end.", described)},
            )
        },
    }
