"""Read the answer that is being made in a client's chat, from its beginning."""

import attrs

from application.ports.event_log import AnswerAddress, EventLog
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.answer_log import AnswerReader
from application.services.exchange_reading import complete, read_back
from application.services.live_answers import LiveAnswers
from application.services.mirrors import Mirrors
from domain.client_chat import answer_name
from domain.exchanges import waiting_turns
from domain.ids import MessageId, Tenant


@attrs.frozen(kw_only=True)
class ResumeChat:
    """An answer that is stored already is not resumed: the chat's messages hold it."""

    _live: LiveAnswers
    _event_log: EventLog
    _mirrors: Mirrors
    _unit_of_work: UnitOfWorkFactory

    async def execute(self, tenant: Tenant, chat_id: str) -> AnswerReader | None:
        """A reader of all of it, to be closed; None where none is being made, here or on another replica.

        Raises:
            StorageUnavailable: it is not made here, and the database is away.
        """
        name = answer_name(chat_id)
        live = self._live.named(tenant, name)
        if live is not None and live.address is not None:
            return live.log.reader()
        # One that waits here for its turn may wait for one that is made elsewhere.
        reader = await self._elsewhere(tenant, name)
        if reader is not None:
            return reader
        live = self._live.named(tenant, name)
        return None if live is None else live.log.reader()

    async def _elsewhere(self, tenant: Tenant, name: str) -> AnswerReader | None:
        if not self._event_log.is_shared:
            return None
        message_id = await self._event_log.find(tenant, name)
        if message_id is None:
            return None
        # The log keeps an answer for a while after its end.
        async with self._unit_of_work(tenant) as work:
            if await work.messages.get(message_id) is not None:
                return None
        return await self._mirrors.reader(AnswerAddress(tenant, message_id))

    async def continued(self, tenant: Tenant, chat_id: str) -> MessageId | None:
        """The answer that the one being made goes on with: it called tools, and waits for what follows from their
        results. None where the one being made begins a message of its own.

        Raises:
            Conflict: its exchange is too long to be read.
            StorageUnavailable: the database is away.
        """
        async with self._unit_of_work(tenant) as work:
            chat = await work.client_chats.get(chat_id)
            if chat is None:
                return None
            exchange = waiting_turns(complete(await read_back(work, chat.thread_id)))
        if not exchange or exchange[-1].message.role == "user":
            return None
        return next((each.id for each in exchange if each.message.role == "assistant"), None)
