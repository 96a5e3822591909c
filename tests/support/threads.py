"""Threads as they are stored, made from a few words, for tests of memory."""

import datetime
from collections.abc import Sequence
from typing import Literal, TypeAlias

import attrs

from domain.ids import DEFAULT_TENANT, MessageId, SessionId, ThreadId
from domain.message import Message, ToolCall
from domain.thread import Conversation, MessageStatus, Session, StoredMessage, Thread, ThreadSummary

Step: TypeAlias = Literal["chat", "long", "failed", "call", "result", "again", "again failed"]
"""A chat of one turn, of two turns, without an answer, answered with a tool call, with that call's result, and the
last answer regenerated, with and without success."""

STEPS: tuple[Step, ...] = ("chat", "long", "failed", "call", "result", "again", "again failed")
_NOON = datetime.datetime(2026, 10, 1, 12, tzinfo=datetime.UTC)
SESSION = Session(id=SessionId("s"), tenant=DEFAULT_TENANT, created_at=_NOON)


@attrs.define
class ThreadMaker:
    """Appends what chats would leave behind; with `parents` as False, as chats did before parents were stored."""

    parents: bool = True
    messages: list[StoredMessage] = attrs.field(factory=list)
    _chats: int = 0

    def step(self, step: Step) -> None:
        last = self.messages[-1] if self.messages else None
        if step in ("again", "again failed"):
            if last is not None:
                turn = last.parent or self.messages[-2].id
                self.chat((), status="complete" if step == "again" else "failed", parent=turn)
            return
        if step == "result":
            waiting = None if last is None else last.message.tool_calls
            if waiting:
                turns = [attrs.evolve(Message.of("tool", "found"), tool_call_id=call.id) for call in waiting]
                self.chat(turns)
            return
        number = len(self.messages)
        turns = [Message.of("user", f"question {number}")]
        if step == "long":
            turns.append(Message.of("user", f"and {number}"))
        answer = None
        if step == "call":
            calls = tuple(ToolCall(id=f"c{number}-{n}", name="look", arguments="{}") for n in range(2))
            answer = Message(role="assistant", tool_calls=calls)
        self.chat(turns, answer, status="failed" if step == "failed" else "complete")

    def chat(
        self,
        turns: Sequence[Message],
        answer: Message | None = None,
        *,
        status: MessageStatus = "complete",
        parent: MessageId | None = None,
    ) -> None:
        self._chats += 1
        for turn in turns:
            parent = self._append(turn, parent, "complete")
        self._append(answer or Message.of("assistant", f"answer {len(self.messages)}"), parent, status)

    def pin(self, *positions: int) -> None:
        for position in positions:
            self.messages[position] = attrs.evolve(self.messages[position], pinned=True)

    def conversation(
        self, depth: int, *, summary: ThreadSummary | None = None, below: int | None = None
    ) -> Conversation:
        """As a ConversationReader would give it, with one message more than `depth`."""
        complete = [
            each
            for each in self.messages[: len(self.messages) if below is None else below]
            if each.status == "complete"
        ]
        recent = complete[-(depth + 1) :]
        older = complete[: len(complete) - len(recent)]
        return Conversation(
            session=SESSION,
            thread=Thread(
                id=ThreadId("t"),
                tenant=DEFAULT_TENANT,
                session_id=SESSION.id,
                length=len(self.messages),
                created_at=_NOON,
            ),
            recent=tuple(recent),
            pinned=tuple(each for each in older if each.pinned),
            summary=summary,
        )

    def _append(self, message: Message, parent: MessageId | None, status: MessageStatus) -> MessageId:
        position = len(self.messages)
        stored = StoredMessage(
            id=MessageId(f"m{position}"),
            tenant=DEFAULT_TENANT,
            thread_id=ThreadId("t"),
            position=position,
            message=message,
            status=status,
            parent=parent if self.parents else None,
            created_at=_NOON + datetime.timedelta(minutes=self._chats),
        )
        self.messages.append(stored)
        return stored.id


def thread_of(*steps: Step, parents: bool = True) -> ThreadMaker:
    maker = ThreadMaker(parents)
    for step in steps:
        maker.step(step)
    return maker
