"""Read an answer on, or again: one that is being made, here or on another replica, or one that is stored."""

import contextlib
from typing import Final

import attrs

from application.ports.event_log import AnswerAddress, EventLog
from application.services.absence import no_message
from application.services.answer_log import AnswerReader
from application.services.live_answers import LiveAnswers
from application.services.mirrors import Mirrors
from application.services.retelling import Retelling, StoredAnswer
from application.services.thread_lookup import canonical_id
from domain.errors import AnswerInterrupted, AnswerUnknown, LorError, StorageUnavailable, afresh
from domain.ids import MessageId, Tenant
from domain.live_answer import Position

_WHOLE_S: Final = 2.0
"""How long it may take to hand on an answer that has ended."""


@attrs.define(kw_only=True)
class FollowAnswer:
    _live: LiveAnswers
    _event_log: EventLog
    _mirrors: Mirrors
    _retelling: Retelling

    async def execute(
        self, tenant: Tenant, message_id: MessageId, *, seen: Position = 0
    ) -> AnswerReader | None:
        """A reader of what comes after `seen`, to be closed; None where nothing does.

        Raises:
            NotFound: there is no such answer, it was deleted, or it is another tenant's.
            StorageUnavailable: it is not known to be under way, and the database is away.
            AnswerUnknown: it is neither made here nor stored, and whether it is made elsewhere can't be found out now.
            LorError: what ended it, where nothing of it is stored.
        """
        known = canonical_id(message_id)
        if known is None:
            raise no_message(message_id)
        address = AnswerAddress(tenant, MessageId(known))
        live = self._live.find(tenant, address.message_id)
        if live is not None and live.ending is None:
            return live.reader(seen)
        # It has ended, or is made elsewhere. The store says whether it was deleted since; a log has more of it: its
        # very events.
        try:
            stored = await self._retelling.find(tenant, address.message_id)
        except StorageUnavailable:
            if live is not None:
                raise
            return await self._under_way(address, seen)
        if live is not None and live.ending is not None:
            if stored is None:
                raise afresh(live.ending.error or no_message(message_id))
            return await self._retelling.rest(live, stored, seen=seen)
        unknown: LorError | None = None
        mirrored: AnswerReader | None = None
        try:
            mirrored = await self._mirrors.reader(address, seen=seen, is_expected=stored is None)
        except AnswerUnknown as error:
            unknown = error
        if mirrored is None:
            if stored is None:  # it may have ended in between
                stored = await self._retelling.find(tenant, address.message_id)
            if stored is None:
                raise unknown or no_message(message_id)
            return await self._retelling.reader(stored, seen=seen)
        try:
            return await self._checked(mirrored, address, stored, seen)
        except BaseException:
            mirrored.close()
            raise

    async def _under_way(self, address: AnswerAddress, seen: Position) -> AnswerReader:
        """The store can't be asked: what is being made elsewhere needs it no more than what is made here."""
        mirrored: AnswerReader | None = None
        with contextlib.suppress(AnswerUnknown):
            mirrored = await self._mirrors.reader(address, seen=seen)
        if mirrored is not None and mirrored.log.ending is None:
            return mirrored
        if mirrored is not None:
            mirrored.close()
        raise StorageUnavailable(
            "the answer is not being made, as far as is known, and the database is away; ask again in a while"
        )

    async def _checked(
        self, mirrored: AnswerReader, address: AnswerAddress, stored: StoredAnswer | None, seen: Position
    ) -> AnswerReader | None:
        """The mirror of an answer that may have ended, and been deleted, before it was found."""
        if stored is None:
            if mirrored.log.ending is None:
                return mirrored
            stored = await self._retelling.find(address.tenant, address.message_id)
            if stored is None:
                raise afresh(mirrored.log.ending.error or no_message(address.message_id))
        await mirrored.log.over(within_s=_WHOLE_S)
        ending = mirrored.log.ending
        is_whole = ending is not None and not isinstance(ending.error, AnswerInterrupted | AnswerUnknown)
        # A log that breaks off says nothing of the answer, which is stored.
        left = (
            await self._retelling.rest(mirrored.log, stored, seen=seen)
            if is_whole
            else await self._retelling.reader(stored, seen=seen)
        )
        mirrored.close()
        return left

    def cut(self, because: LorError) -> None:
        """Ends the reading of answers that other processes make: this one stops, others go on."""
        self._mirrors.cut(because)

    async def by_name(self, tenant: Tenant, name: str, *, seen: Position = 0) -> AnswerReader | None:
        """As `execute`, of the answer that is being made under that name; None where there is none.

        Raises:
            AnswerUnknown: none is made here, and whether one is made elsewhere can't be found out now.
            StorageUnavailable: none is made here, and the database is away.
        """
        live = self._live.named(tenant, name)
        if live is not None:
            return live.log.reader(seen)
        if not self._event_log.is_shared:
            return None
        message_id = await self._event_log.find(tenant, name)
        # A log keeps names for a while; what is stored has ended.
        if message_id is None or await self._retelling.find(tenant, message_id) is not None:
            return None
        mirrored = await self._mirrors.reader(AnswerAddress(tenant, message_id), seen=seen)
        if mirrored is not None and mirrored.log.ending is not None:  # deleted since, or never stored
            mirrored.close()
            return None
        return mirrored
