"""Stored messages as exchanges: what a caller said, the answer to it, and the tool calls on the way."""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import attrs

from domain.ids import MessageId
from domain.thread import StoredMessage
from domain.values import frozen

BrokenReason: TypeAlias = Literal["unanswered", "superseded", "open_tool_call"]


@frozen(kw_only=True)
class Exchange:
    """The caller's turns up to the answer; each tool call is followed by all of its results."""

    messages: tuple[StoredMessage, ...]

    @property
    def pinned(self) -> bool:
        """Whether one of its messages is: it stays whole."""
        for each in self.messages:  # noqa: SIM110 - half the cost of any() with a generator, in every chat
            if each.pinned:
                return True
        return False

    @property
    def characters(self) -> int:
        """Of texts and tool calls."""
        characters = 0
        for each in self.messages:
            message = each.message
            characters += len(message.text)
            for call in message.tool_calls:
                characters += len(call.arguments)
        return characters


@frozen(kw_only=True)
class Exchanges:
    """All messages that were grouped: each is in one of the three."""

    whole: tuple[Exchange, ...]
    """In the order of their first turns."""
    broken: tuple[tuple[StoredMessage, BrokenReason], ...]
    """Messages that are no part of a whole exchange."""
    open: tuple[StoredMessage, ...]
    """The turns at the end that wait for an answer; a call among them has its results."""


def exchanges_of(stored: Iterable[StoredMessage]) -> Exchanges:
    """Groups complete messages of one thread, given by position; failed and cut ones are not among them.

    So a turn without an answer shows by a gap in the positions behind it, or by another chat's turn. An answer
    is tied to its turn by `parent`, and by its position where that is unknown; of the answers of one parent
    the last one counts.
    """
    return _grouped(stored).end()


def _grouped(stored: Iterable[StoredMessage]) -> "_Grouping":
    grouping = _Grouping()
    for each in stored:
        role = each.message.role
        if role == "assistant":
            grouping.answer(each)
        elif role == "tool":
            grouping.result(each)
        else:
            grouping.turn(each)
    return grouping


def waiting_turns(stored: Iterable[StoredMessage]) -> tuple[StoredMessage, ...]:
    """The exchange at the end that has no answer yet; other than `Exchanges.open` with calls that wait for results."""
    return _grouped(stored).waiting


@attrs.define
class _Grouping:
    """`pending` begins with a turn of the caller's and is not answered yet."""

    pending: list[StoredMessage] = attrs.field(factory=list)
    whole: dict[MessageId, list[StoredMessage]] = attrs.field(factory=dict)
    """By the id of the first message; dicts keep their order."""
    answered: dict[MessageId, MessageId] = attrs.field(factory=dict)
    """The parent of an answer → the first message of its exchange."""
    broken: list[tuple[StoredMessage, BrokenReason]] = attrs.field(factory=list)
    orphans: dict[MessageId, int] = attrs.field(factory=dict)
    """The parent of an answer whose turn is not among the messages → where the answer is in `broken`."""

    def turn(self, each: StoredMessage) -> None:
        """A user's turn, or a system turn that the caller sent among them."""
        pending = self.pending
        if pending and not (
            (pending[-1].message.role in _CALLERS and _is_same_chat(pending[-1], each))
            or (
                pending[-1].message.role == "tool"
                and each.parent == pending[-1].id
                and not _open_calls(pending)
            )
        ):
            self._break_off()
        self.pending.append(each)

    def result(self, each: StoredMessage) -> None:
        """A tool's result; its call may have had another one before, whose answer failed."""
        call_id = each.message.tool_call_id
        for index in range(len(self.pending) - 1, -1, -1):
            before = self.pending[index]
            if any(call.id == call_id for call in before.message.tool_calls):
                results = self.pending[index + 1 :]
                if any(other.message.tool_call_id == call_id for other in results):
                    self.broken += [(other, "unanswered") for other in results]
                    del self.pending[index + 1 :]
                self.pending.append(each)
                return
            if before.message.role != "tool":
                break
        self.broken.append((each, "open_tool_call"))

    def answer(self, each: StoredMessage) -> None:
        if each.parent is not None and self._takes_the_place_of_another(each):
            return
        pending = self.pending
        if not pending or not _follows(pending[-1], each):
            self._break_off()
            self._orphan(each)
            return
        if len(pending) > 1 and _open_calls(pending):
            self._break_off()
            self.broken.append((each, "open_tool_call"))
            return
        pending.append(each)
        if not each.message.tool_calls:
            self._close(each)

    @property
    def waiting(self) -> tuple[StoredMessage, ...]:
        return tuple(self.pending)

    def end(self) -> Exchanges:
        waiting: tuple[StoredMessage, ...] = tuple(self.pending)
        if _open_calls(self.pending):
            self._break_off()
            waiting = ()
        return Exchanges(
            whole=tuple([Exchange(messages=tuple(messages)) for messages in self.whole.values()]),
            broken=tuple(self.broken),
            open=waiting,
        )

    def _close(self, answer: StoredMessage) -> None:
        first = self.pending[0].id
        self.whole[first] = self.pending
        if len(self.pending) == 2:
            self.answered[answer.parent or first] = first
            self.pending = []
            return
        for before, each in zip(self.pending, self.pending[1:], strict=False):
            if each.message.role == "assistant":
                self.answered[each.parent or before.id] = first
        self.pending = []

    def _takes_the_place_of_another(self, each: StoredMessage) -> bool:
        """Puts a regenerated answer where the one before it was; what came after that one goes with it."""
        assert each.parent is not None  # noqa: S101 - the caller has looked
        first = self.answered.get(each.parent)
        held = self.pending if first is None else self.whole[first]
        at = next((index for index, other in enumerate(held) if other.id == each.parent), None)
        if at is None or at + 1 >= len(held) or held[at + 1].message.role != "assistant":
            return False
        self.broken += [(other, "superseded") for other in held[at + 1 :]]
        del held[at + 1 :]
        held.append(each)
        if first is None:
            if not each.message.tool_calls:
                self._close(each)
        elif each.message.tool_calls:
            # It was answered with a call instead: the exchange is open again, if nothing came after it.
            del self.whole[first]
            self._break_off()
            self.pending = held
        return True

    def _orphan(self, each: StoredMessage) -> None:
        """An answer to what is not among the messages, or to what was not to be answered."""
        if each.parent is not None:
            before = self.orphans.get(each.parent)
            if before is not None:
                self.broken[before] = (self.broken[before][0], "superseded")
            self.orphans[each.parent] = len(self.broken)
        self.broken.append((each, "unanswered"))

    def _break_off(self) -> None:
        reason: BrokenReason = "open_tool_call" if _open_calls(self.pending) else "unanswered"
        self.broken += [(each, reason) for each in self.pending]
        self.pending = []


_CALLERS: Final = frozenset({"user", "system"})


def _is_same_chat(before: StoredMessage, each: StoredMessage) -> bool:
    """Whether both were sent in one request. Turns stored without a parent show it by their time."""
    if each.parent is not None:
        return each.parent == before.id
    return _is_next(before, each) and each.created_at == before.created_at


def _follows(before: StoredMessage, answer: StoredMessage) -> bool:
    return answer.parent == before.id or _is_next(before, answer)


def _is_next(before: StoredMessage, each: StoredMessage) -> bool:
    return each.position == (before.position or 0) + 1


def _open_calls(messages: list[StoredMessage]) -> bool:
    """Whether a call among them has no result."""
    for each in messages:
        if each.message.tool_calls:
            break
    else:
        return False
    results = {each.message.tool_call_id for each in messages}
    return any(call.id not in results for each in messages for call in each.message.tool_calls)
