"""Rows of usual chats, written out as text, say what the rows of every chat say."""

import datetime
import json
from decimal import Decimal
from typing import Any

import attrs
import pytest

from adapters.persistence.batch import Batch
from adapters.persistence.json_codec import encode_json
from adapters.persistence.postgresql_rows import UsualRows
from adapters.persistence.rows import Row
from adapters.persistence.thread_counters import ThreadCounters
from domain.feedback import Feedback
from domain.ids import MessageId, ThreadId
from domain.limits.budget import Spend, Subject
from domain.message import ImagePart, Message
from domain.model import ModelRef
from domain.thread import ChatRecord
from domain.usage import NO_USAGE, Usage
from tests.support.records import new_chat

_ESTIMATED = Usage(input_tokens=1, output_tokens=2, estimated=True)
_SPENDS = (
    Spend(
        subject=Subject("key", "k1"),
        period="day",
        starts_at=datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC),
        amount_usd=Decimal("0.000123456789"),
    ),
    Spend(
        subject=Subject("thread", "t1"),
        period="total",
        starts_at=datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC),
        amount_usd=Decimal("1E-7"),
    ),
)


def _usual(prompt: str = "Hello?", answer: str = "Hello!") -> ChatRecord:
    """What callers said without metadata, and budgets that it is spent of."""
    record = new_chat(prompt, answer)
    asked, answered = record.messages
    asked = attrs.evolve(asked, metadata=())
    answered = attrs.evolve(answered, parent=asked.id)
    return attrs.evolve(record, messages=(asked, answered), spends=_SPENDS)


def _answer(record: ChatRecord, **changes: Any) -> ChatRecord:
    *turns, answer = record.messages
    return attrs.evolve(record, messages=(*turns, attrs.evolve(answer, **changes)))


def _turn(record: ChatRecord, **changes: Any) -> ChatRecord:
    asked, answer = record.messages
    return attrs.evolve(record, messages=(attrs.evolve(asked, **changes), answer))


def _attempt(record: ChatRecord, **changes: Any) -> ChatRecord:
    return attrs.evolve(record, attempts=(attrs.evolve(record.attempts[0], **changes),))


_BESIDE = ("tried_at", "tried_ms", "tried_status", "tried_bucket", "latency_bucket", "response_id", "user")
"""What an answer's row carries of its attempt: what becomes of it is tested on a database (`test_usual_tries.py`)."""


def _named(row: Row) -> Row:
    """What it says beyond what the database puts where it says nothing."""
    surplus: tuple[str, ...] = _BESIDE if "role" in row else ()
    if not row.get("continues"):
        surplus = (*surplus, "continues")
        if "position" not in row:
            surplus = (*surplus, "thread_id")
    return {name: value for name, value in row.items() if name not in surplus and value is not None}


def _said(record: ChatRecord) -> dict[str, list[Row]] | None:
    """By table; None for a chat that is not usual."""
    counters, rows = ThreadCounters(), UsualRows()
    first, continues = counters.place(record)
    if not rows.add(record, first=first, continues=continues):
        return None
    for counter in counters.made.values():
        assert rows.add_thread(counter)
    return {
        name: [_named(json.loads(row)) for row in getattr(rows, name)]
        for name in ("sessions", "threads", "messages", "spends")
    }


def _meant(record: ChatRecord) -> dict[str, list[Row]]:
    batch = Batch.of([record])
    return {
        name: [_named(row) for row in json.loads(encode_json(getattr(batch, name)))]
        for name in ("sessions", "threads", "messages", "spends")
    }


_USUAL = {
    "as it is": _usual(),
    "anonymous": attrs.evolve(_usual(), session=attrs.evolve(_usual().session, user=None)),
    "continued": attrs.evolve(_usual(), new_session=False, new_thread=False),
    "odd text": _usual('"\\ \n\t\x1f ü 🙂 \\u0000', "\u2028</script>"),
    "without a price": _answer(_attempt(_usual(), cost_usd=None), cost_usd=None),
    "free": _answer(_attempt(_usual(), cost_usd=Decimal(0)), cost_usd=Decimal(0)),
    "estimated": _answer(_attempt(_usual(), usage=_ESTIMATED), usage=_ESTIMATED),
    "of a prompt and a key": _answer(_usual(), prompt_version="p@3", prompt_label="live", key_id="k1"),
    "with few words": _answer(_usual(), format=None, finish_reason=None, parent=None),
    "no status": _attempt(_usual(), status=None, response_id=None),
    "counted turn": _turn(_usual(), message=attrs.evolve(Message.of("user", "x"), token_count=3)),
    "answer to another": _turn(_usual(), parent=MessageId("m0")),
}
_UNUSUAL = {
    "more was tried than used": _attempt(_usual(), usage=NO_USAGE),
    "more was paid than told": _attempt(_usual(), cost_usd=Decimal("0.5")),
    "another model was asked": _attempt(_usual(), model=ModelRef("anthropic", "claude")),
    "failed": _answer(_usual(), status="failed", error_code="timeout"),
    "cancelled": _answer(_usual(), status="cancelled"),
    "retried": attrs.evolve(_usual(), attempts=_usual().attempts * 2),
    "without an attempt": attrs.evolve(_usual(), attempts=()),
    "attempt of a summary": _attempt(_usual(), purpose="summary"),
    "rated": _answer(_usual(), feedback=Feedback(rating=5, given_at=_usual().messages[0].created_at)),
    "pinned": _answer(_usual(), pinned=True),
    "pinned turn": _turn(_usual(), pinned=True),
    "metadata": _answer(_usual(), metadata=(("a", "b"),)),
    "metadata of a turn": new_chat(),
    "copied turn": _turn(_usual(), copied_from=MessageId("m0")),
    "picture": _turn(_usual(), message=Message(role="user", parts=(ImagePart(url="http://x"),))),
    "empty answer": _answer(_usual(), message=Message(role="assistant")),
    "NUL": _usual("a\0b"),
    "lone surrogate": _usual("a\ud800b"),
    "quote in a name": _attempt(_usual(), response_id='x","number":7,"y":"'),
    "backslash in a name": _answer(_usual(), prompt_version="p\\"),
    "NUL in a name": _answer(_usual(), prompt_version="p\0"),
    "another script in a name": _answer(_usual(), prompt_version="ü"),
    "surrogate in a name": _answer(_usual(), prompt_version="\ud800"),
    "user with a quote": attrs.evolve(_usual(), session=attrs.evolve(_usual().session, user='"')),
    "turn of another thread": _turn(_usual(), thread_id=ThreadId("t0")),
}


@pytest.mark.parametrize("case", _USUAL)
def test_usual_chat_says_the_same(case: str) -> None:
    """Every column of every table, but for those that hold nothing."""
    assert _meant(_USUAL[case]) == _said(_USUAL[case])


@pytest.mark.parametrize("case", _UNUSUAL)
def test_other_chats_are_left_to_the_encoder(case: str) -> None:
    """What the text was not made for is not forced into it."""
    assert _said(_UNUSUAL[case]) is None


@pytest.mark.parametrize(
    "changes",
    [{"title": "a"}, {"tags": ("a",)}, {"forked_from": MessageId("m0")}],
    ids=["title", "tags", "fork"],
)
def test_thread_with_more_to_say_is_left_to_the_encoder(changes: dict[str, Any]) -> None:
    """A name may hold anything."""
    counters, record = ThreadCounters(), _usual()
    counters.place(attrs.evolve(record, thread=attrs.evolve(record.thread, **changes)))

    assert [UsualRows().add_thread(counter) for counter in counters.made.values()] == [False]
