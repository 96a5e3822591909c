"""What is documented of feedback and usage is what is read and answered."""

import datetime
from decimal import Decimal
from typing import Any

import attrs
import jsonschema
import pytest

from application.use_cases.export_rated import RatedConversation
from application.use_cases.read_feedback import FeedbackPage, MessageFeedback
from application.use_cases.report_usage import UsageReport
from domain.feedback import Feedback, FeedbackChange, RatedMessage
from domain.ids import DEFAULT_TENANT, MessageId, ThreadId
from domain.message import ImagePart, Message, TextPart, ToolCall
from domain.thread import StoredMessage
from domain.usage_report import RatingStatistics, UsageQuery, UsageRow
from entrypoints.feedback_rendering import (
    feedback_page_json,
    given_json,
    message_feedback_json,
    rated_conversation_json,
    tuning_message_json,
    usage_report_json,
    usage_row_json,
)
from entrypoints.http.openapi import document
from tests.support.records import MODEL

API: Any = document()
NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
MESSAGE = MessageId("01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01")
THREAD = ThreadId("01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e02")
BARE = Feedback(rating="thumbs_down", given_at=NOW)
FULL = Feedback(rating=4, comment="why", tags=("a",), user="u", given_at=NOW)
ROW = UsageRow(
    group="a:v1",
    requests=3,
    errors=1,
    input_tokens=1,
    output_tokens=2,
    cached_input_tokens=3,
    cost_usd=Decimal("1.20"),
    unpriced=0,
    latency_mean_ms=1.26,
    latency_p50_ms=1.0,
    latency_p95_ms=2.0,
    ratings=RatingStatistics(count=3, total=2.25, thumbs_up=2, stars=1, stars_total=2),
)
EMPTY = UsageRow(
    group=None,
    requests=0,
    errors=0,
    input_tokens=0,
    output_tokens=0,
    cached_input_tokens=0,
    cost_usd=Decimal(0),
    unpriced=0,
    latency_mean_ms=None,
    latency_p50_ms=None,
    latency_p95_ms=None,
)
ANSWER = StoredMessage(
    id=MESSAGE,
    tenant=DEFAULT_TENANT,
    thread_id=THREAD,
    message=Message.of("assistant", "a"),
    model=MODEL,
    prompt_version="p:v1",
    created_at=NOW,
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GivenFeedback", given_json(MESSAGE, FULL)),
        ("GivenFeedback", given_json(MESSAGE, BARE)),
        (
            "MessageFeedback",
            message_feedback_json(
                MessageFeedback(
                    message_id=MESSAGE,
                    thread_id=THREAD,
                    current=FULL,
                    history=(
                        FeedbackChange(position=2, feedback=FULL, at=NOW),
                        FeedbackChange(position=1, feedback=None, at=NOW),
                    ),
                )
            ),
        ),
        (
            "MessageFeedback",
            message_feedback_json(
                MessageFeedback(message_id=MESSAGE, thread_id=THREAD, current=None, history=())
            ),
        ),
        (
            "FeedbackPage",
            feedback_page_json(
                FeedbackPage(
                    items=(RatedMessage(message_id=MESSAGE, thread_id=THREAD, position=1, feedback=BARE),)
                ),
                "next",
            ),
        ),
        (
            "UsageReport",
            usage_report_json(
                UsageReport(
                    query=UsageQuery(since=NOW, until=NOW, group_by="prompt_version"), rows=(ROW, EMPTY)
                )
            ),
        ),
        (
            "UsageReport",
            usage_report_json(UsageReport(query=UsageQuery(since=NOW, until=NOW), rows=(EMPTY,))),
        ),
        (
            "RatedConversation",
            rated_conversation_json(
                RatedConversation(messages=(ANSWER.message,), answer=ANSWER, feedback=FULL)
            ),
        ),
        (
            "RatedConversation",
            rated_conversation_json(
                RatedConversation(
                    messages=(ANSWER.message,),
                    answer=attrs.evolve(ANSWER, model=None, prompt_version=None),
                    feedback=BARE,
                )
            ),
        ),
    ],
)
def test_what_is_rendered_fits_its_schema(name: str, value: Any) -> None:
    """Nothing is missing and nothing is undocumented."""
    jsonschema.validate(value, {"$ref": f"#/components/schemas/{name}", "components": API["components"]})
    _assert_documented(value, API["components"]["schemas"][name])


def _assert_documented(value: Any, schema: Any) -> None:
    """Every key, at every depth."""
    if "$ref" in schema:
        schema = API["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema and value is not None:
        schema = schema["oneOf"][0]
        _assert_documented(value, schema)
    elif isinstance(value, dict) and "properties" in schema:
        assert list(value) == list(schema["properties"])
        for key, item in value.items():
            _assert_documented(item, schema["properties"][key])
    elif isinstance(value, list) and "items" in schema:
        for item in value:
            _assert_documented(item, schema["items"])


def test_figures_are_rounded_to_what_they_are_worth() -> None:
    """Costs as decimal strings, latencies to tenths, means to four places."""
    row = usage_row_json(ROW)

    assert row["cost_usd"] == "1.2"
    assert row["latency_ms"] == {"mean": 1.3, "p50": 1.0, "p95": 2.0, "p99": None}
    assert row["ratings"] == {
        "count": 3,
        "mean": 0.75,
        "low": 0.2561,
        "high": 0.9632,
        "thumbs_up": 2,
        "thumbs_down": 0,
        "stars_mean": 2.0,
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Message.of("user", "a"), {"role": "user", "content": "a"}),
        (Message(role="assistant"), {"role": "assistant", "content": ""}),
        (
            Message(role="user", parts=(TextPart(text="a"), TextPart(text="b"))),
            {"role": "user", "content": "ab"},
        ),
        (
            Message(role="assistant", tool_calls=(ToolCall(id="c", name="f", arguments="{}"),)),
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
        ),
        (
            Message(role="tool", parts=(TextPart(text="42"),), tool_call_id="c"),
            {"role": "tool", "content": "42", "tool_call_id": "c"},
        ),
        (
            Message(
                role="user",
                parts=(
                    TextPart(text="Look"),
                    ImagePart(url="https://example.test/a.png", detail="low"),
                    ImagePart(data="aGk=", media_type="image/gif"),
                ),
            ),
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look"},
                    {
                        "type": "image_url",
                        "image_url": {"url": "https://example.test/a.png", "detail": "low"},
                    },
                    {"type": "image_url", "image_url": {"url": "data:image/gif;base64,aGk="}},
                ],
            },
        ),
    ],
)
def test_messages_of_the_export_are_in_the_shape_for_fine_tuning(
    message: Message, expected: dict[str, Any]
) -> None:
    """That of OpenAI's chat completions, without fields of lor3's own."""
    assert expected == tuning_message_json(message)


def test_parameters_of_queries_are_documented_by_their_names() -> None:
    """`from` and `to` as callers write them."""

    def names(path: str) -> list[str]:
        parameters = API["paths"][path]["get"]["parameters"]
        return [each["name"] for each in parameters if each.get("in") == "query"]

    assert names("/usage") == ["from", "to", "group_by"]
    assert names("/feedback/export") == ["at_least", "at_most", "from", "to", "prompt", "model"]
    assert names("/threads/{id}/feedback") == ["cursor", "limit"]


def test_examples_fit() -> None:
    """Those of the body, and that of the report."""
    put = API["paths"]["/messages/{id}/feedback"]["put"]["requestBody"]["content"]["application/json"]
    report = API["paths"]["/usage"]["get"]["responses"]["200"]["content"]["application/json"]
    examples = [(put["schema"], each["value"]) for each in put["examples"].values()]
    for schema, value in (*examples, (report["schema"], report["example"])):
        jsonschema.validate(value, {**schema, "components": API["components"]})
