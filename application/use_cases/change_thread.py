"""Rename and tag a thread."""

import attrs

from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.thread_lookup import demand_match, locked_thread
from domain.ids import DEFAULT_TENANT, Tenant, ThreadId
from domain.thread import Thread
from domain.thread_words import checked_tags, checked_title
from domain.values import frozen


@frozen(kw_only=True)
class ChangeThreadCommand:
    tenant: Tenant = DEFAULT_TENANT
    thread_id: ThreadId
    title: str | None = None
    """None keeps it."""
    clear_title: bool = False
    """Takes the title away."""
    tags: tuple[str, ...] | None = None
    """In place of those it has; None keeps them."""
    if_match: tuple[str, ...] | None = None
    """ETags, one of which the thread must still have, or `*`; None asks for nothing."""


@attrs.define(kw_only=True)
class ChangeThread:
    """Changes what people call a thread. What changes nothing writes nothing."""

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock

    async def execute(self, command: ChangeThreadCommand) -> Thread:
        """The thread as it is now.

        Raises:
            InvalidRequest: the title or a tag is none.
            NotFound: the thread is absent.
            PreconditionFailed: it has none of the ETags.
            StorageUnavailable: nothing was changed.
        """
        title = checked_title(command.title)
        tags = None if command.tags is None else checked_tags(command.tags)
        async with self._unit_of_work(command.tenant) as work:
            before = await locked_thread(work, command.thread_id)
            demand_match(before, command.if_match)
            if title is None and not command.clear_title:
                title = before.title
            wanted = attrs.evolve(before, title=title, tags=before.tags if tags is None else tags)
            if wanted == before:
                return before
            thread = attrs.evolve(wanted, updated_at=self._clock.now())
            await work.threads.change(thread)
            await work.commit()
        return thread
