"""Reads and small writes in one transaction."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from application.ports.prompt_repository import PromptRepository
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.thread import Session, StoredMessage, Thread


class SessionRepository(Protocol):
    async def get(self, session_id: SessionId) -> Session | None:
        """None where it is absent or another tenant's."""


class ThreadRepository(Protocol):
    async def get(self, thread_id: ThreadId) -> Thread | None:
        """None where it is absent or another tenant's."""


class MessageRepository(Protocol):
    async def get(self, message_id: MessageId) -> StoredMessage | None:
        """None where it is absent or another tenant's."""

    async def tail(self, thread_id: ThreadId, *, limit: int) -> tuple[StoredMessage, ...]:
        """The last `limit` complete messages of the thread, oldest first; cost independent of its length."""


class UnitOfWork(Protocol):
    """One transaction of one tenant: every query is scoped to it here and nowhere else.

    Never held across a provider call.
    """

    sessions: SessionRepository
    threads: ThreadRepository
    messages: MessageRepository
    prompts: PromptRepository

    async def commit(self) -> None:
        """Makes the writes durable. Leaving the context without it rolls back."""


UnitOfWorkFactory = Callable[[Tenant], AbstractAsyncContextManager[UnitOfWork]]
"""Entering raises `StorageUnavailable` where the database is away or its pool stays empty for a second."""
