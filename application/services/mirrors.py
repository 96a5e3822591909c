"""Answers that other processes make, as this one sees them grow: one copy of each, for all who read it here."""

import asyncio
import uuid
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.event_log import AnswerAddress, EventLog, Following
from application.services.answer_log import AnswerLog, AnswerReader
from domain.errors import LorError
from domain.live_answer import Ending, Position

NEW_S: Final = 5.0
"""How old an answer is at most that other processes may not have been told of yet, if their clocks differ somewhat."""
LOOKS: Final = 10
LOOK_AGAIN_S: Final = 0.05
"""A log tells by and by: nobody waits for it who makes an answer."""


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
    _clock: Clock
    _mirrors: dict[AnswerAddress, _Mirror] = attrs.field(factory=dict, init=False)

    def is_new(self, address: AnswerAddress) -> bool:
        """Whether the answer, if there is one, was begun just now, so that its process may not have told of it."""
        if not self._event_log.is_shared:
            return False
        try:
            message_id = uuid.UUID(address.message_id)
        except ValueError:
            return False
        # RFC 9562, section 5.7: it begins with the time in ms.
        age_s = self._clock.now().timestamp() - (message_id.int >> 80) / 1000
        return message_id.version == 7 and abs(age_s) < NEW_S

    async def reader(
        self, address: AnswerAddress, *, seen: Position = 0, is_expected: bool = False
    ) -> AnswerReader | None:
        """One that gets what comes after `seen`, to be closed; None where no process tells of the answer.

        Args:
            is_expected: whether nothing else is known of it: what is new is then looked for a few times.

        Raises:
            AnswerUnknown: it can't be found out now.
        """
        if not self._event_log.is_shared:
            return None
        reader = await self._find(address, seen)
        if is_expected and reader is None and self.is_new(address):
            for _ in range(LOOKS):
                await self._clock.sleep(LOOK_AGAIN_S)
                reader = await self._find(address, seen)
                if reader is not None:
                    break
        return reader

    async def _find(self, address: AnswerAddress, seen: Position) -> AnswerReader | None:
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
