"""A conversation as a person reads it: what became of each answer, and nothing that a terminal obeys."""

import datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from domain.feedback import Feedback
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.message import ImagePart, Message, TextPart, ToolCall
from domain.thread import StoredMessage, Thread
from domain.usage import Usage
from entrypoints.cli.conversation import (
    beginning_of,
    content_text,
    feedback_text,
    print_messages,
    print_thread,
)

_AT = datetime.datetime(2026, 11, 20, 9, 30, tzinfo=datetime.UTC)
_TURN = MessageId("01990f3e-7a7c-7c3e-9f0a-000000000000")


def _stored(position: int, message: Message, **fields: Any) -> StoredMessage:
    return StoredMessage(
        id=MessageId(f"01990f3e-7a7c-7c3e-9f0a-{position:012}"),
        tenant=Tenant("default"),
        thread_id=ThreadId("01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e02"),
        position=position,
        message=message,
        created_at=_AT,
        **fields,
    )


def _answer(position: int, text: str = "Hello", **fields: Any) -> StoredMessage:
    return _stored(position, Message.of("assistant", text), parent=_TURN, **fields)


def _printed(capsys: pytest.CaptureFixture[str], *messages: StoredMessage) -> str:
    print_messages(messages)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"status": "failed", "error_code": "upstream_rate_limited"}, "failed: upstream_rate_limited"),
        ({"status": "incomplete"}, "incomplete"),
        ({"status": "cancelled"}, "cancelled"),
        ({"finish_reason": "length"}, "ended by length"),
        ({"prompt_version": "a:v3", "prompt_label": "production"}, "a:v3 (production)"),
        ({"latency_ms": 940}, "940 ms"),
        ({"latency_ms": 14_250}, "14.2 s"),
        ({"usage": Usage(input_tokens=1234, output_tokens=5)}, "1,234 + 5 tokens · cost unknown"),
        (
            {
                "usage": Usage(input_tokens=1, output_tokens=5, estimated=True),
                "cost_usd": Decimal("0.0100"),
            },
            "about 1 + 5 tokens · $0.01",
        ),
        ({"metadata": (("channel", "web\x1b"),)}, "channel=web�"),
    ],
)
def test_what_is_known_of_an_answer_is_told(
    capsys: pytest.CaptureFixture[str], fields: dict[str, Any], told: str
) -> None:
    """And nothing of it where it is as usual."""
    assert told in _printed(capsys, _answer(1, **fields))
    assert told not in _printed(capsys, _answer(1))


def test_answer_that_was_made_again_says_by_which(capsys: pytest.CaptureFixture[str]) -> None:
    """A failed one takes nobody's place, and nothing that came before it takes its."""
    shown = _printed(
        capsys,
        _stored(0, Message.of("user", "Hi")),
        _answer(1),
        _answer(2),
        _answer(3, status="failed"),
    )

    assert shown.count("#2 was made in its place") == 1
    assert "#3 was made" not in shown


def test_calls_results_and_images_are_named() -> None:
    """What has no text of its own."""
    call = ToolCall(id="c1", name="look", arguments='{"at": 1}')
    cut = attrs.evolve(call, complete=False)
    parts = (
        TextPart(text="See:"),
        ImagePart(url="https://example.org/a.png"),
        ImagePart(data="AAAA", media_type="image/png"),
    )

    assert content_text(Message(role="user", parts=parts)) == (
        "See:\n[image https://example.org/a.png]\n[image image/png]"
    )
    assert content_text(Message(role="assistant", tool_calls=(call,))) == 'look({"at": 1})  [call c1]'
    assert "… cut off" in content_text(Message(role="assistant", tool_calls=(cut,)))
    assert content_text(Message(role="tool", parts=(TextPart(text="4"),), tool_call_id="c1")) == (
        "[result of call c1]\n4"
    )


def test_answer_without_a_word_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty space could be anything."""
    assert "(no text)" in _printed(capsys, _answer(1, ""))


def test_feedback_is_one_line() -> None:
    """Whatever the comment is."""
    feedback = Feedback(rating=2, comment="Too\n long\x1b[2J", tags=("a", "b"), user="ada", given_at=_AT)

    assert feedback_text(feedback) == "rated 2 of 5 by ada on 2026-11-20 09:30: “Too long�[2J” (a, b)"
    assert feedback_text(Feedback(rating="thumbs_up", given_at=_AT)) == "rated thumbs_up on 2026-11-20 09:30"


def test_thread_tells_how_much_of_it_follows(capsys: pytest.CaptureFixture[str]) -> None:
    """Where that is not all."""
    thread = Thread(
        id=ThreadId("01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e02"),
        tenant=Tenant("default"),
        session_id=SessionId("01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e03"),
        title="A\x1bB",
        length=1200,
        created_at=_AT,
    )
    print_thread(thread, None, shown=20)
    shown = capsys.readouterr().out

    assert "1,200, the last 20 below" in shown
    assert shown.startswith("A�B\n")


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("", ""),
        ("short\n\n text", "short text"),
        ("word " * 20, "word word word word word word word word word word word word…"),
        ("x" * 100, "x" * 59 + "…"),
        ("空" * 100, "空" * 29 + "…"),
        ("a, " + "b" * 70, "a…"),
    ],
)
def test_beginning_of_a_text_is_its_first_words(text: str, beginning: str) -> None:
    """Of 60 columns at most, cut between words where there are any."""
    assert beginning_of(text) == beginning
