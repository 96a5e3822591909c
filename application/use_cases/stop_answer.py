"""End an answer that is being made, and keep what there is of it."""

import asyncio
import contextlib
from typing import Final, Literal, TypeAlias

import attrs

from application.ports.event_log import AnswerAddress, EventLog
from application.services.absence import no_message
from application.services.answer_log import AnswerReader
from application.services.live_answers import LiveAnswer, LiveAnswers
from application.services.mirrors import Mirrors
from application.services.retelling import Retelling
from application.services.thread_lookup import canonical_id
from domain.errors import AnswerInterrupted, AnswerStopped, AnswerUnknown, LorError, afresh
from domain.idempotency import IdempotencyKey
from domain.ids import MessageId, Tenant
from domain.thread import MessageStatus
from domain.values import frozen

WAIT_S: Final = 2.0
"""How long the caller waits for the end, which takes a commit."""
ASK_AGAIN_S: Final = 0.25
"""Another process is asked that often: a word may be lost."""

StopStatus: TypeAlias = MessageStatus | Literal["stopping"]


@frozen(kw_only=True)
class Stopped:
    """What became of it."""

    message_id: MessageId | None
    """None where it was stopped before it was admitted: nothing of it is stored."""
    status: StopStatus
    """`stopping` where its end did not come in time; it will."""
    stopped: bool
    """Whether it ended here and now because it was asked to: False where it had ended before, came to its own end first,
    or has not ended yet."""


@frozen
class UnderWay:
    message_id: MessageId | None
    """None before it was admitted."""
    idempotency: IdempotencyKey | None = None
    """Of the request that it answers, as far as it is known here."""


@attrs.define(kw_only=True)
class StopAnswer:
    """Stopping what has ended already changes nothing and is no error."""

    _live: LiveAnswers
    _event_log: EventLog
    _mirrors: Mirrors
    _retelling: Retelling

    async def execute(self, tenant: Tenant, message_id: MessageId) -> Stopped:
        """
        Raises:
            NotFound: there is no such answer, it was deleted, or it is another tenant's.
            StorageUnavailable: nobody knows what became of it, since the database is away.
            AnswerUnknown: it is neither made here nor stored, and whoever makes it can't be asked now.
            LorError: what ended it, where nothing of it is stored.
        """
        known = canonical_id(message_id)
        if known is None:
            raise no_message(message_id)
        address = AnswerAddress(tenant, MessageId(known))
        live = self._live.stop_address(address)
        if live is not None:
            return await self._ended_here(live, address)
        return await self._elsewhere(address)

    async def under_way(self, tenant: Tenant, name: str) -> UnderWay | None:
        """What `by_name` would stop, as far as is known; it may have ended a moment ago."""
        live = self._live.named(tenant, name)
        if live is not None and live.address is not None:
            return UnderWay(live.address.message_id, live.command.idempotency)
        message_id: MessageId | None = None
        with contextlib.suppress(AnswerUnknown):
            message_id = await self._find(tenant, name)
        if live is None and message_id is None:
            return None
        return UnderWay(message_id, None if live is None else live.command.idempotency)

    async def by_name(self, tenant: Tenant, name: str) -> Stopped | None:
        """As `execute`, of the answer that is being made under that name, else of the one that waits here for its turn;
        None where there is neither.

        Raises:
            AnswerUnknown: neither is here, and whoever else may make one can't be asked now.
        """
        live = self._live.named(tenant, name)
        if live is None or live.address is None:
            message_id: MessageId | None = None
            try:
                message_id = await self._find(tenant, name)
            except AnswerUnknown:
                if self._live.named(tenant, name) is None:
                    raise
            if message_id is not None and self._live.find(tenant, message_id) is None:
                stopped = await self._elsewhere(AnswerAddress(tenant, message_id))
                # The log keeps names for a while: what had ended is not what a caller means who waits here.
                if stopped.stopped or stopped.status == "stopping" or self._live.named(tenant, name) is None:
                    return stopped
            live = self._live.named(tenant, name)
            if live is None:
                return None
        self._live.stop(live)
        return await self._ended_here(live, live.address)

    async def _find(self, tenant: Tenant, name: str) -> MessageId | None:
        return await self._event_log.find(tenant, name) if self._event_log.is_shared else None

    async def _ended_here(self, live: LiveAnswer, address: AnswerAddress | None) -> Stopped:
        await asyncio.wait([live.task], timeout=WAIT_S)
        ending = live.log.ending
        message_id = None if address is None else address.message_id
        if ending is None:
            return Stopped(message_id=message_id, status="stopping", stopped=False)
        if address is None:
            if ending.error is not None and not isinstance(ending.error, AnswerStopped):
                raise afresh(ending.error)
            return Stopped(message_id=None, status="cancelled", stopped=True)
        return await self._as_stored(address, ending.error, asked=True)

    async def _elsewhere(self, address: AnswerAddress) -> Stopped:
        stored = await self._retelling.find(address.tenant, address.message_id)
        if stored is not None:
            return Stopped(message_id=address.message_id, status=stored.message.status, stopped=False)
        unknown: LorError | None = None
        reader: AnswerReader | None = None
        try:
            if self._mirrors.is_new(address):  # its process hears of it before others can read what it makes
                await self._event_log.ask_to_stop(address)
            reader = await self._mirrors.reader(address, is_expected=True)
        except AnswerUnknown as error:
            unknown = error
        if reader is None:  # it may have ended in between
            return await self._as_stored(address, unknown, asked=False)
        try:
            log = reader.log
            for _ in range(round(WAIT_S / ASK_AGAIN_S)):
                await self._event_log.ask_to_stop(address)
                if await log.over(within_s=ASK_AGAIN_S):
                    break
            ending = log.ending
        finally:
            reader.close()
        if ending is None:
            return Stopped(message_id=address.message_id, status="stopping", stopped=False)
        return await self._as_stored(address, ending.error, asked=True)

    async def _as_stored(self, address: AnswerAddress, error: LorError | None, *, asked: bool) -> Stopped:
        """
        Args:
            error: what its events ended with.
            asked: whether it was under way when it was asked to stop.
        """
        stored = await self._retelling.find(address.tenant, address.message_id)
        if stored is None:
            if isinstance(error, AnswerInterrupted):
                return Stopped(message_id=address.message_id, status="interrupted", stopped=False)
            raise afresh(error or no_message(address.message_id))
        message = stored.message
        stopped = asked and message.finish_reason == "stopped"
        return Stopped(message_id=address.message_id, status=message.status, stopped=stopped)
