"""Choose what a thread gives to the next prompt."""

from collections.abc import Callable
from typing import Final

import attrs

from application.ports.conversation_reader import ConversationReader
from application.services.absence import no_thread
from application.services.run import Run
from application.services.summariser import Summariser
from domain.chat_defaults import MemoryMode
from domain.ids import Tenant, ThreadId
from domain.memory import NO_MEMORY, Memory, choose_memory
from domain.passes.memory_lane import WHY
from domain.summary import Fold, fold_due, reaches_back
from domain.summary_turn import bounded_summary
from domain.thread import Conversation, ThreadSummary
from domain.values import frozen

MOST_SUMMARISED: Final = 500
"""Messages that one summary is made of at most; of a longer thread that is summarised for the first time, the last."""
MOST_READ: Final = 1000
"""Messages that are looked at where many of the last ones can't go in."""


@frozen(kw_only=True)
class InjectMemoryCommand:
    tenant: Tenant
    thread_id: ThreadId
    depth: int
    """0 for a chat that is sent with a history of its own: the thread is looked up, and nothing is remembered."""
    mode: MemoryMode = "window"
    below: int | None = None
    """Only what is at positions less than this one: for an answer that is made again."""


@frozen(kw_only=True)
class Injection:
    """The thread, and what it gives."""

    command: InjectMemoryCommand
    conversation: Conversation
    memory: Memory
    limit: int = 0
    """How many of its messages were asked for."""
    due: Fold | None = None
    """What is to be summarised before the chat is sent."""
    warnings: tuple[str, ...] = ()


@attrs.define(kw_only=True)
class InjectMemory:
    """Reads the end of a thread and chooses from it."""

    _conversations: ConversationReader
    _summariser: Summariser

    async def execute(self, command: InjectMemoryCommand) -> Injection:
        """One round trip, whatever the thread's length; asks no model.

        A second one, for more messages, where so many of the last ones can't go in (failed turns, answers that
        were made again) that the depth is not used up.

        Raises:
            NotFound: there is no such thread.
            StorageUnavailable: the database is away.
        """
        depth = command.depth
        with_summary = command.mode == "summary" and depth > 0
        # One more than the window tells whether its first exchange is whole; behind a summary, up to `depth`
        # messages may be uncovered, and an exchange on top.
        limit = 0 if depth <= 0 else 2 * depth + 1 if with_summary else depth + 1
        conversation = await self._read(command, limit)
        if depth <= 0:
            return Injection(command=command, conversation=conversation, memory=NO_MEMORY)
        summary = _usable(conversation.summary, command.below) if with_summary else None
        memory = choose_memory(conversation, depth=depth, summary=summary)
        wanted = depth + 1 if with_summary else depth
        if memory.usable < wanted and not reaches_back(conversation, limit=limit, summary=summary):
            limit = min(4 * depth + 50, MOST_READ)
            conversation = await self._read(command, limit)
            summary = _usable(conversation.summary, command.below) if with_summary else None
            memory = choose_memory(conversation, depth=depth, summary=summary)
        return Injection(
            command=command,
            conversation=conversation,
            memory=memory,
            limit=limit,
            due=fold_due(conversation, depth=depth) if with_summary and command.below is None else None,
            warnings=_nothing_remembered(command, conversation, memory),
        )

    async def summarise(
        self, injection: Injection, *, request_id: str, paid: Callable[[Run], None]
    ) -> Injection:
        """As it is once what is due has been summarised: a call of a model, which is to be paid for.

        A summary that fails leaves the window and the old summary, with a warning.

        Args:
            paid: takes the call as it begins.

        Raises:
            NotFound: the thread was deleted meanwhile.
            StorageUnavailable: the database is away.
        """
        command, conversation, due = injection.command, injection.conversation, injection.due
        if due is None:
            return injection
        if not reaches_back(conversation, limit=injection.limit, summary=conversation.summary):
            conversation = await self._read(command, max(MOST_SUMMARISED, injection.limit))
            due = fold_due(conversation, depth=command.depth) or due
        made = await self._summariser.summarise(
            due, tenant=command.tenant, thread_id=command.thread_id, request_id=request_id, paid=paid
        )
        memory = injection.memory
        if made.summary is not None:
            memory = choose_memory(conversation, depth=command.depth, summary=made.summary)
        return attrs.evolve(
            injection,
            memory=memory,
            due=None,
            warnings=(
                *_nothing_remembered(command, conversation, memory),
                *(() if made.warning is None else (made.warning,)),
            ),
        )

    async def _read(self, command: InjectMemoryCommand, limit: int) -> Conversation:
        conversation = await self._conversations.conversation(
            command.tenant, command.thread_id, limit=limit, below=command.below
        )
        if conversation is None:
            raise no_thread(command.thread_id)
        summary = conversation.summary
        # One that was stored before there was a bound would keep the thread's prompts too long for good.
        return (
            conversation if summary is None else attrs.evolve(conversation, summary=bounded_summary(summary))
        )


def _nothing_remembered(
    command: InjectMemoryCommand, conversation: Conversation, memory: Memory
) -> tuple[str, ...]:
    """A warning where a thread that has messages gives none of them."""
    if not memory.is_empty or conversation.thread.length == 0 or command.below == 0:
        return ()
    reasons = [f"{WHY[each.reason]} ({each.messages})" for each in memory.use.left_out]
    why = "; ".join(reasons) or "it holds no complete exchange"
    return (f"nothing of the thread is remembered: of its last messages, {why}",)


def _usable(summary: ThreadSummary | None, below: int | None) -> ThreadSummary | None:
    """None for a summary that tells of the very exchange that is made again."""
    if summary is None or (below is not None and summary.up_to >= below):
        return None
    return summary
