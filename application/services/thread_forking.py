"""Copies the beginning of a thread into a new one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.absence import no_message
from application.services.thread_lookup import existing_message, existing_thread, position_of
from application.services.turns import in_turn
from domain.errors import Fault, InvalidRequest
from domain.ids import MessageId, Tenant, ThreadId
from domain.thread import StoredMessage, Thread
from domain.values import frozen

MAX_COPIED: Final = 10_000
"""Messages: they are copied in one transaction."""
MAX_COPIED_AT_ONCE: Final = 500
"""Messages: longer forks of a process are made one after another."""
MAX_WAIT_S: Final = 10.0
"""For the long forks before this one."""
_REFUSAL: Final = "other long threads are being forked; try again shortly, or choose an earlier message"

Further: TypeAlias = Callable[[UnitOfWork, Thread, MessageId], Awaitable[None]]
"""What else is to be done in the same transaction: with the fork, and the id of its last message."""


async def _nothing(work: UnitOfWork, fork: Thread, last: MessageId) -> None:
    """For those who want the fork alone."""


@frozen(kw_only=True)
class _Beginning:
    """What a fork begins as a copy of."""

    source: Thread
    last: StoredMessage
    first: int
    """A position."""
    length: int
    """Positions, the last message's included."""


@attrs.define(kw_only=True)
class ThreadForking:
    """A copy keeps everything but its id, its thread and its feedback: that was given to the original, once. Copies
    count in no report, since what they cost was paid in the thread they come from; their attempts stay there.

    Long forks are made one at a time: each holds a connection for a while, which chats need too, and on SQLite
    the file's one write lock.
    """

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock
    _ids: IdGenerator
    _max_wait_s: float = MAX_WAIT_S
    _turn: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    async def fork(
        self,
        tenant: Tenant,
        thread_id: ThreadId,
        message_id: MessageId,
        *,
        title: str | None = None,
        further: Further = _nothing,
    ) -> Thread:
        """A thread of the same session that begins as a copy of this one, up to the message and with it.

        Args:
            title: as that of the thread it comes from, where it is None.

        Raises:
            InvalidRequest: too much would have to be copied.
            NotFound: the thread is absent, or has no such message.
            Overloaded: other long forks take too long.
            StorageUnavailable: nothing was stored.
        """
        async with self._unit_of_work(tenant) as work:
            beginning = await _beginning(work, thread_id, message_id)
            if beginning.length <= MAX_COPIED_AT_ONCE:
                return await self._fork(work, beginning, title, further)
        # The connection is given back first: whoever waits holds none.
        turn = in_turn(self._turn, max_wait_s=self._max_wait_s, refusal=_REFUSAL)
        async with turn, self._unit_of_work(tenant) as work:
            return await self._fork(work, await _beginning(work, thread_id, message_id), title, further)

    async def _fork(
        self, work: UnitOfWork, beginning: _Beginning, title: str | None, further: Further
    ) -> Thread:
        source = beginning.source
        now = self._clock.now()
        fork = Thread(
            id=ThreadId(self._ids.new()),
            tenant=source.tenant,
            session_id=source.session_id,
            title=source.title if title is None else title,
            tags=source.tags,
            forked_from=beginning.last.id,
            length=beginning.length,
            created_at=now,
            updated_at=now,
        )
        await work.threads.add(fork)
        ids = [MessageId(self._ids.new()) for _ in range(beginning.length)]
        await work.messages.copy(source.id, fork.id, first=beginning.first, ids=ids)
        await existing_thread(work, source.id)  # deleted meanwhile, it may have been copied in part
        await further(work, fork, ids[-1])
        await work.commit()
        return fork


async def _beginning(work: UnitOfWork, thread_id: ThreadId, message_id: MessageId) -> _Beginning:
    """
    Raises:
        InvalidRequest: it is too long.
        NotFound: the thread is absent, or has no such message.
    """
    source = await existing_thread(work, thread_id)
    last = await existing_message(work, message_id)
    if last.thread_id != source.id:
        raise no_message(message_id)
    # Retention may have taken the beginning.
    (first, *_) = await work.messages.page(source.id, limit=1) or (last,)
    length = position_of(last) - position_of(first) + 1
    if length > MAX_COPIED:
        message = f"a fork has at most {MAX_COPIED:,} messages at first, this one would have {length:,}"
        raise InvalidRequest.of(Fault(path="message_id", message=f"{message}; choose an earlier one"))
    return _Beginning(source=source, last=last, first=position_of(first), length=length)
