"""Which messages a rated answer answered: what goes into a file for tuning or evaluation."""

from collections.abc import Sequence
from typing import Final

from domain.exchanges import exchanges_of
from domain.message import Message
from domain.thread import StoredMessage

MAX_MESSAGES: Final = 50
"""In front of an answer and the answer itself. The exchange that it ends is whole, whatever its length."""


def conversation_of(
    answer: StoredMessage, before: Sequence[StoredMessage], *, is_cut: bool = False
) -> tuple[Message, ...]:
    """Whole exchanges that end with the answer, oldest first; none where what it answered is gone.

    What no chat would be sent with is left out here too: exchanges that failed or were cut, tool calls without
    results, answers in whose place others were made.

    Args:
        before: the messages of its thread up to the turn that it answers, that one included, by position.
        is_cut: whether there are older ones, so that the first of them may be half an exchange.
    """
    found = exchanges_of(stored for stored in before if stored.status == "complete")
    if not found.open or (answer.parent is not None and found.open[-1].id != answer.parent):
        return ()
    kept = [*found.open, answer]
    for exchange in reversed(found.whole[1:] if is_cut else found.whole):
        if len(kept) + len(exchange.messages) > MAX_MESSAGES:
            break
        kept = [*exchange.messages, *kept]
    return tuple(stored.message for stored in kept)
