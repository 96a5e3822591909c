"""What a thread gives to the next prompt."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import memory as memory_module
from domain.answer import ContextUse, LeftOut
from domain.memory import NO_MEMORY, choose_memory, context_use
from domain.message import Message
from domain.model import ModelRef
from domain.summary_turn import summary_turn
from domain.thread import ThreadSummary
from tests.support.threads import SESSION, STEPS, Step, ThreadMaker, thread_of

steps = st.lists(st.sampled_from(STEPS), max_size=14)
depths = st.integers(0, 24)


def chosen(maker: ThreadMaker, depth: int) -> list[int | None]:
    return [each.position for each in choose_memory(maker.conversation(depth), depth=depth).chosen]


def reasons(maker: ThreadMaker, depth: int) -> dict[int | None, str]:
    memory = choose_memory(maker.conversation(depth), depth=depth)
    return {each.stored.position: each.reason for each in memory.left}


def summary_to(up_to: int) -> ThreadSummary:
    return ThreadSummary(
        up_to=up_to,
        text="They talked.",
        token_count=3,
        model=ModelRef("a", "cheap"),
        created_at=SESSION.created_at,
    )


def test_turn_behind_an_answer_of_the_same_request_begins_an_exchange() -> None:
    """A caller's own history was stored: each of its turns names the one before it."""
    maker = thread_of("chat", "chat", "chat")
    conversation = maker.conversation(10)
    asked, answered, second, *rest = conversation.recent
    linked = attrs.evolve(second, parent=answered.id)
    recent = (asked, answered, linked, *rest)
    memory = choose_memory(attrs.evolve(conversation, recent=recent), depth=10)
    cut = choose_memory(attrs.evolve(conversation, recent=recent[2:]), depth=10)

    assert [0, 1, 2, 3, 4, 5] == [each.position for each in memory.chosen]
    assert [4, 5] == [each.position for each in cut.chosen]


def test_failed_turns_and_superseded_answers_use_up_no_depth() -> None:
    """The four messages that can go in do, whatever lies between them; what lies behind them is passed over."""
    maker = thread_of("chat", "failed", "chat", "again", "failed")

    assert [0, 1, 4, 6] == [each.position for each in choose_memory(maker.conversation(10), depth=4).chosen]
    assert {2: "unanswered", 5: "superseded", 7: "unanswered"} == {
        each.stored.position: each.reason for each in choose_memory(maker.conversation(10), depth=4).left
    }


def test_what_was_read_tells_how_much_of_it_is_usable() -> None:
    """Answers to the same unread turn are one; a second turn of a chat whose first was not read is cut."""
    regenerated = thread_of("chat", "again", "again", "again")
    cut = thread_of("chat", "long", "failed")
    memory = choose_memory(cut.conversation(2), depth=2)

    assert choose_memory(regenerated.conversation(2), depth=2).usable == 1
    assert choose_memory(regenerated.conversation(10), depth=2).usable == 2
    assert (memory.usable, memory.chosen) == (2, ())


def test_last_exchanges_come_in_order() -> None:
    """Four of six messages, the oldest exchange stays behind the depth."""
    maker = thread_of("chat", "chat", "chat")

    assert [2, 3, 4, 5] == chosen(maker, 4)
    assert reasons(maker, 4) == {}


def test_exchange_that_the_depth_cuts_stays_out() -> None:
    """Three messages reach into the middle of an exchange."""
    maker = thread_of("chat", "chat", "chat")

    assert [4, 5] == chosen(maker, 3)
    assert reasons(maker, 3) == {3: "cut_by_depth"}


def test_depth_that_begins_with_a_whole_exchange_cuts_nothing() -> None:
    """The message before the window tells that the first turn in it is the first of its chat."""
    maker = thread_of("long", "long")

    assert [3, 4, 5] == chosen(maker, 3)
    assert reasons(maker, 2) == {4: "cut_by_depth", 5: "cut_by_depth"}


@pytest.mark.parametrize("parents", [True, False])
def test_turn_whose_answer_failed_stays_out(parents: bool) -> None:
    """A question without an answer would make two user turns in a row; the gap in the positions shows it."""
    maker = thread_of("chat", "failed", "chat", parents=parents)

    assert [0, 1, 4, 5] == chosen(maker, 10)
    assert reasons(maker, 10) == {2: "unanswered"}


def test_turn_of_another_chat_shows_that_the_one_before_was_not_answered() -> None:
    """A fork may end with a question; what is asked next is another chat."""
    maker = thread_of("chat", "chat", "chat")
    del maker.messages[3]
    for position, each in enumerate(maker.messages):
        maker.messages[position] = attrs.evolve(each, position=position)

    assert [0, 1, 3, 4] == chosen(maker, 10)
    assert reasons(maker, 10) == {2: "unanswered"}


@pytest.mark.parametrize("parents", [True, False])
def test_turns_of_one_chat_stay_together(parents: bool) -> None:
    """Both questions and the answer to them, also where no parents are stored."""
    maker = thread_of("long", "chat", parents=parents)

    assert [0, 1, 2, 3, 4] == chosen(maker, 10)


def test_call_with_results_and_answer_is_one_exchange() -> None:
    """Never half a tool call: all six messages or none."""
    maker = thread_of("call", "result", "chat")

    assert [0, 1, 2, 3, 4, 5, 6] == chosen(maker, 10)
    assert [5, 6] == chosen(maker, 6)
    assert {1: "cut_by_depth", 2: "cut_by_depth", 3: "cut_by_depth", 4: "cut_by_depth"} == reasons(maker, 6)


def test_call_without_its_result_stays_out_with_its_question() -> None:
    """Every vendor answers 400 to a call that has no result."""
    maker = thread_of("chat", "call", "chat", "call")

    assert [0, 1, 4, 5] == chosen(maker, 10)
    assert {2: "open_tool_call", 3: "open_tool_call", 6: "open_tool_call", 7: "open_tool_call"} == reasons(
        maker, 10
    )


def test_results_are_sent_again_after_a_failure() -> None:
    """The first ones have no answer; the second ones take their place."""
    maker = thread_of("call", "result")
    maker.messages[4] = attrs.evolve(maker.messages[4], status="failed")
    results = [maker.messages[position].message for position in (2, 3)]
    maker.chat(results)

    assert [0, 1, 5, 6, 7] == chosen(maker, 10)
    assert reasons(maker, 10) == {2: "unanswered", 3: "unanswered"}


def test_newest_answer_of_a_turn_counts() -> None:
    """It stands where the first one was; a regeneration that failed changes nothing."""
    maker = thread_of("chat", "again", "again failed", "chat")

    assert [0, 2, 4, 5] == chosen(maker, 10)
    assert reasons(maker, 10) == {1: "superseded"}


def test_answer_that_was_regenerated_after_a_failure_counts() -> None:
    """The gap in the positions is no gap between the turn and its child."""
    maker = thread_of("failed", "again", "chat")

    assert [0, 2, 3, 4] == chosen(maker, 10)


def test_pinned_exchange_stays_whatever_its_age() -> None:
    """In its order, and marked for the budget."""
    maker = thread_of("chat", "chat", "chat", "chat")
    maker.pin(0, 1)
    memory = choose_memory(maker.conversation(2), depth=2)

    assert [0, 1, 6, 7] == [each.position for each in memory.chosen]
    assert [True, True, False, False] == [each.pinned for each in memory.messages]
    assert memory.use == ContextUse(injected=4, dropped=0, pinned=2)


def test_depth_of_nothing_injects_nothing() -> None:
    """Pinned messages neither."""
    maker = thread_of("chat")
    maker.pin(0, 1)

    assert choose_memory(maker.conversation(0), depth=0) is NO_MEMORY


def test_size_limit_takes_the_oldest_and_leaves_no_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small old exchange behind a large one stays out too; pinned ones have room first."""
    monkeypatch.setattr(memory_module, "MAX_MEMORY_CHARACTERS", 100)
    maker = ThreadMaker()
    for text in ("pinned", "small", "x" * 60, "new"):
        maker.chat([Message.of("user", text)], Message.of("assistant", text))
    maker.pin(0, 1)

    assert [0, 1, 6, 7] == chosen(maker, 10)
    assert {2: "size_limit", 3: "size_limit", 4: "size_limit", 5: "size_limit"} == reasons(maker, 10)


def test_summary_stands_for_what_it_covers() -> None:
    """Messages up to its cover are no part of the window, pinned ones aside."""
    maker = thread_of("chat", "chat", "chat", "chat")
    maker.pin(0, 1)
    memory = choose_memory(maker.conversation(10), depth=10, summary=summary_to(3))

    assert [0, 1, 4, 5, 6, 7] == [each.position for each in memory.chosen]
    assert (memory.summary, memory.summary_token_count, memory.cover) == ("They talked.", 3, 3)
    assert memory.use == ContextUse(injected=6, pinned=2, summarised=4)


def test_stored_token_counts_are_handed_on() -> None:
    """The very message, so that nothing is counted twice."""
    maker = thread_of("chat")
    maker.messages[1] = attrs.evolve(
        maker.messages[1], message=attrs.evolve(maker.messages[1].message, token_count=7)
    )
    memory = choose_memory(maker.conversation(10), depth=10)

    assert [None, 7] == [each.token_count for each in memory.messages]
    assert memory.messages[0] is maker.messages[0].message


def test_what_the_budget_trimmed_is_added_to_what_stayed_out() -> None:
    """The use is told from the history as it was sent."""
    memory = choose_memory(thread_of("failed", "chat", "chat").conversation(10), depth=10)

    assert context_use(None, ()) == ContextUse()
    assert context_use(memory, memory.messages) == memory.use
    assert context_use(memory, memory.messages[2:]) == ContextUse(
        injected=2,
        dropped=3,
        left_out=(LeftOut(reason="unanswered", messages=1), LeftOut(reason="token_budget", messages=2)),
    )


def test_summary_that_the_budget_left_out_is_told() -> None:
    """With the messages that it stood for; those behind it are counted as ever."""
    memory = choose_memory(thread_of("chat", "chat").conversation(4), depth=4, summary=summary_to(1))

    assert context_use(memory, (summary_turn("They talked.", 3), *memory.messages)) == memory.use
    assert context_use(memory, memory.messages) == ContextUse(
        injected=2, dropped=2, left_out=(LeftOut(reason="summary_too_large", messages=2),)
    )
    assert context_use(memory, ()).left_out == (
        LeftOut(reason="summary_too_large", messages=2),
        LeftOut(reason="token_budget", messages=2),
    )


def test_summary_takes_of_the_room_for_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are injected."""
    maker = thread_of("chat", "chat")
    size = sum(len(each.message.text) for each in maker.messages[2:])
    monkeypatch.setattr(memory_module, "MAX_MEMORY_CHARACTERS", size + len("They talked."))
    fits = choose_memory(maker.conversation(4), depth=4, summary=summary_to(1))
    monkeypatch.setattr(memory_module, "MAX_MEMORY_CHARACTERS", size + len("They talked.") - 1)
    exceeds = choose_memory(maker.conversation(4), depth=4, summary=summary_to(1))

    assert (fits.use.injected, exceeds.use.injected) == (2, 0)


@given(steps, depths, st.booleans(), st.sets(st.integers(0, 60)), st.none() | st.integers(0, 20))
def test_memory_is_whole_exchanges_within_the_depth(
    taken: list[str], depth: int, parents: bool, pins: set[int], cover: int | None
) -> None:
    """Whatever was said, failed, called, regenerated and pinned."""
    maker = thread_of(*taken, parents=parents)  # type: ignore[arg-type] # each of STEPS
    for position in pins:
        if position < len(maker.messages):
            maker.pin(position)
    conversation = maker.conversation(depth)
    summary = None if cover is None else summary_to(cover)
    memory = choose_memory(conversation, depth=depth, summary=summary)
    positions = [each.position for each in memory.chosen]
    uncovered = [each for each in conversation.recent if cover is None or (each.position or 0) > cover]

    assert memory == choose_memory(conversation, depth=depth, summary=summary)
    assert positions == sorted(positions, key=lambda each: each or 0)
    assert len(set(positions)) == len(positions)
    assert memory.use.injected - memory.use.pinned <= depth
    assert (len(memory.chosen), len(memory.left)) == (memory.use.injected, memory.use.dropped)
    assert sum(each.messages for each in memory.use.left_out) == memory.use.dropped
    pinned = {each.id for each in (*conversation.pinned, *conversation.recent) if each.pinned}
    told = {each.id for each in memory.chosen} | {each.stored.id for each in memory.left}
    if depth:
        assert pinned <= told
        assert {each.id for each in uncovered[-depth:]} <= told
        assert memory.usable <= len(uncovered)
        counted = [each for each in memory.left if each.reason in ("cut_by_depth", "size_limit")]
        beside = [each for each in memory.chosen if each.id not in pinned]
        assert len(counted) + len(beside) <= depth + len(pinned)
    assert all(each.status == "complete" for each in memory.chosen)
    _assert_whole(memory.messages)


@given(steps, st.integers(1, 12))
def test_reading_deeper_changes_nothing_where_the_depth_is_used_up(taken: list[str], depth: int) -> None:
    """One message more than the depth is enough, unless fewer than `depth` of them are usable."""
    maker = thread_of(*taken)  # type: ignore[arg-type] # each of STEPS
    memory = choose_memory(maker.conversation(depth), depth=depth)
    whole = choose_memory(maker.conversation(1000), depth=depth)

    if memory.usable >= depth or len(maker.conversation(depth).recent) <= depth:
        assert [each.position for each in memory.chosen] == [each.position for each in whole.chosen]
    assert memory.use.injected <= whole.use.injected


@given(steps, st.integers(2, 12), st.integers(0, 12), st.sampled_from(["failed", "again"]))
def test_turns_that_can_not_go_in_use_up_no_depth(
    taken: list[str], depth: int, times: int, useless: Step
) -> None:
    """As much is injected after failed sends, and after regenerations, as before them."""
    maker = thread_of(*taken, "chat")  # type: ignore[arg-type] # each of STEPS
    before = choose_memory(maker.conversation(1000), depth=depth).use.injected
    for _ in range(times):
        maker.step(useless)
    after = choose_memory(maker.conversation(1000), depth=depth)

    assert after.use.injected == before
    assert after.use.dropped >= times


def _assert_whole(messages: tuple[Message, ...]) -> None:
    """Begins with the user, ends with an answer, and calls are followed by all of their results."""
    if messages:
        assert (messages[0].role, messages[-1].role) == ("user", "assistant")
    waiting: set[str] = set()
    for message in messages:
        if message.role == "tool":
            assert message.tool_call_id in waiting
            waiting.discard(message.tool_call_id or "")
        else:
            assert waiting == set()
        waiting |= {call.id for call in message.tool_calls}
    assert waiting == set()
