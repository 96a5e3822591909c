"""Answers that other processes make, as this one sees them grow: one copy of each, for all who read it here."""

import asyncio

import attrs

from application.ports.event_log import AnswerAddress, EventLog, Following
from application.services.answer_log import AnswerLog, AnswerReader
from domain.errors import LorError
from domain.live_answer import Ending, Position


@attrs.define(eq=False)
class _Mirror:
    log: AnswerLog
    opened: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set once it is known whether there is anything to follow."""
    following: Following | None = None


@attrs.define(kw_only=True)
class Mirrors:
    """A mirror is fed while somebody reads it, and forgotten with its last reader: nobody finds it stale."""

    _event_log: EventLog
    _mirrors: dict[AnswerAddress, _Mirror] = attrs.field(factory=dict, init=False)

    async def reader(self, address: AnswerAddress, *, seen: Position = 0) -> AnswerReader | None:
        """One that gets what comes after `seen`, to be closed; None where no process tells of the answer.

        Raises:
            AnswerUnknown: it can't be found out now.
        """
        if not self._event_log.is_shared:
            return None
        while True:
            mirror = self._mirrors.get(address)
            if mirror is None:
                mirror = await self._open(address)
                if mirror.following is None:
                    return None
            else:
                await mirror.opened.wait()
            # Between the two a reader may have come and gone, and the mirror with it.
            if self._mirrors.get(address) is mirror:
                return mirror.log.reader(seen)

    def cut(self, because: LorError) -> None:
        """Ends all of them: their readers are told why, and the answers go on elsewhere."""
        for mirror in tuple(self._mirrors.values()):
            if mirror.following is not None:
                mirror.following.close()
            if mirror.log.ending is None:
                mirror.log.end(Ending(error=because, is_for_all=False))

    async def _open(self, address: AnswerAddress) -> _Mirror:
        mirror = _Mirror(AnswerLog(message_id=address.message_id))
        mirror.log.on_unread = lambda: self._close(address, mirror)
        self._mirrors[address] = mirror
        try:
            mirror.following = await self._event_log.follow(address, mirror.log)
        finally:
            if mirror.following is None:
                del self._mirrors[address]
            mirror.opened.set()
        return mirror

    def _close(self, address: AnswerAddress, mirror: _Mirror) -> None:
        if self._mirrors.get(address) is mirror:
            del self._mirrors[address]
        if mirror.following is not None:
            mirror.following.close()
