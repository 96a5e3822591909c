"""Delete a thread."""

import attrs

from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.absence import no_thread
from application.services.thread_lookup import canonical_id
from domain.ids import DEFAULT_TENANT, Tenant, ThreadId
from domain.values import frozen


@frozen(kw_only=True)
class DeleteThreadCommand:
    tenant: Tenant = DEFAULT_TENANT
    thread_id: ThreadId
    purge: bool = False
    """Removes it at once and for good, also where it was deleted before; else retention does, later."""


@attrs.define(kw_only=True)
class DeleteThread:
    """Makes a thread absent for everybody, with its messages. Its session stays."""

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock

    async def execute(self, command: DeleteThreadCommand) -> None:
        """
        Raises:
            NotFound: the thread is absent; to `purge`, one that was deleted before is not.
            StorageUnavailable: nothing was changed.
        """
        known = canonical_id(command.thread_id)
        if known is None:
            raise no_thread(command.thread_id)
        thread_id = ThreadId(known)
        async with self._unit_of_work(command.tenant) as work:
            if command.purge:
                found = await work.threads.purge(thread_id)
            else:
                found = await work.threads.delete(thread_id, at=self._clock.now())
            if not found:
                raise no_thread(command.thread_id)
            await work.commit()
