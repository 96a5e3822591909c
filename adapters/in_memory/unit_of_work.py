"""Reads of what the in-memory journal holds, and small writes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs

from adapters.in_memory.chat_journal import Shelves
from adapters.in_memory.prompt_repository import InMemoryPrompts
from application.ports.prompt_repository import PromptRepository
from application.ports.unit_of_work import (
    MessageRepository,
    SessionRepository,
    ThreadRepository,
    UnitOfWork,
    UnitOfWorkFactory,
)
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.thread import Session, StoredMessage, Thread


@attrs.frozen
class _Sessions:
    _shelves: Shelves
    _tenant: Tenant

    async def get(self, session_id: SessionId) -> Session | None:
        self._shelves.demand()
        return self._shelves.sessions.get((self._tenant, session_id))


@attrs.frozen
class _Threads:
    _shelves: Shelves
    _tenant: Tenant

    async def get(self, thread_id: ThreadId) -> Thread | None:
        self._shelves.demand()
        return self._shelves.threads.get((self._tenant, thread_id))


@attrs.frozen
class _Messages:
    _shelves: Shelves
    _tenant: Tenant

    async def get(self, message_id: MessageId) -> StoredMessage | None:
        self._shelves.demand()
        return self._shelves.messages.get((self._tenant, message_id))

    async def tail(self, thread_id: ThreadId, *, limit: int) -> tuple[StoredMessage, ...]:
        self._shelves.demand()
        last: list[StoredMessage] = []
        for stored in reversed(self._shelves.turns.get((self._tenant, thread_id), ())):
            if len(last) >= limit:
                break
            if stored.status == "complete":
                last.append(stored)
        return tuple(reversed(last))


@attrs.define
class InMemoryUnitOfWork:
    sessions: SessionRepository
    threads: ThreadRepository
    messages: MessageRepository
    prompts: PromptRepository
    _commit: Callable[[], Awaitable[None]]

    async def commit(self) -> None:
        await self._commit()


def unit_of_work_factory(shelves: Shelves) -> UnitOfWorkFactory:
    @asynccontextmanager
    async def unit_of_work(tenant: Tenant) -> AsyncIterator[UnitOfWork]:
        shelves.demand()
        prompts = InMemoryPrompts(shelves, tenant)
        try:
            yield InMemoryUnitOfWork(
                _Sessions(shelves, tenant),
                _Threads(shelves, tenant),
                _Messages(shelves, tenant),
                prompts,
                prompts.commit,
            )
        finally:
            prompts.leave()

    return unit_of_work
