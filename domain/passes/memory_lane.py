"""Puts what the thread remembers into the request."""

from collections.abc import Mapping
from typing import Final

import attrs

from domain.answer import LeftOutReason
from domain.chat import ChatRequest
from domain.memory import Memory
from domain.message import Message
from domain.passes.compiler_pass import Rewrite, Target, rewritten
from domain.summary_turn import summary_turn
from domain.values import frozen

_NO_MEMORY: Final = ("Nothing of a thread was to be remembered.",)

WHY: Final[Mapping[LeftOutReason, str]] = {
    "token_budget": "the model's window does not hold them",
    "size_limit": "they exceed what is injected at most",
    "summary_too_large": "the model's window does not hold their summary",
    "unanswered": "their answer failed, was cut or is not there",
    "superseded": "another answer was made in their place",
    "open_tool_call": "a tool call among them has no result, or a result no call",
    "cut_by_depth": "the depth ends inside their exchange",
}
"""The end of a sentence for each reason."""


@frozen
class MemoryLane:
    """Runs after `system-prompt` and before all configured passes, so that the budget sees what it adds.

    The summary of older messages is the first turn of the conversation, a user's that says what it is: as a
    system turn it would speak with lor3's voice, and on some wires join the system prompt. It and pinned
    messages are marked for the budget to keep. Running it twice changes nothing more.
    """

    name: str = attrs.field(default="memory-lane", init=False)

    def run(self, request: ChatRequest, target: Target) -> Rewrite:
        memory = request.memory
        if memory is None:
            return rewritten(request, _NO_MEMORY)
        turns = memory_turns(memory)
        if target.spec.count_margin:
            turns = _with_exact_counts(turns, memory, target.spec.ref.provider)
        placed = request.with_memory_in(turns + request.history if request.history else turns)
        return Rewrite(request=placed, notes=_notes(memory) if target.explains else ())


def memory_turns(memory: Memory | None) -> tuple[Message, ...]:
    """What goes in front of the history."""
    if memory is None:
        return ()
    if memory.summary is None:
        return memory.messages
    return (summary_turn(memory.summary, memory.summary_token_count), *memory.messages)


def _with_exact_counts(turns: tuple[Message, ...], memory: Memory, provider: str) -> tuple[Message, ...]:
    """Marks the answers of a provider that told their tokens; the summary, where there is one, comes before them."""
    first = len(turns) - len(memory.chosen)
    marked = list(turns)
    for index, stored in enumerate(memory.chosen, start=first):
        counted = stored.usage is not None and not stored.usage.estimated
        if counted and stored.model is not None and stored.model.provider == provider:
            marked[index] = attrs.evolve(turns[index], count_is_exact=True)
    return tuple(marked)


def _notes(memory: Memory) -> tuple[str, ...]:
    use = memory.use
    notes: list[str] = []
    if memory.summary is not None:
        notes.append(f"Put in a summary of the thread's first {_messages(use.summarised)}.")
    if use.injected:
        pinned = f", {use.pinned} of them pinned before the depth" if use.pinned else ""
        notes.append(f"Put in {_messages(use.injected)} of the thread{pinned}.")
    notes += [
        f"Left out {_messages(each.messages)} (`{each.reason}`): {WHY[each.reason]}." for each in use.left_out
    ]
    return tuple(notes) or ("The thread has nothing to remember within the depth.",)


def _messages(number: int) -> str:
    return f"{number} message{'s' * (number != 1)}"
