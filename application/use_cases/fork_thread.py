"""Fork a thread at a message."""

from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.absence import no_message, no_thread
from application.services.thread_lookup import existing_message, existing_thread, position_of
from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT, MessageId, Tenant, ThreadId
from domain.thread import Thread
from domain.thread_words import checked_title

MAX_COPIED: Final = 10_000
"""Messages: they are copied in one transaction."""
_PORTION: Final = 50


@attrs.frozen(kw_only=True)
class ForkThreadCommand:
    tenant: Tenant = DEFAULT_TENANT
    thread_id: ThreadId
    message_id: MessageId
    """The last message that the new thread has too."""
    title: str | None = None
    """As that of the thread it comes from, where it is None."""


@attrs.define(kw_only=True)
class ForkThread:
    """Makes a thread of the same session that begins as a copy of another one, up to a message and with it.

    A copy keeps everything but its id, its thread and its feedback: that was given to the original, once. Copies
    count in no report, since what they cost was paid in the thread they come from; their attempts stay there.
    """

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock
    _ids: IdGenerator

    async def execute(self, command: ForkThreadCommand) -> Thread:
        """The new thread.

        Raises:
            InvalidRequest: the title is none, or too much would have to be copied.
            NotFound: the thread is absent, or has no such message.
            StorageUnavailable: nothing was stored.
        """
        title = checked_title(command.title)
        async with self._unit_of_work(command.tenant) as work:
            source = await existing_thread(work, command.thread_id)
            last = await existing_message(work, command.message_id)
            if last.thread_id != source.id:
                raise no_message(command.message_id)
            # Retention may have taken the beginning.
            (first, *_) = await work.messages.page(source.id, limit=1) or (last,)
            length = position_of(last) - position_of(first) + 1
            if length > MAX_COPIED:
                message = (
                    f"a fork has at most {MAX_COPIED:,} messages at first, this one would have {length:,}"
                )
                raise InvalidRequest.of(Fault(path="message_id", message=f"{message}; choose an earlier one"))
            now = self._clock.now()
            fork = Thread(
                id=ThreadId(self._ids.new()),
                tenant=command.tenant,
                session_id=source.session_id,
                title=source.title if title is None else title,
                tags=source.tags,
                forked_from=last.id,
                length=length,
                created_at=now,
                updated_at=now,
            )
            await work.threads.add(fork)
            await self._copy(work, fork, source.id, first=position_of(first), last=position_of(last))
            await work.commit()
        return fork

    async def _copy(self, work: UnitOfWork, fork: Thread, source: ThreadId, *, first: int, last: int) -> None:
        """In portions, so that a long thread is never in memory as a whole."""
        new_ids: dict[MessageId, MessageId] = {}
        done = first - 1
        while done < last:
            portion = await work.messages.page(source, after=done, below=last + 1, limit=_PORTION)
            if not portion:
                raise no_thread(source)  # it was deleted meanwhile
            for each in portion:
                new_ids[each.id] = MessageId(self._ids.new())
            await work.messages.add(
                [
                    attrs.evolve(
                        each,
                        id=new_ids[each.id],
                        thread_id=fork.id,
                        position=position_of(each) - first,
                        parent=None if each.parent is None else new_ids.get(each.parent),
                        copied_from=each.id,
                        feedback=None,
                    )
                    for each in portion
                ]
            )
            done = position_of(portion[-1])
