"""Read an answer on, or again: one that is being made, here or on another replica, or one that is stored."""

import attrs

from application.ports.event_log import EventLog
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.answer_log import AnswerReader
from application.services.live_answers import LiveAnswers
from domain.ids import MessageId, Tenant
from domain.live_answer import Position


@attrs.define(kw_only=True)
class FollowAnswer:
    _live: LiveAnswers
    _event_log: EventLog
    _unit_of_work: UnitOfWorkFactory

    async def execute(
        self, tenant: Tenant, message_id: MessageId, *, seen: Position = 0
    ) -> AnswerReader | None:
        """A reader of what comes after `seen`, to be closed; None where nothing does."""
        log = self._live.find(tenant, message_id)
        return None if log is None else log.reader(seen)

    async def by_name(self, tenant: Tenant, name: str, *, seen: Position = 0) -> AnswerReader | None:
        """As `execute`, of the answer that is being made under that name; None where there is none."""
        live = self._live.named(tenant, name)
        return None if live is None else live.log.reader(seen)
