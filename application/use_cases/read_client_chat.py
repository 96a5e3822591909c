"""Read what a client's chat holds."""

from typing import Final

from application.ports.clock import Clock
from application.ports.event_log import EventLog
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.live_answers import LiveAnswers
from application.services.thread_lookup import canonical_id, position_of
from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatAdmitted
from domain.client_chat import answer_name
from domain.ids import MessageId, Tenant, ThreadId
from domain.message import Message
from domain.thread import StoredMessage, Thread
from domain.values import frozen

DEFAULT_MESSAGES: Final = 200
MAX_MESSAGES: Final = 1_000
"""Of one page."""


@frozen(kw_only=True)
class ClientChatPage:
    thread: Thread | None = None
    """None for a chat in which nothing was said yet."""
    messages: tuple[StoredMessage, ...] = ()
    """By position, whatever their status; the first of them begins an exchange, unless that is longer than a page."""
    next_position: int | None = None
    """Older ones lie below it; None where there are none."""


@frozen(kw_only=True)
class ReadClientChat:
    _unit_of_work: UnitOfWorkFactory
    _live: LiveAnswers
    _event_log: EventLog
    _clock: Clock

    async def execute(
        self, tenant: Tenant, chat_id: str, *, below: int | None = None, limit: int = DEFAULT_MESSAGES
    ) -> ClientChatPage:
        """The newest messages, or the newest of those below a position.

        The turns that an answer is being made for are among them, though they are stored with it, and the answer that
        another one is being made in place of is not: so a client can go on with the live one. It may be made by another
        process, as far as the event log tells.

        A chat that nobody has begun is empty, as is one that was deleted or is another tenant's: clients make up
        ids before they send anything.

        Raises:
            StorageUnavailable: the database is away.
        """
        # Before the store is read: what ends in between is found there.
        asked = await self._asked(tenant, answer_name(chat_id)) if below is None else None
        async with self._unit_of_work(tenant) as work:
            chat = await work.client_chats.get(chat_id)
            thread_id = canonical_id(chat_id) if chat is None else chat.thread_id
            thread = None if thread_id is None else await work.threads.get(ThreadId(thread_id))
            if thread is None:
                return ClientChatPage()
            found = await work.messages.page(thread.id, below=below, limit=limit + 1, newest_first=True)
        messages, following = found[::-1], None
        if len(messages) > limit:
            messages = messages[_beginning(messages) :]
            following = position_of(messages[0])
        if isinstance(asked, ChatAdmitted):
            messages = self._with_asked(messages, asked, thread)
        elif asked is not None:
            messages = self._with_waiting(messages, asked, thread)
        return ClientChatPage(thread=thread, messages=messages, next_position=following)

    async def _asked(self, tenant: Tenant, name: str) -> ChatAdmitted | SendChatCommand | None:
        """What an answer is being made for, or is to be as soon as its turn comes."""
        live = self._live.named(tenant, name)
        if self._event_log.is_shared and (live is None or live.asked is None):
            # One that waits here may wait for one that is made elsewhere.
            elsewhere = await self._event_log.asked(tenant, name)
            live = self._live.named(tenant, name)
            if elsewhere is not None and (live is None or live.asked is None):
                return elsewhere
        return None if live is None else live.asked or live.command

    def _with_asked(
        self, messages: tuple[StoredMessage, ...], asked: ChatAdmitted, thread: Thread
    ) -> tuple[StoredMessage, ...]:
        if asked.thread_id != thread.id or any(each.id == asked.message_id for each in messages):
            return messages  # the chat goes on elsewhere, or the answer is stored already
        behind = next((index + 1 for index, each in enumerate(messages) if each.id == asked.parent), None)
        return messages[:behind] + self._shown(asked.turns, thread, asked.message_id)

    def _with_waiting(
        self, messages: tuple[StoredMessage, ...], command: SendChatCommand, thread: Thread
    ) -> tuple[StoredMessage, ...]:
        if command.regenerates is not None:
            if all(each.id != command.regenerates for each in messages):
                return messages
            end = len(messages)
            while end and messages[end - 1].message.role == "assistant":
                end -= 1
            return messages[:end]
        if command.thread_id != thread.id:
            return messages
        turns = command.messages
        if thread.length > 0 and command.own_history and turns[0].role != "tool":
            turns = turns[-1:]
        return messages + self._shown(turns, thread, "next")

    def _shown(self, turns: tuple[Message, ...], thread: Thread, answer: str) -> tuple[StoredMessage, ...]:
        now = self._clock.now()
        return tuple(
            StoredMessage(
                id=MessageId(f"asked-{index}-{answer}"),
                tenant=thread.tenant,
                thread_id=thread.id,
                message=turn,
                created_at=now,
            )
            for index, turn in enumerate(turns)
        )


def _beginning(messages: tuple[StoredMessage, ...]) -> int:
    """Where the first exchange begins behind the first message; there, where none does."""
    return next(
        (
            index
            for index in range(1, len(messages))
            if messages[index].message.role in ("user", "system")
            and messages[index - 1].message.role == "assistant"
        ),
        1,
    )
