"""What goes with a rated answer into an export."""

import datetime
from collections.abc import Sequence

import attrs

from domain.ids import DEFAULT_TENANT, MessageId, ThreadId
from domain.message import Message, ToolCall
from domain.rated_conversation import MAX_MESSAGES, conversation_of
from domain.thread import MessageStatus, StoredMessage

NOON = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
CALL = ToolCall(id="call_1", name="find", arguments='{"q": "x"}')


@attrs.define
class Talk:
    """A thread that grows."""

    stored: list[StoredMessage] = attrs.field(factory=list)

    def say(
        self, message: Message, *, parent: MessageId | None = None, status: MessageStatus = "complete"
    ) -> StoredMessage:
        position = len(self.stored)
        self.stored.append(
            StoredMessage(
                id=MessageId(f"m{position}"),
                tenant=DEFAULT_TENANT,
                thread_id=ThreadId("t"),
                position=position,
                message=message,
                status=status,
                parent=parent,
                created_at=NOON + datetime.timedelta(minutes=position),
            )
        )
        return self.stored[-1]

    def chat(
        self, question: str, answer: str | Message, *, status: MessageStatus = "complete"
    ) -> StoredMessage:
        asked = self.say(Message.of("user", question))
        reply = Message.of("assistant", answer) if isinstance(answer, str) else answer
        return self.say(reply, parent=asked.id, status=status)

    def before(self, answer: StoredMessage) -> Sequence[StoredMessage]:
        """Up to the turn that it answers, with it."""
        index = next(index for index, each in enumerate(self.stored) if each.id == answer.parent)
        return self.stored[: index + 1]


def _texts(messages: Sequence[Message]) -> list[str]:
    return [message.text or message.role for message in messages]


def test_answer_comes_with_what_was_said_before() -> None:
    """Whole exchanges, oldest first; what came later is left out."""
    talk = Talk()
    talk.chat("a", "A")
    answer = talk.chat("b", "B")
    talk.chat("c", "C")

    assert _texts(conversation_of(answer, talk.before(answer))) == ["a", "A", "b", "B"]


def test_exchanges_that_failed_are_left_out() -> None:
    """No later chat saw them; a failed answer that was rated has its own."""
    talk = Talk()
    talk.chat("a", "A")
    failed = talk.chat("b", "", status="failed")
    answer = talk.chat("c", "C")

    assert _texts(conversation_of(answer, talk.before(answer))) == ["a", "A", "c", "C"]
    assert _texts(conversation_of(failed, talk.before(failed))) == ["a", "A", "b", "assistant"]


def test_regenerated_answer_stands_in_the_place_of_the_first() -> None:
    """Each with what it answered, and a later one with the newest."""
    talk = Talk()
    talk.chat("a", "A")
    first = talk.chat("b", "B1")
    second = talk.say(Message.of("assistant", "B2"), parent=first.parent)
    answer = talk.chat("c", "C")

    assert _texts(conversation_of(first, talk.before(first))) == ["a", "A", "b", "B1"]
    assert _texts(conversation_of(second, talk.before(second))) == ["a", "A", "b", "B2"]
    assert _texts(conversation_of(answer, talk.before(answer))) == ["a", "A", "b", "B2", "c", "C"]


def test_answer_to_a_tools_result_comes_with_the_call() -> None:
    """All of its exchange: question, call, result."""
    talk = Talk()
    called = talk.chat("a", Message(role="assistant", tool_calls=(CALL,)))
    result = talk.say(attrs.evolve(Message.of("tool", "42"), tool_call_id="call_1"))
    answer = talk.say(Message.of("assistant", "A"), parent=result.id)

    assert _texts(conversation_of(answer, talk.before(answer))) == ["a", "assistant", "42", "A"]
    assert _texts(conversation_of(called, talk.before(called))) == ["a", "assistant"]


def test_oldest_exchanges_go_where_there_are_too_many() -> None:
    """Whole ones; the one that the answer ends is kept whatever its length."""
    talk = Talk()
    for number in range(40):
        talk.chat(f"q{number}", f"a{number}")
    answer = talk.chat("last", "answer")
    long = Talk()
    long.chat("a", "A")
    long.say(Message.of("user", "turn 0"))
    for number in range(1, 2 * MAX_MESSAGES):
        long.say(Message.of("user", f"turn {number}"), parent=long.stored[-1].id)
    reply = long.say(Message.of("assistant", "done"), parent=long.stored[-1].id)

    kept = conversation_of(answer, talk.before(answer))
    assert (len(kept), kept[0].text) == (MAX_MESSAGES, "q16")
    assert len(conversation_of(reply, long.before(reply))) == 2 * MAX_MESSAGES + 1


def test_first_exchange_of_a_cut_thread_is_left_out() -> None:
    """It may be half of one."""
    talk = Talk()
    talk.chat("a", "A")
    talk.chat("b", "B")
    answer = talk.chat("c", "C")

    kept = conversation_of(answer, talk.before(answer), is_cut=True)
    assert _texts(kept) == ["b", "B", "c", "C"]


def test_answer_of_which_the_question_is_gone_has_no_conversation() -> None:
    """Retention took it, or it never had one."""
    talk = Talk()
    talk.chat("a", "A")
    answer = talk.chat("b", "B")

    assert conversation_of(answer, ()) == ()
    assert conversation_of(answer, talk.stored[:1]) == ()
