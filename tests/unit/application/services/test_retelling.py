"""Stored answers, told as the streams that they were."""

import asyncio
import datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.formatters.json import JSONFormatter
from application.services.answer_log import AnswerLog, AnswerReader
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
from domain.chat import FinishReason
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, ThreadId
from domain.live_answer import RUN, Ending, Position
from domain.message import Message, TextPart, ToolCall
from domain.model import ModelRef
from domain.thread import MessageStatus, StoredMessage
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


@pytest.mark.parametrize(
    ("status", "wants_json", "attempts", "expected"),
    [
        ("failed", True, (attempt(), attempt(outcome="server_error", usage=NO_USAGE)), 1),
        ("failed", True, (attempt(), attempt()), 2),
        ("cancelled", True, (attempt(),), 1),
        ("incomplete", True, (attempt(outcome="cancelled"),), 0),
        ("incomplete", False, (attempt(), attempt(outcome="connection_lost")), 1),
        ("complete", True, (attempt(),), 1),
        ("complete", False, (attempt(),), 0),
    ],
)
def test_a_whole_text_may_have_been_made_void(
    status: MessageStatus, wants_json: bool, attempts: tuple[Attempt, ...], expected: int
) -> None:
    """It was no valid JSON, and who was asked once more said nothing; or it held JSON, which was shown again alone."""
    stored = answer("", status=status)

    assert expected == attrs.evolve(stored, attempts=attempts, wants_json=wants_json).resets


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_whoever_holds_text_that_was_void_is_told_so(status: MessageStatus) -> None:
    """Of a second ask that failed, or was stopped, before it said anything: wherever its reader stands in the first, it
    gets the reset and the end; and once it has that, nothing more."""
    fields: dict[str, Any] = (
        {"error_code": "upstream_server_error", "model": None, "finish_reason": None}
        if status == "failed"
        else {"finish_reason": "stopped"}
    )
    void = attempt(), attempt(outcome="server_error", usage=NO_USAGE)
    stored = answer("", *void, status=status, **fields)
    live: list[ChatEvent] = [
        START,
        Delta("no JSON"),
        Reset(reason="output_invalid", from_model=A, to_model=A),
    ]
    for seen in places(live)[1:-1]:
        told = await read(stored, seen)
        assert told is not None
        events, reader = told
        assert "" == text_of([*up_to(live, seen), *events])
        assert isinstance(events[0], Reset)
        end = reader.position + (status == "failed")  # where its error stands
        assert await read(stored, end) is None
    last = await read(stored, RUN)
    assert last is not None
    assert not any(isinstance(event, Reset) for event in last[0])
    assert await read(stored, RUN + 1) is None


@pytest.mark.parametrize("beyond", [8, 9, 100, RUN - 2, RUN + 8, 7 * RUN + 9])
async def test_whoever_claims_to_have_seen_more_than_there_is_is_told_all(beyond: Position) -> None:
    """After a reset: nobody knows what that reader holds. The start and six characters are followed by the end."""
    stored, failed = answer(), answer(status="incomplete", error_code="upstream_timeout")
    ends = [await read(stored, 8), await read(failed, 8), await read(stored, RUN + 7)]
    told = [await read(each, beyond + 1) for each in (stored, failed)]

    assert [None] * 3 == ends
    for each in told:
        assert each is not None
        assert isinstance(each[0][0], Reset)
        assert text_of(each[0]) == "Hello."
        assert each[1].position > beyond + 1


async def test_what_was_never_begun_can_not_be_void() -> None:
    """A failure of which nothing is known but that: no model said anything. It is told once, in a run of its own."""
    stored = attrs.evolve(answer("", status="interrupted", model=None), attempts=())
    told = await read(stored, 5)

    assert told is not None
    assert [] == told[0]
    assert RUN == told[1].position
    assert await read(stored, RUN + 1) is None


async def test_a_place_that_the_store_told_of_is_not_one_of_an_own_log() -> None:
    """Another process told this one's answer from the store, in runs of its own: its places lie beyond the log's."""
    stored = answer("Hello.", attempt(outcome="connection_lost"), attempt())
    log = AnswerLog()
    log.add([START, Delta("Good"), Reset(reason="x", from_model=A, to_model=B), Delta("Hello.")])
    log.end(Ending())
    retelling = Retelling(unit_of_work=None, formatters={})  # type: ignore[arg-type]  # nothing is looked up
    rest = await retelling.rest(log, stored, seen=2 * RUN + 2)
    own = await retelling.rest(log, stored, seen=RUN + 2)

    assert rest is not None
    assert own is not None
    assert "llo." == text_of(rest.take().events) == text_of(own.take().events)
    assert await retelling.rest(log, stored, seen=RUN + 6) is None


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


async def test_what_was_stopped_before_a_model_answered_is_done() -> None:
    """While the thread was summarised, say: it has a start and an end, as its own stream had."""
    summary = attempt(outcome="cancelled", purpose="summary")
    stored = answer("", summary, status="cancelled", finish_reason="stopped")
    told = [await read(stored, seen) for seen in range(3)]

    assert told[0] is not None
    assert told[1] is not None
    start, done = told[0][0]
    assert isinstance(start, ChatStarted)
    assert isinstance(done, ChatDone)
    assert ([done], "stopped") == (told[1][0], done.answer.finish_reason)
    assert told[2] is None


async def test_what_is_not_stored_is_not_made_up() -> None:
    """How much of the thread went into the prompt is nobody's knowledge any more."""
    told = await read(answer())

    assert told is not None
    done = told[0][-1]
    assert isinstance(done, ChatDone)
    assert done.answer.context is UNKNOWN_CONTEXT


@pytest.mark.parametrize(
    ("finish_reason", "output"), [("length", '{"a": [{"b": 1}, {"b"'), ("stop", {"b": 1})]
)
async def test_json_that_was_cut_off_stays_a_text(finish_reason: FinishReason, output: Any) -> None:
    """As it was when it was made: no part of it is taken for the whole."""
    text = '{"a": [{"b": 1}, {"b"'
    stored = attrs.evolve(answer(text, format="json", finish_reason=finish_reason), wants_json=True)
    retelling = Retelling(unit_of_work=None, formatters={"json": JSONFormatter()})  # type: ignore[arg-type]  # nothing is looked up
    reader = await retelling.reader(stored, seen=0)

    assert reader is not None
    done = reader.take().events[-1]
    assert isinstance(done, ChatDone)
    assert done.answer.output == output
