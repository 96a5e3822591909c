"""Open a session for a user."""

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.unit_of_work import UnitOfWorkFactory
from domain.clean_text import clean
from domain.ids import DEFAULT_TENANT, SessionId, Tenant
from domain.thread import Session
from domain.values import frozen


@frozen(kw_only=True)
class OpenSessionCommand:
    tenant: Tenant = DEFAULT_TENANT
    user: str | None = None
    """The caller's opaque id of its end user."""


@attrs.define(kw_only=True)
class OpenSession:
    """Makes a session without threads. A chat that names none makes its own."""

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock
    _ids: IdGenerator

    async def execute(self, command: OpenSessionCommand) -> Session:
        """
        Raises:
            StorageUnavailable: nothing was stored.
        """
        session = Session(
            id=SessionId(self._ids.new()),
            tenant=command.tenant,
            user=None if command.user is None else clean(command.user),
            created_at=self._clock.now(),
        )
        async with self._unit_of_work(command.tenant) as work:
            await work.sessions.add(session)
            await work.commit()
        return session
