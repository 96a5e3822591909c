"""Read the answer that is being made in a client's chat, from its beginning."""

from application.ports.event_log import AnswerAddress, EventLog
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.answer_log import AnswerReader
from application.services.live_answers import LiveAnswers
from application.services.mirrors import Mirrors
from domain.client_chat import answer_name
from domain.errors import AnswerUnknown
from domain.ids import Tenant
from domain.values import frozen


@frozen(kw_only=True)
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
            AnswerUnknown: it is not made here, and whether another replica makes it can't be found out now.
        """
        name = answer_name(chat_id)
        live = self._live.named(tenant, name)
        if live is not None and live.address is not None:
            return live.log.reader()
        # One that waits here for its turn may wait for one that is made elsewhere.
        try:
            reader = await self._elsewhere(tenant, name)
        except AnswerUnknown:
            if self._live.named(tenant, name) is None:
                raise
            reader = None
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
