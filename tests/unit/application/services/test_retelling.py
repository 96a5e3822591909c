"""Stored answers, told as the streams that they were."""

import asyncio
import datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.services.answer_log import AnswerReader
from application.services.retelling import Retelling, StoredAnswer
from domain.answer import (
    UNKNOWN_CONTEXT,
    ChatDone,
    ChatEvent,
    ChatStarted,
    Delta,
    Reset,
    ToolCalled,
    ToolCallGrew,
)
from domain.attempt import Attempt
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, ThreadId
from domain.live_answer import RUN, Position
from domain.message import Message, TextPart, ToolCall
from domain.model import ModelRef
from domain.thread import StoredMessage
from domain.usage import NO_USAGE, Usage
from tests.support.positions import places, text_of, up_to

A, B = ModelRef("a", "x"), ModelRef("b", "y")
NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
CALL = ToolCall(id="c1", name="f", arguments="{}")
START = ChatStarted(
    message_id=MessageId("m"),
    thread_id=ThreadId("t"),
    session_id=SessionId("s"),
    model=A,
    prompt_version=None,
)
SAID = Usage(input_tokens=1, output_tokens=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def attempt(model: ModelRef = A, outcome: str = "ok", usage: Usage = SAID, **fields: Any) -> Attempt:
    return Attempt(model=model, outcome=outcome, started_at=NOW, usage=usage, **fields)


def answer(
    text: str = "Hello.", *attempts: Attempt, calls: tuple[ToolCall, ...] = (), **fields: Any
) -> StoredAnswer:
    message = StoredMessage(
        id=MessageId("m"),
        tenant=DEFAULT_TENANT,
        thread_id=ThreadId("t"),
        message=Message(role="assistant", parts=(TextPart(text=text),) if text else (), tool_calls=calls),
        model=A,
        finish_reason="stop",
        usage=SAID,
        cost_usd=Decimal("0.1"),
        latency_ms=5,
        created_at=NOW,
    )
    return StoredAnswer(
        message=attrs.evolve(message, **fields), attempts=attempts or (attempt(),), session_id=SessionId("s")
    )


async def read(stored: StoredAnswer, seen: Position = 0) -> tuple[list[ChatEvent], AnswerReader] | None:
    """All that is told, and the reader that took it."""
    reader = await Retelling(unit_of_work=None, formatters={}).reader(stored, seen=seen)  # type: ignore[arg-type]  # nothing is looked up
    if reader is None:
        return None
    events: list[ChatEvent] = []
    while reader.has_more:
        events.extend(reader.take().events)
    return events, reader


@given(
    texts=st.lists(TEXTS, min_size=1, max_size=4),
    resets=st.lists(st.booleans(), min_size=4, max_size=4),
    calls=st.booleans(),
    data=st.data(),
)
def test_what_was_got_live_and_the_rest_from_the_store_are_the_whole(
    texts: list[str], resets: list[bool], calls: bool, data: st.DataObject
) -> None:
    """Wherever the reader was cut off, with models changed in the middle and tools called: what it ends up with is the
    answer; and who has its end gets nothing more."""

    async def check() -> None:
        live: list[ChatEvent] = [START]
        attempts = [attempt()]
        for piece, again in zip(texts, resets, strict=False):
            if again and len(live) > 1:
                live.append(Reset(reason="x", from_model=A, to_model=B))
                attempts.insert(0, attempt(outcome="connection_lost"))
            live.append(Delta(piece))
        text = text_of(live)
        if calls:
            live += [ToolCallGrew(index=0, id="c1", name="f", arguments="{}"), ToolCalled(CALL)]
        stored = answer(text, *attempts, calls=(CALL,) if calls else ())
        seen = data.draw(st.sampled_from(places(live)))
        told = await read(stored, seen)
        assert told is not None
        events, reader = told

        assert text_of([*up_to(live, seen), *events]) == text
        assert isinstance(events[-1], ChatDone)
        assert await read(stored, reader.position) is None

        began = next((at for at, event in enumerate(events) if isinstance(event, Reset)), None)
        if began is not None:  # in a run of its own, whose places are all known
            run = reader.position // RUN * RUN
            inside = data.draw(st.sampled_from(places(events[began + 1 :], run)[:-1]))
            rest = await read(stored, inside)
            assert rest is not None
            assert not any(isinstance(event, Reset) for event in rest[0])
            assert text[: inside - run] + text_of(rest[0]) == text

    asyncio.run(check())


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ((), 0),
        ((attempt(),), 0),
        ((attempt(outcome="rate_limited", usage=NO_USAGE), attempt(B)), 0),
        ((attempt(outcome="skipped_breaker_open", usage=NO_USAGE), attempt(B)), 0),
        ((attempt(purpose="summary"), attempt(B)), 0),
        ((attempt(outcome="connection_lost"), attempt(B)), 1),
        ((attempt(), attempt()), 1),
    ],
)
def test_only_calls_that_said_something_made_a_stream_begin_again(
    attempts: tuple[Attempt, ...], expected: int
) -> None:
    """Those that failed before their first word were seen by nobody; asking again for valid JSON was."""
    stored = attrs.evolve(answer(), attempts=attempts)

    assert expected == stored.resets


@pytest.mark.parametrize(
    ("fields", "code", "retryable"),
    [
        ({"status": "failed", "error_code": "upstream_timeout"}, "upstream_timeout", True),
        ({"status": "failed", "error_code": "upstream_auth"}, "upstream_auth", False),
        ({"status": "failed", "error_code": None}, "internal_error", False),
        ({"status": "interrupted"}, "answer_interrupted", True),
        ({"status": "cancelled", "model": None}, "answer_stopped", False),
    ],
)
async def test_what_failed_before_it_said_anything_is_its_error_alone(
    fields: dict[str, Any], code: str, retryable: bool
) -> None:
    """By the code that is stored."""
    told = await read(answer("", **fields))

    assert told is not None
    events, reader = told
    assert events == []
    assert reader.ending is not None
    assert reader.ending.error is not None
    assert (code, retryable) == (reader.ending.error.code, reader.ending.error.retryable)


async def test_what_its_reader_left_or_stopped_is_done() -> None:
    """With what there is of it."""
    told = await read(answer("Half", status="incomplete", finish_reason=None))

    assert told is not None
    events, reader = told
    assert isinstance(events[0], ChatStarted)
    assert isinstance(events[-1], ChatDone)
    assert (events[-1].answer.finish_reason, events[-1].answer.output) == ("stopped", "Half")
    assert reader.ending is not None
    assert reader.ending.error is None


async def test_what_is_not_stored_is_not_made_up() -> None:
    """How much of the thread went into the prompt is nobody's knowledge any more."""
    told = await read(answer())

    assert told is not None
    done = told[0][-1]
    assert isinstance(done, ChatDone)
    assert done.answer.context is UNKNOWN_CONTEXT
