"""Read what a client's chat holds."""

from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.live_answers import LiveAnswer, LiveAnswers
from application.services.thread_lookup import canonical_id, position_of
from domain.client_chat import answer_name
from domain.ids import MessageId, Tenant, ThreadId
from domain.thread import StoredMessage, Thread

DEFAULT_MESSAGES: Final = 200
MAX_MESSAGES: Final = 1_000
"""Of one page."""


@attrs.frozen(kw_only=True)
class ClientChatPage:
    thread: Thread | None = None
    """None for a chat in which nothing was said yet."""
    messages: tuple[StoredMessage, ...] = ()
    """By position, whatever their status; the first of them begins an exchange, unless that is longer than a page."""
    next_position: int | None = None
    """Older ones lie below it; None where there are none."""


@attrs.frozen(kw_only=True)
class ReadClientChat:
    _unit_of_work: UnitOfWorkFactory
    _live: LiveAnswers
    _clock: Clock

    async def execute(
        self, tenant: Tenant, chat_id: str, *, below: int | None = None, limit: int = DEFAULT_MESSAGES
    ) -> ClientChatPage:
        """The newest messages, or the newest of those below a position.

        The turns that an answer is being made for in this process are among them, though they are stored with it, and
        the answer that another one is being made in place of is not: so a client can go on with the live one.

        A chat that nobody has begun is empty, as is one that was deleted or is another tenant's: clients make up
        ids before they send anything.

        Raises:
            StorageUnavailable: the database is away.
        """
        live = self._live.named(tenant, answer_name(chat_id)) if below is None else None
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
        if live is not None:
            messages = self._with_live(messages, live, thread)
        return ClientChatPage(thread=thread, messages=messages, next_position=following)

    def _with_live(
        self, messages: tuple[StoredMessage, ...], live: LiveAnswer, thread: Thread
    ) -> tuple[StoredMessage, ...]:
        command, answer = live.command, None if live.address is None else live.address.message_id
        if any(each.id == answer for each in messages):
            return messages  # it is stored already
        if command.regenerates is not None:
            if all(each.id != command.regenerates for each in messages):
                return messages
            end = len(messages)
            while end and messages[end - 1].message.role == "assistant":
                end -= 1
            return messages[:end]
        if command.thread_id != thread.id:
            return messages
        asked = command.messages
        if thread.length > 0 and command.own_history and asked[0].role != "tool":
            asked = asked[-1:]
        now = self._clock.now()
        return messages + tuple(
            StoredMessage(
                id=MessageId(f"asked-{index}-{answer or 'next'}"),
                tenant=thread.tenant,
                thread_id=thread.id,
                message=turn,
                created_at=now,
            )
            for index, turn in enumerate(asked)
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
