"""Which messages a rated answer answered: what goes into a file for tuning or evaluation."""

from collections.abc import Sequence
from typing import Final

import attrs

from domain.message import Message
from domain.thread import StoredMessage

MAX_MESSAGES: Final = 50
"""In front of an answer and the answer itself. The exchange that it ends is whole, whatever its length."""


@attrs.define
class _Step:
    """Turns of the caller and what they were answered with."""

    turns: list[StoredMessage]
    answer: StoredMessage | None


def conversation_of(
    answer: StoredMessage, before: Sequence[StoredMessage], *, is_cut: bool = False
) -> tuple[Message, ...]:
    """Whole exchanges that end with the answer, oldest first; none where what it answered is gone.

    Exchanges that failed, were cut or hang on a tool call without a result are left out; of several answers to the
    same turn the newest complete one counts.

    Args:
        before: the messages of its thread up to the turn that it answers, that one included, by position.
        is_cut: whether there are older ones, so that the first of them may be half an exchange.
    """
    steps, asked = _steps(before)
    if not asked:
        return ()
    if is_cut and steps:
        del steps[0]
    exchanges = _exchanges(steps)
    last = [*asked, answer]
    if asked[0].message.role == "tool":
        if not exchanges or not _is_open(exchanges[-1]):
            return ()  # the call whose result it answers is gone
        last = [*exchanges.pop(), *last]
    kept: list[StoredMessage] = last
    for exchange in reversed(exchanges):
        if _is_open(exchange):
            continue
        if len(kept) + len(exchange) > MAX_MESSAGES:
            break
        kept = [*exchange, *kept]
    return tuple(stored.message for stored in kept)


def _steps(before: Sequence[StoredMessage]) -> tuple[list[_Step], list[StoredMessage]]:
    """What was said before, and the turns that were answered now."""
    steps: list[_Step] = []
    by_last_turn: dict[str, _Step] = {}
    pending: list[StoredMessage] = []
    for stored in before:
        if stored.message.role != "assistant":
            pending.append(stored)
            continue
        given = stored if stored.status == "complete" else None
        if pending and stored.parent in (None, pending[-1].id):
            step = _Step(pending, given)
            steps.append(step)
            by_last_turn[pending[-1].id] = step
            pending = []
        elif stored.parent in by_last_turn and given is not None:
            by_last_turn[stored.parent].answer = given
    return steps, pending


def _exchanges(steps: Sequence[_Step]) -> list[list[StoredMessage]]:
    """Steps in which a tool's results are brought belong to the exchange in which it was called."""
    exchanges: list[list[StoredMessage]] = []
    was_answered = False
    for step in steps:
        brings_results = step.turns[0].message.role == "tool"
        if step.answer is not None:
            said = [*step.turns, step.answer]
            if not brings_results:
                exchanges.append(said)
            elif was_answered and exchanges and _is_open(exchanges[-1]):
                exchanges[-1] += said
        elif brings_results and exchanges and _is_open(exchanges[-1]):
            exchanges.pop()  # its results were never answered
        was_answered = step.answer is not None
    return exchanges


def _is_open(exchange: Sequence[StoredMessage]) -> bool:
    """Whether it ends with a call of which the result is missing."""
    return bool(exchange[-1].message.tool_calls)
