"""What a thread gives to the next prompt (MemoryLane): which of its messages, and why not the others."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import attrs

from domain.answer import ContextUse, LeftOut, LeftOutReason
from domain.exchanges import BrokenReason, Exchange, Exchanges, exchanges_of
from domain.ids import MessageId
from domain.message import Message
from domain.summary_turn import is_summary_turn
from domain.thread import Conversation, StoredMessage, ThreadSummary
from domain.values import frozen

MAX_MEMORY_CHARACTERS: Final = 2_000_000
"""Of a thread that are injected at most, its summary included, whatever `context_depth` and the model's window allow."""


@frozen
class LeftMessage:
    """A message that was passed over within the depth, or a pinned one, that stays out of the prompt."""

    stored: StoredMessage
    reason: LeftOutReason


@frozen(kw_only=True)
class Memory:
    """Chosen from a thread, not yet fitted to a model's window.

    Made by the use case InjectMemory; the pass `memory-lane` puts it in front of the request's history.
    """

    messages: tuple[Message, ...] = ()
    """Whole exchanges, oldest first, each message with its stored token count."""
    summary: str | None = None
    """What was said before them, as a cheap model put it."""
    summary_token_count: int | None = None
    use: ContextUse = ContextUse()
    """What went in and what stayed out, before the model's window was looked at."""
    chosen: tuple[StoredMessage, ...] = ()
    """Where `messages` come from, one for one."""
    left: tuple[LeftMessage, ...] = ()
    """Those that `use.left_out` counts."""
    cover: int | None = None
    """The position of the last message that the summary stands for."""
    usable: int = 0
    """How many of the messages that were read the depth could count: those that belong to a whole exchange, or
    to one that may begin before what was read."""

    @property
    def is_empty(self) -> bool:
        return not self.messages and self.summary is None


NO_MEMORY: Final = Memory()


def choose_memory(conversation: Conversation, *, depth: int, summary: ThreadSummary | None = None) -> Memory:
    """The exchanges that lie whole within the last `depth` usable messages, and the pinned ones before them.

    Usable is what can go into a prompt: a turn without an answer, or an answer that was made again, uses up no
    depth. Each message from the first of those `depth` on, and each pinned one, is either in `messages` or in
    `left`.

    Args:
        conversation: with one message more than `depth` in `recent`, where there is one: it tells whether the
            first exchange begins within the depth. Where `usable` of what is returned is less than `depth` and
            the thread reaches further back, more has to be read.
        summary: what it covers is no part of the window; None has the window alone.
    """
    if depth <= 0:
        return NO_MEMORY
    cover = -1 if summary is None else summary.up_to
    recent = conversation.recent
    if summary is not None:
        recent = tuple([each for each in recent if _position(each) > cover])
    grouped = exchanges_of(
        (*conversation.pinned, *conversation.recent) if conversation.pinned else conversation.recent
    )
    broken, unusable = _judged(conversation, grouped)
    usable = [each for each in recent if each.id not in unusable] if unusable else recent
    window = {each.id for each in usable[-depth:]}
    begin = max(cover + 1, _position(usable[-depth]) if len(usable) >= depth else 0)
    kept: list[Exchange] = []
    left: list[LeftMessage] = []
    for exchange in grouped.whole:
        inside = [each for each in exchange.messages if each.id in window]
        # A first turn with a parent is not the first of its chat: that one was not read. Unless it follows an answer,
        # of a history that the caller sent.
        parent = exchange.messages[0].parent
        begun = parent is not None and not _is_answer(parent, conversation)
        if (len(inside) == len(exchange.messages) and not begun) or exchange.pinned:
            kept.append(exchange)
        else:
            left += [LeftMessage(each, "cut_by_depth") for each in inside]
    left += [each for each in broken if each.stored.pinned or _position(each.stored) >= begin]
    kept, too_large = _within(kept, MAX_MEMORY_CHARACTERS - (0 if summary is None else len(summary.text)))
    left += [LeftMessage(each, "size_limit") for each in too_large if each.id in window or each.pinned]
    return _memory(kept, left, window=window, summary=summary, usable=len(usable))


def _is_answer(message_id: MessageId, conversation: Conversation) -> bool:
    """Whether it was read and is an assistant's turn."""
    read = (*conversation.pinned, *conversation.recent)
    return any(each.id == message_id and each.message.role == "assistant" for each in read)


def _judged(conversation: Conversation, grouped: Exchanges) -> tuple[list[LeftMessage], set[MessageId]]:
    """What is in no whole exchange, with its reason; and which of it uses up no depth."""
    judged: list[LeftMessage] = []
    unusable = {each.id for each in grouped.open}
    if grouped.broken:
        first = first_whole_turn(conversation.recent)
        for each, reason in grouped.broken:
            if is_cut(each, reason, first):
                judged.append(LeftMessage(each, "cut_by_depth"))
            else:
                judged.append(LeftMessage(each, reason))
                unusable.add(each.id)
    judged += [LeftMessage(each, "unanswered") for each in grouped.open]
    return judged, unusable


def _memory(
    kept: list[Exchange],
    left: list[LeftMessage],
    *,
    window: set[MessageId],
    summary: ThreadSummary | None,
    usable: int,
) -> Memory:
    chosen: list[StoredMessage] = []
    messages: list[Message] = []
    pinned = 0
    for exchange in kept:
        chosen += exchange.messages
        if not exchange.pinned:
            messages += [each.message for each in exchange.messages]
            continue
        messages += [attrs.evolve(each.message, pinned=True) for each in exchange.messages]
        if not all(each.id in window for each in exchange.messages):
            pinned += len(exchange.messages)
    return Memory(
        messages=tuple(messages),
        summary=None if summary is None else summary.text,
        summary_token_count=None if summary is None else summary.token_count,
        use=ContextUse(
            injected=len(chosen),
            dropped=len(left),
            pinned=pinned,
            summarised=0 if summary is None else summary.up_to + 1,
            left_out=_counted(left),
        ),
        chosen=tuple(chosen),
        left=tuple(sorted(left, key=lambda each: _position(each.stored))) if left else (),
        cover=None if summary is None else summary.up_to,
        usable=usable,
    )


def context_use(memory: Memory | None, history: Sequence[Message]) -> ContextUse:
    """How much of the thread is in the prompt.

    Args:
        history: of the request as it was compiled for the model that answered: a pass may have trimmed it.
    """
    if memory is None:
        return ContextUse()
    use = memory.use
    summarised = any(is_summary_turn(each) for each in history)
    if memory.summary is not None and not summarised:
        lost = LeftOut(reason="summary_too_large", messages=use.summarised)
        use = attrs.evolve(
            use, summarised=0, dropped=use.dropped + lost.messages, left_out=(*use.left_out, lost)
        )
    trimmed = min(max(0, len(memory.messages) + summarised - len(history)), use.injected)
    if not trimmed:
        return use
    return attrs.evolve(
        use,
        injected=use.injected - trimmed,
        dropped=use.dropped + trimmed,
        left_out=(*use.left_out, LeftOut(reason="token_budget", messages=trimmed)),
    )


def first_whole_turn(recent: Sequence[StoredMessage]) -> int:
    """Positions before it may belong to an exchange that began before what was read: a caller begins one."""
    if not recent or _position(recent[0]) == 0:
        return 0
    after_answer = False
    for each in recent:
        role = each.message.role
        if role in ("user", "system") and (after_answer or each.parent is None):
            return _position(each)
        after_answer = role == "assistant"
    return _position(recent[-1]) + 1


def is_cut(stored: StoredMessage, reason: BrokenReason, first: int) -> bool:
    """Whether a message outside all whole exchanges may belong to one that began before what was read.

    Args:
        first: of `first_whole_turn`.
    """
    return _position(stored) < first and not stored.pinned and reason != "superseded"


def _within(exchanges: list[Exchange], room: int) -> tuple[list[Exchange], tuple[StoredMessage, ...]]:
    """Those that fit the size limit: pinned ones first, then the newest. A model whose window is unknown sets no
    other bound. The window stays without a hole: what is older than the first that does not fit stays out too."""
    sizes = [exchange.characters for exchange in exchanges]
    if sum(sizes) <= room:
        return exchanges, ()
    fitting: set[int] = set()
    pinned = [index for index, exchange in enumerate(exchanges) if exchange.pinned]
    others = [index for index, exchange in enumerate(exchanges) if not exchange.pinned]
    for indices in (pinned, others):
        for index in reversed(indices):
            if sizes[index] > room:
                break
            room -= sizes[index]
            fitting.add(index)
    out = tuple(
        each for index, exchange in enumerate(exchanges) if index not in fitting for each in exchange.messages
    )
    return [exchange for index, exchange in enumerate(exchanges) if index in fitting], out


def _counted(left: list[LeftMessage]) -> tuple[LeftOut, ...]:
    if not left:
        return ()
    counts = Counter(each.reason for each in left)
    return tuple(LeftOut(reason=reason, messages=number) for reason, number in sorted(counts.items()))


def _position(stored: StoredMessage) -> int:
    return 0 if stored.position is None else stored.position
