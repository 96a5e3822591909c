"""What a thread gives to the next prompt (MemoryLane): which of its messages, and why not the others."""

import attrs

from domain.answer import ContextUse
from domain.message import Message


@attrs.frozen(kw_only=True)
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


NO_MEMORY = Memory()
