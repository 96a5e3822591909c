"""Read what a client's chat holds."""

from typing import Final

import attrs

from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.thread_lookup import canonical_id, position_of
from domain.ids import Tenant, ThreadId
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

    async def execute(
        self, tenant: Tenant, chat_id: str, *, below: int | None = None, limit: int = DEFAULT_MESSAGES
    ) -> ClientChatPage:
        """The newest messages, or the newest of those below a position.

        A chat that nobody has begun is empty, as is one that was deleted or is another tenant's: clients make up
        ids before they send anything.

        Raises:
            StorageUnavailable: the database is away.
        """
        async with self._unit_of_work(tenant) as work:
            chat = await work.client_chats.get(chat_id)
            thread_id = canonical_id(chat_id) if chat is None else chat.thread_id
            thread = None if thread_id is None else await work.threads.get(ThreadId(thread_id))
            if thread is None:
                return ClientChatPage()
            found = await work.messages.page(thread.id, below=below, limit=limit + 1, newest_first=True)
        messages = found[::-1]
        if len(messages) <= limit:
            return ClientChatPage(thread=thread, messages=messages)
        begins = next(
            (
                index
                for index in range(1, len(messages))
                if messages[index].message.role in ("user", "system")
                and messages[index - 1].message.role == "assistant"
            ),
            1,
        )
        return ClientChatPage(
            thread=thread, messages=messages[begins:], next_position=position_of(messages[begins])
        )
