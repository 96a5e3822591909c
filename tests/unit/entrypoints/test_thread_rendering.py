"""What is rendered of conversations is what is documented; in Markdown no text gets out of its quotation."""

import datetime
from decimal import Decimal
from typing import Any

import attrs
import jsonschema
import pytest

from application.use_cases.read_threads import MessageView
from domain.attempt import Attempt
from domain.feedback import Feedback
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, ThreadId
from domain.message import ImagePart, Message, TextPart, ToolCall
from domain.thread import Session, StoredMessage, Thread
from entrypoints.http.openapi import document
from entrypoints.thread_export import inline, quoted
from entrypoints.thread_rendering import message_view_json, session_json, stored_message_json, thread_json
from tests.support.records import MODEL, NOW, new_chat

ID = "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01"
SESSION = Session(id=SessionId(ID), tenant=DEFAULT_TENANT, created_at=NOW)
THREAD = Thread(id=ThreadId(ID), tenant=DEFAULT_TENANT, session_id=SESSION.id, created_at=NOW)
ASKED, ANSWERED = new_chat().messages
FULL = attrs.evolve(
    ANSWERED,
    position=1,
    parent=MessageId(ID),
    copied_from=MessageId(ID),
    pinned=True,
    status="failed",
    error_code="upstream_timeout",
    prompt_version="p:v1",
    prompt_label="production",
    feedback=Feedback(rating=3, comment="so", tags=("a",), user="u", given_at=NOW),
    message=Message(
        role="assistant",
        parts=(TextPart(text="a"), ImagePart(url="https://example.com/a.png", detail="low")),
        tool_calls=(ToolCall(id="c", name="f", arguments="{", complete=False),),
    ),
)
ATTEMPTS = (
    Attempt(model=MODEL, outcome="skipped_open", started_at=NOW),
    Attempt(model=MODEL, outcome="ok", started_at=NOW, status=200, cost_usd=None, purpose="summary"),
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Session", session_json(SESSION)),
        ("Session", session_json(attrs.evolve(SESSION, user="u"))),
        ("Thread", thread_json(THREAD)),
        ("Thread", thread_json(attrs.evolve(THREAD, title="t", tags=("a",), forked_from=MessageId(ID)))),
        ("StoredMessage", stored_message_json(attrs.evolve(ASKED, position=0))),
        ("StoredMessage", stored_message_json(FULL)),
        ("MessageDetail", message_view_json(MessageView(message=FULL, attempts=ATTEMPTS))),
    ],
)
def test_what_is_rendered_fits_its_schema(name: str, value: Any) -> None:
    """Nothing is missing and nothing is undocumented."""
    components: Any = document()["components"]

    jsonschema.validate(value, {"$ref": f"#/components/schemas/{name}", "components": components})
    assert list(components["schemas"][name]["properties"]) == list(value)


def test_a_thread_that_was_never_written_to_was_last_written_to_when_it_was_made() -> None:
    """A time is always there; an ETag is another one with each write."""
    later = attrs.evolve(THREAD, updated_at=NOW + datetime.timedelta(microseconds=1))
    longer = attrs.evolve(THREAD, length=2)

    assert thread_json(THREAD)["created_at"] == thread_json(THREAD)["updated_at"]
    assert 3 == len({THREAD.etag, later.etag, longer.etag})


def test_money_and_ratings_are_as_everywhere() -> None:
    """A decimal string, null where the price is unknown; the rating beside the whole feedback."""
    rendered = stored_message_json(FULL)
    unpriced = stored_message_json(attrs.evolve(FULL, cost_usd=None, feedback=None))
    free = stored_message_json(attrs.evolve(FULL, cost_usd=Decimal("0.000")))

    assert ("0.000123456789", None, "0") == (rendered["cost_usd"], unpriced["cost_usd"], free["cost_usd"])
    assert (3, None, None) == (rendered["rating"], unpriced["rating"], unpriced["feedback"])


@pytest.mark.parametrize(
    ("message", "content"),
    [
        (Message.of("user", "a"), "a"),
        (Message.of("tool", ""), ""),
        (Message(role="assistant"), ""),
        (Message(role="assistant", tool_calls=(ToolCall(id="c", name="f", arguments="{}"),)), None),
        (Message(role="user", parts=(TextPart(text="a"), TextPart(text="b"))),
         [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        (Message(role="user", parts=(ImagePart(data="x", media_type="image/png"),)),
         [{"type": "image", "data": "x", "media_type": "image/png"}]),
    ],
)  # fmt: skip
def test_content_is_a_string_where_it_is_one_text(message: Message, content: Any) -> None:
    """Else parts; null where an assistant only called tools."""
    stored: StoredMessage = attrs.evolve(ASKED, message=message)

    assert content == stored_message_json(stored)["content"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [">"]),
        ("a", ["> a"]),
        ("a  \n\n# b\n", ["> a  ", ">", "> # b"]),
        ("a\r\nb\rc\u2028d\u2029e\x0bf\x0cg\x85h\x1ci", [f"> {each}" for each in "abcdefghi"]),
        ("> a\n```\n    b", ["> > a", "> ```", ">     b"]),
    ],
)
def test_every_line_of_a_quotation_is_marked(text: str, lines: list[str]) -> None:
    """Whatever ends a line, anywhere."""
    assert lines == quoted(text)


def test_words_in_a_line_have_no_markup() -> None:
    """And no line of their own; what is common in names stays readable."""
    assert r"\# a \*b\* \_c\_ \`d\` \[e\](f) \<g\> \| \~h \&amp; \\" == inline(
        "# a\n*b*\t_c_ `d` [e](f)\u2028<g> | ~h &amp; \\"
    )
    assert "openai:gpt-4.1 (2026-01-01)!" == inline(" openai:gpt-4.1\r\n(2026-01-01)! ")
