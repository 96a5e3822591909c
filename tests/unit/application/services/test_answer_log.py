"""The events of one answer and their readers."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.services import answer_log
from application.services.answer_log import LAG, MANY, PIECE, AnswerLog, AnswerReader
from domain.answer import ChatDone, ChatEvent, Delta, Reset, ToolCalled, ToolCallGrew
from domain.errors import LorError
from domain.live_answer import RUN, Ending, Portion
from domain.message import ToolCall
from domain.model import ModelRef
from tests.support.http import an_answer, started
from tests.support.positions import places, up_to

A, B = ModelRef("a", "x"), ModelRef("b", "y")
EVENTS = st.lists(
    st.one_of(
        st.text(min_size=1, max_size=8).map(Delta),
        st.integers(0, 3).map(lambda index: ToolCallGrew(index=index, arguments="{")),
        st.just(ToolCalled(ToolCall(id="c", name="f", arguments="{}"))),
        st.just(Reset(reason="x", from_model=A, to_model=B)),
    ),
    max_size=12,
)


def taken(reader: AnswerReader) -> list[ChatEvent]:
    """All that is there, by as many takes as it needs."""
    events: list[ChatEvent] = []
    while reader.has_more:
        portion = reader.take()
        assert portion.events
        events.extend(portion.events)
    return events


def joined(events: Sequence[ChatEvent]) -> list[ChatEvent]:
    """With texts that stand together as one: where they were cut says nothing."""
    found: list[ChatEvent] = []
    for event in events:
        if isinstance(event, Delta) and found and isinstance(found[-1], Delta):
            found[-1] = Delta(found[-1].text + event.text)
        else:
            found.append(event)
    return found


@given(events=EVENTS, batches=st.lists(st.integers(1, 4), min_size=12, max_size=12), data=st.data())
def test_what_was_got_before_a_cut_and_after_it_is_the_whole(
    events: list[ChatEvent], batches: list[int], data: st.DataObject
) -> None:
    """At every position, of a log that grows, one that has joined its texts, and one that pieces were taken of."""

    async def check() -> None:
        log, left = AnswerLog(), [started(), *events, ChatDone(an_answer())]
        whole = list(left)
        cut = data.draw(st.sampled_from(places(whole)))
        first = log.reader()
        before: list[ChatEvent] = []
        for size in batches:
            log.add(left[:size])
            del left[:size]
            before.extend(taken(first))
        log.add(left)
        before.extend(taken(first))
        log.end(Ending())
        live = taken(log.reader(cut))
        head = up_to(whole, cut)
        for reader in tuple(log._readers):
            reader.close()  # the last one joins the texts
        stored = log.reader(cut)

        assert before == whole
        assert joined([*head, *live]) == joined(whole)
        assert joined([*head, *taken(stored)]) == joined(whole)
        assert stored.ending == Ending()

    asyncio.run(check())


async def test_a_long_text_is_handed_out_in_pieces() -> None:
    """Each no longer than what may wait for a connection; positions go on inside it."""
    log = AnswerLog()
    log.add((started(), Delta("x" * (2 * PIECE + 5)), ChatDone(an_answer())))
    reader = log.reader()
    portions = []
    while reader.has_more:
        portions.append(reader.take())

    assert [sum(len(e.text) for e in p.events if isinstance(e, Delta)) for p in portions] == [
        PIECE - 1,
        PIECE,
        6,
    ]
    assert [p.begins for p in portions] == [0, PIECE, 2 * PIECE]
    assert reader.position == log.ends


async def test_many_events_are_joined_while_readers_keep_their_places() -> None:
    """A log of small pieces does not grow by events; a reader in the middle of them gets the rest."""
    log = AnswerLog()
    log.add((started(),))
    slow = log.reader()
    slow.take()
    for number in range(MANY + 10):
        log.add((Delta(str(number % 10)),))
        if number == 100:
            slow.take()
    text = "".join(str(number % 10) for number in range(MANY + 10))

    assert len(log._events) < 20
    assert joined(taken(slow)) == [Delta(text[101:])]
    assert joined(taken(log.reader(51))) == [Delta(text[50:])]


async def test_a_reader_waits_for_what_comes_and_for_the_end() -> None:
    """And no longer than it wants to."""
    log = AnswerLog()
    reader = log.reader()
    loop = asyncio.get_running_loop()
    loop.call_later(0.01, log.add, (Delta("a"),))
    await reader.wait(within_s=10)
    first = reader.take()
    await reader.wait(within_s=0.01)
    nothing = reader.take()
    loop.call_later(0.01, log.end, Ending())
    await reader.wait(within_s=10)

    assert first.events == [Delta("a")]
    assert not nothing.events
    assert reader.ending == Ending()


async def test_the_end_is_seen_once_all_is_taken() -> None:
    """A reader that is behind has no ending yet."""
    log = AnswerLog()
    log.add((Delta("a"),))
    log.end(Ending())
    reader = log.reader()
    early = reader.ending
    reader.take()

    assert (None, Ending()) == (early, reader.ending)


async def test_an_answer_waits_for_its_fastest_reader_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is behind holds nobody up while another keeps pace; if all are, it waits, but not for ever."""
    monkeypatch.setattr(answer_log, "STALL_S", 0.05)
    log = AnswerLog()
    fast, stuck = log.reader(), log.reader()
    log.add((Delta("x" * (LAG + 1)),))
    both_behind = log.is_ahead
    taken(fast)
    one_behind = log.is_ahead
    fast.close()
    alone = log.is_ahead
    async with asyncio.timeout(30):
        await log.room()

    assert (True, False, True) == (both_behind, one_behind, alone)
    assert stuck.is_slow
    assert not log.is_ahead


async def test_a_reader_that_catches_up_lets_the_answer_go_on() -> None:
    """So does the wish to end it."""
    log = AnswerLog()
    reader = log.reader()
    log.add((Delta("x" * (LAG + 1)),))
    waiting = asyncio.ensure_future(log.room())
    await asyncio.sleep(0.01)
    still = waiting.done()
    taken(reader)
    reader.moved()
    async with asyncio.timeout(30):
        await waiting
    log.add((Delta("x" * (LAG + 1)),))
    waiting = asyncio.ensure_future(log.room())
    await asyncio.sleep(0)
    log.release()
    async with asyncio.timeout(30):
        await waiting

    assert not still
    assert not reader.is_slow


async def test_the_last_reader_to_leave_is_told_of() -> None:
    """Once each time; closing twice is closing once."""
    left: list[int] = []
    log = AnswerLog(on_unread=lambda: left.append(1))
    one, two = log.reader(), log.reader()
    one.close()
    one.close()
    before = len(left)
    two.close()

    assert (0, 1) == (before, len(left))
    assert log.readers == 0


async def test_the_end_can_be_waited_for_without_reading() -> None:
    """By several at once, in time or not."""
    log = AnswerLog()
    early = await log.over(within_s=0.01)
    waiting = [asyncio.ensure_future(log.over(within_s=10)) for _ in range(2)]
    await asyncio.sleep(0)
    log.end(Ending())

    assert (False, [True, True], True) == (early, await asyncio.gather(*waiting), await log.over(within_s=0))


async def test_a_reader_from_the_future_waits_until_it_is_there() -> None:
    """A mirror that still catches up is behind a reader that saw more on another replica."""
    log = AnswerLog()
    reader = log.reader(6)
    log.add((started(), Delta("abc")))
    nothing = reader.take()
    log.add((Delta("defg"),))

    assert not nothing.events
    assert taken(reader) == [Delta("fg")]


@pytest.mark.parametrize("events", [(), (Delta("abc"),)])
async def test_a_reader_from_beyond_the_end_gets_the_end(events: tuple[ChatEvent, ...]) -> None:
    """Whatever it claims to have seen: its stream ends with `done`, or with the error."""
    whole, failed = AnswerLog(), AnswerLog()
    readers = [log.reader(seen=1000) for log in (whole, failed)]
    for log in (whole, failed):
        log.add([started(), *events])
    done = ChatDone(an_answer())
    whole.add([done])
    before = [reader.has_more for reader in readers]
    whole.end(Ending())
    failed.end(Ending(error=LorError("it failed")))

    assert [False, False] == before
    assert [[done], []] == [taken(reader) for reader in readers]
    assert [whole.ending, failed.ending] == [reader.ending for reader in readers]


async def test_a_log_may_begin_in_a_later_run() -> None:
    """A reader of less is one of its beginning."""
    log = AnswerLog(begins=3 * RUN)
    log.add((Delta("abc"),))

    assert log.reader(5).take().begins == 3 * RUN
    assert log.reader(3 * RUN + 1).take().events == [Delta("bc")]


def text_of(portion: Portion) -> str:
    return "".join(event.text for event in portion.events if isinstance(event, Delta))


async def test_a_waiting_reader_is_handed_what_comes_on_the_spot() -> None:
    """In order and without a gap, together with what it takes itself; what it refuses it is woken for."""
    log = AnswerLog()
    reader = log.reader()
    taken: list[str] = []
    accepts = True

    def take(portion: Portion) -> bool:
        if accepts:
            taken.append(text_of(portion))
        return accepts

    waiting = asyncio.create_task(reader.wait(within_s=5.0, on_the_spot=take))
    await asyncio.sleep(0)
    log.add((Delta("a"), Delta("b")))
    log.add((Delta("c"),))
    handed = list(taken)
    accepts = False
    log.add((Delta("d"),))
    await waiting
    rest = text_of(reader.take())

    assert handed == ["ab", "c"]
    assert rest == "d"
    assert reader.position == log.ends


async def test_a_large_portion_wakes_its_reader() -> None:
    """Who makes the answer does not write for long."""
    log = AnswerLog()
    reader = log.reader()
    waiting = asyncio.create_task(reader.wait(within_s=5.0, on_the_spot=lambda _portion: True))
    await asyncio.sleep(0)
    log.add((Delta("x" * 10_000),))
    await waiting

    assert text_of(reader.take()) == "x" * 10_000


async def test_many_short_events_are_taken_in_pieces() -> None:
    """Each costs bytes of its own on its way."""
    log = AnswerLog()
    reader = log.reader()
    log.add([Delta("x")] * 1500)

    assert [512, 512, 476] == [len(reader.take().events) for _ in range(3)]


async def test_arguments_of_tools_are_waited_for_and_counted_too() -> None:
    """They are as long as any text, and have one place."""
    log = AnswerLog()
    reader = log.reader()
    log.add([ToolCallGrew(index=0, arguments="x" * 10_000)] * 8)
    sizes = []
    was_ahead = log.is_ahead
    while reader.has_more:
        sizes.append(len(reader.take().events))

    assert log.size == 8 * 10_001
    assert was_ahead
    assert sizes == [2, 2, 2, 2]
    assert not log.is_ahead


async def test_a_reader_that_moves_does_not_hide_the_wish_to_stop() -> None:
    """Both may come in the same turn of the loop."""
    log = AnswerLog()
    reader = log.reader()
    log.add([Delta("x" * 200_000)])
    waiting = asyncio.create_task(log.room())
    await asyncio.sleep(0)
    reader.take()
    reader.moved()
    log.release()

    await asyncio.wait_for(waiting, 1.0)
