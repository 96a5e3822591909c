"""When the older part of a thread is summarised, and which of its messages."""

from domain.exchanges import exchanges_of
from domain.memory import first_whole_turn, is_cut
from domain.thread import Conversation, StoredMessage, ThreadSummary
from domain.values import frozen


@frozen(kw_only=True)
class Fold:
    """Messages that a new summary is to stand for, together with the old one."""

    previous: str | None
    """The summary so far."""
    messages: tuple[StoredMessage, ...]
    """Whole exchanges, oldest first, never none."""
    up_to: int
    """The position of the last message that it will cover."""


def fold_due(conversation: Conversation, *, depth: int) -> Fold | None:
    """What to summarise before the next chat; None while the window reaches back to the summary's end.

    The window grows to `depth` messages that can go in behind the summary; then all but the last `depth` / 2 are
    folded into it, so that one summary serves for about `depth` / 2 messages. The newest exchange always stays.
    """
    summary = conversation.summary
    cover = -1 if summary is None else summary.up_to
    uncovered = [each for each in conversation.recent if (each.position or 0) > cover]
    if depth <= 0 or len(uncovered) <= depth:
        return None
    grouped = exchanges_of(uncovered)
    exchanges = grouped.whole
    first = first_whole_turn(conversation.recent) if grouped.broken else 0
    cut = sum(is_cut(each, reason, first) for each, reason in grouped.broken)
    if sum(len(exchange.messages) for exchange in exchanges) + cut <= depth:
        return None
    kept, falling = 0, len(exchanges)
    while falling:
        kept += len(exchanges[falling - 1].messages)
        if kept > depth or (kept > depth // 2 and falling < len(exchanges)):
            break
        falling -= 1
    messages = tuple(each for exchange in exchanges[:falling] for each in exchange.messages)
    if not messages:
        return None
    up_to = max(each.position or 0 for each in messages)
    if falling < len(exchanges):
        # Turns without an answer between the two go with what is covered, so that they are not looked at again.
        up_to = (exchanges[falling].messages[0].position or 0) - 1
    return Fold(previous=None if summary is None else summary.text, messages=messages, up_to=up_to)


def reaches_back(conversation: Conversation, *, limit: int, summary: ThreadSummary | None) -> bool:
    """Whether all complete messages behind the summary were read, given that `limit` were asked for.

    Args:
        summary: None where none is used; then it is all of the thread's.
    """
    recent = conversation.recent
    cover = -1 if summary is None else summary.up_to
    return len(recent) < limit or (recent[0].position or 0) <= cover + 1
