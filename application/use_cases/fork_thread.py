"""Fork a thread at a message."""

import asyncio
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.absence import no_message
from application.services.thread_lookup import existing_message, existing_thread, position_of
from application.services.turns import in_turn
from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT, MessageId, Tenant, ThreadId
from domain.thread import StoredMessage, Thread
from domain.thread_words import checked_title

MAX_COPIED: Final = 10_000
"""Messages: they are copied in one transaction."""
MAX_COPIED_AT_ONCE: Final = 500
"""Messages: longer forks of a process are made one after another."""
MAX_WAIT_S: Final = 10.0
"""For the long forks before this one."""
_REFUSAL: Final = "other long threads are being forked; try again shortly, or choose an earlier message"


@attrs.frozen(kw_only=True)
class ForkThreadCommand:
    tenant: Tenant = DEFAULT_TENANT
    thread_id: ThreadId
    message_id: MessageId
    """The last message that the new thread has too."""
    title: str | None = None
    """As that of the thread it comes from, where it is None."""


@attrs.frozen(kw_only=True)
class _Beginning:
    """What a fork begins as a copy of."""

    source: Thread
    last: StoredMessage
    first: int
    """A position."""
    length: int
    """Positions, the last message's included."""


@attrs.define(kw_only=True)
class ForkThread:
    """Makes a thread of the same session that begins as a copy of another one, up to a message and with it.

    A copy keeps everything but its id, its thread and its feedback: that was given to the original, once. Copies
    count in no report, since what they cost was paid in the thread they come from; their attempts stay there.

    Long forks are made one at a time: each holds a connection for a while, which chats need too, and on SQLite
    the file's one write lock.
    """

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock
    _ids: IdGenerator
    _max_wait_s: float = MAX_WAIT_S
    _turn: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    async def execute(self, command: ForkThreadCommand) -> Thread:
        """The new thread.

        Raises:
            InvalidRequest: the title is none, or too much would have to be copied.
            NotFound: the thread is absent, or has no such message.
            Overloaded: other long forks take too long.
            StorageUnavailable: nothing was stored.
        """
        title = checked_title(command.title)
        async with self._unit_of_work(command.tenant) as work:
            beginning = await _beginning(work, command)
            if beginning.length <= MAX_COPIED_AT_ONCE:
                return await self._fork(work, beginning, title)
        # The connection is given back first: whoever waits holds none.
        turn = in_turn(self._turn, max_wait_s=self._max_wait_s, refusal=_REFUSAL)
        async with turn, self._unit_of_work(command.tenant) as work:
            return await self._fork(work, await _beginning(work, command), title)

    async def _fork(self, work: UnitOfWork, beginning: _Beginning, title: str | None) -> Thread:
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
        await work.commit()
        return fork


async def _beginning(work: UnitOfWork, command: ForkThreadCommand) -> _Beginning:
    """
    Raises:
        InvalidRequest: it is too long.
        NotFound: the thread is absent, or has no such message.
    """
    source = await existing_thread(work, command.thread_id)
    last = await existing_message(work, command.message_id)
    if last.thread_id != source.id:
        raise no_message(command.message_id)
    # Retention may have taken the beginning.
    (first, *_) = await work.messages.page(source.id, limit=1) or (last,)
    length = position_of(last) - position_of(first) + 1
    if length > MAX_COPIED:
        message = f"a fork has at most {MAX_COPIED:,} messages at first, this one would have {length:,}"
        raise InvalidRequest.of(Fault(path="message_id", message=f"{message}; choose an earlier one"))
    return _Beginning(source=source, last=last, first=position_of(first), length=length)
