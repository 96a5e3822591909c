"""The part of the OpenAPI document that is about feedback and usage."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject, JSONValue
from entrypoints.http.checks import Schemas
from entrypoints.http.feedback_body import FEEDBACK, RatedQuery, UsageReportQuery
from entrypoints.http.openapi_operations import json_answer, json_body, operation
from entrypoints.http.openapi_threads import id_parameter
from entrypoints.http.query import parameters_of
from entrypoints.http.schema_parts import ref
from entrypoints.http.thread_body import PageQuery

_EXAMPLES: Final[Mapping[str, tuple[str, JSONValue]]] = {
    "thumb": ("A thumb", {"rating": "thumbs_up"}),
    "stars": (
        "Stars, with all that can be said",
        {"rating": 2, "comment": "Too long.", "tags": ["length", "tone"], "user": "u-4711"},
    ),
}
_ROW_EXAMPLE: Final[JSONObject] = {
    "from": "2026-11-01T00:00:00.000Z",
    "to": "2026-12-01T00:00:00.000Z",
    "group_by": "prompt_version",
    "items": [
        {
            "group": "support_agent:v4",
            "name": None,
            "requests": 1204,
            "errors": 3,
            "refused": 0,
            "input_tokens": 912004,
            "output_tokens": 120310,
            "cached_input_tokens": 0,
            "cache_write_tokens": 0,
            "reasoning_tokens": 20480,
            "estimated": 0,
            "cost_usd": "7.51288",
            "unpriced": 0,
            "latency_ms": {"mean": 1312.4, "p50": 1180.5, "p95": 2904.0, "p99": 5120.5},
            "ratings": {
                "count": 212,
                "mean": 0.8113,
                "low": 0.7532,
                "high": 0.8583,
                "thumbs_up": 160,
                "thumbs_down": 32,
                "stars_mean": 3.4,
            },
        }
    ],
}


def feedback_paths(schemas: Schemas) -> dict[str, JSONValue]:
    """The routes of feedback and usage; the schemas of their bodies are added to `schemas`."""
    message, thread = id_parameter("message"), id_parameter("thread")
    usage = json_answer("The report.", ref("UsageReport"))
    return {
        "/messages/{id}/feedback": {
            "get": operation(
                "getMessageFeedback",
                "Show the feedback of a message",
                "As it stands, and its last 100 changes, newest first.",
                "feedback",
                json_answer("The feedback.", ref("MessageFeedback")),
                parameters=[message],
            ),
            "put": operation(
                "rateMessage",
                "Rate an answer",
                "An answer has one feedback: whoever rates last overwrites it, and the history keeps all. The same "
                "again changes nothing. Only answers can be rated.",
                "feedback",
                json_answer("The feedback as it stands now.", ref("GivenFeedback")),
                parameters=[message],
                request_body=json_body(FEEDBACK.schema(schemas), _EXAMPLES),
            ),
            "delete": operation(
                "takeBackFeedback",
                "Take the feedback of an answer back",
                "The history keeps what was said. Where there is none, nothing happens.",
                "feedback",
                {},
                parameters=[message],
                others={"204": {"description": "There is none now."}},
            ),
        },
        "/threads/{id}/feedback": {
            "get": operation(
                "listThreadFeedback",
                "List the feedback of a thread",
                "By the position of the answers.",
                "feedback",
                json_answer("A page.", ref("FeedbackPage")),
                parameters=[thread, *parameters_of(PageQuery)],
            )
        },
        "/feedback/export": {
            "get": operation(
                "exportFeedback",
                "Export rated conversations",
                "For tuning and evaluation: each complete rated answer with the whole exchanges that led to it, at most 50 "
                "messages, in the order in which the answers were made. One JSON object a line; a transfer that is cut "
                "has no last chunk.",
                "feedback",
                {
                    "description": "The conversations.",
                    "content": {"application/x-ndjson": {"schema": ref("RatedConversation")}},
                },
                parameters=parameters_of(RatedQuery),
            )
        },
        "/usage": {
            "get": operation(
                "getUsage",
                "Report what was used",
                "Requests, errors, tokens, cost, latency and ratings, in groups: by `prompt_version` it shows whether a "
                "new version does better, with the interval in which the true mean rating lies.",
                "usage",
                {
                    **usage,
                    "content": {"application/json": {"schema": ref("UsageReport"), "example": _ROW_EXAMPLE}},
                },
                parameters=parameters_of(UsageReportQuery),
            )
        },
    }
