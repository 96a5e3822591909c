"""Where readers of an answer's events may stand, and what they have got by then."""

from collections.abc import Sequence

from domain.answer import ChatEvent, Delta, Reset
from domain.live_answer import Position, after


def places(events: Sequence[ChatEvent], begins: Position = 0) -> list[Position]:
    """Every position that a reader of these may be told of, inside texts too."""
    found, at = [begins], begins
    for event in events:
        ends = after(at, event)
        found.extend(range(at + 1, ends + 1) if isinstance(event, Delta) else [ends])
        at = ends
    return found


def up_to(events: Sequence[ChatEvent], position: Position) -> list[ChatEvent]:
    """What one who is at `position` has got."""
    got: list[ChatEvent] = []
    at = 0
    for event in events:
        ends = after(at, event)
        if ends <= position:
            got.append(event)
        elif isinstance(event, Delta) and at < position:
            got.append(Delta(event.text[: position - at]))
        at = ends
    return got


def text_of(events: Sequence[ChatEvent]) -> str:
    """What the deltas come to: those before a reset are void."""
    text = ""
    for event in events:
        if isinstance(event, Delta):
            text += event.text
        elif isinstance(event, Reset):
            text = ""
    return text
