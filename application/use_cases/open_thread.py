"""Open a thread before its first message."""

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.thread_lookup import existing_session
from domain.clean_text import clean
from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT, SessionId, Tenant, ThreadId
from domain.thread import Session, Thread
from domain.thread_words import checked_tags, checked_title
from domain.values import frozen


@frozen(kw_only=True)
class OpenThreadCommand:
    tenant: Tenant = DEFAULT_TENANT
    session_id: SessionId | None = None
    """A new session where it is None."""
    user: str | None = None
    """Of a new session; of one that exists, it must be the same."""
    title: str | None = None
    tags: tuple[str, ...] = ()


@attrs.define(kw_only=True)
class OpenThread:
    """Makes an empty thread that chats can continue. A chat that names none makes its own."""

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock
    _ids: IdGenerator

    async def execute(self, command: OpenThreadCommand) -> Thread:
        """
        Raises:
            InvalidRequest: the title or a tag is none, or the session belongs to another user.
            NotFound: the session is absent.
            StorageUnavailable: nothing was stored.
        """
        title, tags = checked_title(command.title), checked_tags(command.tags)
        async with self._unit_of_work(command.tenant) as work:
            session = await self._session(work, command)
            now = self._clock.now()
            thread = Thread(
                id=ThreadId(self._ids.new()),
                tenant=command.tenant,
                session_id=session.id,
                title=title,
                tags=tags,
                created_at=now,
                updated_at=now,
            )
            await work.threads.add(thread)
            await work.commit()
        return thread

    async def _session(self, work: UnitOfWork, command: OpenThreadCommand) -> Session:
        user = None if command.user is None else clean(command.user)
        if command.session_id is None:
            session = Session(
                id=SessionId(self._ids.new()), tenant=command.tenant, user=user, created_at=self._clock.now()
            )
            await work.sessions.add(session)
            return session
        session = await existing_session(work, command.session_id)
        if user not in (None, session.user):
            message = (
                "the session is not this user's; leave `user` out, or leave `session_id` out for a new one"
            )
            raise InvalidRequest.of(Fault(path="user", message=message))
        return session
