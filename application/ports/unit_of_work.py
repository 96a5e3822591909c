"""Reads and small writes in one transaction."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from application.ports.prompt_repository import PromptRepository
from domain.anomaly_record import SeenAnomaly
from domain.attempt import Attempt
from domain.client_chat import ClientChat
from domain.feedback import Feedback, FeedbackChange, RatedMessage
from domain.idempotency import Claimed, ClaimOutcome, IdempotencyKey
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.refusal import RefusalCount
from domain.thread import Session, StoredMessage, Thread, ThreadOrder, ThreadSummary
from domain.usage_report import (
    ErrorRow,
    Grain,
    PromptRow,
    ProviderRow,
    SeriesOf,
    SeriesPoint,
    UsageCheck,
    UsageQuery,
    UsageRow,
)


class SessionRepository(Protocol):
    async def get(self, session_id: SessionId) -> Session | None:
        """None where it is absent or another tenant's."""

    async def of_thread(self, thread_id: ThreadId) -> Session | None:
        """That of a thread, in one query; None where the thread is absent, deleted or another tenant's."""

    async def of_message(self, message_id: MessageId) -> Session | None:
        """That of a message's thread. As `of_thread`."""

    async def add(self, session: Session) -> None: ...

    async def list(
        self, *, user: str | None = None, before: SessionId | None = None, limit: int
    ) -> tuple[Session, ...]:
        """Newest first, those with an id less than `before`; of all users, or of one."""


class ThreadRepository(Protocol):
    """Threads that were deleted are absent for every method but `purge`."""

    async def get(self, thread_id: ThreadId) -> Thread | None:
        """None where it is absent or another tenant's."""

    async def lock(self, thread_id: ThreadId) -> Thread | None:
        """As `get`, and no chat can be committed to it until this unit of work ends."""

    async def add(self, thread: Thread) -> None:
        """With its `length`: as many messages must be added in the same unit of work.

        Raises:
            NotFound: its session is absent or another tenant's.
        """

    async def list(
        self,
        *,
        session_id: SessionId | None = None,
        user: str | None = None,
        tag: str | None = None,
        order: ThreadOrder = "created",
        before: ThreadId | None = None,
        updated_before: datetime.datetime | None = None,
        limit: int,
    ) -> tuple[Thread, ...]:
        """Newest first, those with an id less than `before`; of all, or of one session, one user, one tag.

        With `order="updated"` by (`updated_at`, `id`), those less than (`updated_before`, `before`), which are given
        both or neither; it costs as much as there are threads that fit.
        """

    async def change(self, thread: Thread) -> None:
        """Writes title, tags and `updated_at`. It must be locked."""

    async def delete(self, thread_id: ThreadId, *, at: datetime.datetime) -> bool:
        """Hides it from everybody; False where it was absent. What it holds goes with `purge`.

        Idempotency keys give no answer of it again: they are free at once.
        """

    async def purge(self, thread_id: ThreadId) -> bool:
        """Removes it for good with all that belongs to it, deleted before or not; False where it was absent."""

    async def summarise(self, thread_id: ThreadId, summary: ThreadSummary) -> None:
        """Keeps the summary, unless there is one already that reaches further."""


class MessageRepository(Protocol):
    """Messages of deleted threads are absent."""

    async def get(self, message_id: MessageId) -> StoredMessage | None:
        """None where it is absent or another tenant's."""

    async def tail(self, thread_id: ThreadId, *, limit: int) -> tuple[StoredMessage, ...]:
        """The last `limit` complete messages of the thread, oldest first; cost independent of its length."""

    async def page(
        self,
        thread_id: ThreadId,
        *,
        after: int = -1,
        below: int | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> tuple[StoredMessage, ...]:
        """Whatever their status, those at positions more than `after` and less than `below`, by position.

        Cost independent of the thread's length and of where in it the page lies.
        """

    async def attempts(self, message_id: MessageId) -> tuple[Attempt, ...]:
        """In the order in which they were made; none where the message is absent."""

    async def add(self, messages: Sequence[StoredMessage]) -> None:
        """Messages of a thread that was added in the same unit of work, each with its position."""

    async def copy(self, source: ThreadId, to: ThreadId, *, first: int, ids: Sequence[MessageId]) -> None:
        """Copies what `source` has at the positions from `first` on, as many as there are ids, to a thread that was
        added in the same unit of work.

        A copy has the id of its place in `ids`, is at that place, and names its original in `copied_from` and the
        copy of its parent, where that is copied too, in `parent`. It has no feedback and no attempts. Positions where
        there is nothing stay empty, and a thread that is absent has nothing.
        """

    async def pin(self, message_ids: Sequence[MessageId], *, pinned: bool) -> None:
        """Those that exist."""

    async def count_pinned(self, thread_id: ThreadId) -> int:
        """How many complete messages of the thread are pinned. Exact while the thread is locked."""

    async def note_token_counts(self, counts: Mapping[MessageId, int]) -> None:
        """Of messages that had none."""


class FeedbackRepository(Protocol):
    async def lock(self, message_id: MessageId) -> StoredMessage | None:
        """As `messages.get`; nobody else can change its feedback until this unit of work ends."""

    async def put(self, message_id: MessageId, feedback: Feedback | None, *, at: datetime.datetime) -> None:
        """Writes it to the message and to its history; None takes it back. The message must be locked."""

    async def history(self, message_id: MessageId, *, limit: int) -> tuple[FeedbackChange, ...]:
        """Newest first."""

    async def of_thread(
        self, thread_id: ThreadId, *, after: int = -1, limit: int
    ) -> tuple[RatedMessage, ...]:
        """By position, those at positions more than `after`; cost independent of the thread's length."""

    async def rated(
        self,
        *,
        after: MessageId | None = None,
        since: datetime.datetime | None = None,
        until: datetime.datetime | None = None,
        limit: int,
    ) -> tuple[RatedMessage, ...]:
        """Of all threads, by the message's id, those behind `after`; of messages made in that time."""


class UsageReader(Protocol):
    """What chats left behind, added up; of every time since the store is kept, whether their messages are or not.

    `report` is exact to the moment, as long as the messages are there of the hours in which it begins and ends. All
    others count whole hours: those that `since` and `until` lie in are theirs (`whole_hours`), and the query's
    `group_by` is nothing to them but to `series`.
    """

    async def report(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        """One row a group, by the group's name; of messages that are copies their ratings count, and nothing else."""

    async def prompts(self, query: UsageQuery) -> tuple[PromptRow, ...]:
        """By version and label, each one without last."""

    async def providers(self, query: UsageQuery) -> tuple[ProviderRow, ...]:
        """By provider and model."""

    async def errors(self, query: UsageQuery) -> tuple[ErrorRow, ...]:
        """The most frequent first."""

    async def series(
        self, query: UsageQuery, *, every: Grain, of: SeriesOf = "answers"
    ) -> tuple[SeriesPoint, ...]:
        """By group and time; groups of attempts can be `provider`, `model` and None."""

    async def check(self, query: UsageQuery) -> tuple[UsageCheck, ...]:
        """The sums beside the messages, by day: those days of which one of them has an answer. It reads all messages
        of that time. None where reports are made of the messages themselves.
        """


class IdempotencyRepository(Protocol):
    """Each method takes its time from the database. Tenants have their own keys."""

    async def claim(self, key: IdempotencyKey, *, owner: str) -> ClaimOutcome:
        """Takes the key where nobody holds it, its holder's lease is over, or its day is; else says why not.

        Two claims at the same time: one of them gets it.
        """

    async def renew(self, claims: Sequence[Claimed]) -> None:
        """Prolongs the leases of those that are still held, interrupted ones that nobody took over included."""

    async def release(self, claim: Claimed) -> None:
        """Frees the key, where it is still held by this owner: the request failed and may be sent again."""

    async def interrupt(self) -> int:
        """Marks the claims whose owners went silent as interrupted; returns how many. Whoever sends such a key
        again takes it over, marked or not."""


class ClientChatRepository(Protocol):
    """Chats by the ids that clients give them."""

    async def get(self, chat_id: str) -> ClientChat | None:
        """None where nobody has bound it in this tenant, or its thread was deleted."""

    async def lock(self, chat_id: str) -> ClientChat | None:
        """As `get`, and nobody else can bind it, bound or not, until this unit of work ends."""

    async def bind(self, chat_id: str, thread_id: ThreadId, *, at: datetime.datetime) -> None:
        """From now on the chat goes on in that thread, whichever it was in before. It must be locked, and the thread
        exist.
        """


class AnomalyRepository(Protocol):
    """Anomalies that were seen, for `KEPT_DAYS` of `domain/anomaly_record.py`."""

    async def add(self, anomalies: Sequence[SeenAnomaly]) -> None:
        """Keeps them, and forgets this tenant's that are too old beside the newest of them."""

    async def list(
        self, *, since: datetime.datetime, until: datetime.datetime, limit: int
    ) -> tuple[SeenAnomaly, ...]:
        """Newest first, by `at` and `id`; those from `since` on and before `until`."""


class RefusalRepository(Protocol):
    """Requests that were turned away: `UsageReader.errors` counts them, for as long as it does anything else."""

    async def add(self, refusals: Sequence[RefusalCount]) -> None: ...


class UnitOfWork(Protocol):
    """One transaction of one tenant: every query is scoped to it here and nowhere else.

    Never held across a provider call.
    """

    sessions: SessionRepository
    threads: ThreadRepository
    messages: MessageRepository
    prompts: PromptRepository
    feedback: FeedbackRepository
    usage: UsageReader
    idempotency: IdempotencyRepository
    client_chats: ClientChatRepository
    anomalies: AnomalyRepository
    refusals: RefusalRepository

    async def commit(self) -> None:
        """Makes the writes durable. Leaving the context without it rolls back."""


UnitOfWorkFactory = Callable[[Tenant], AbstractAsyncContextManager[UnitOfWork]]
"""Entering raises `StorageUnavailable` where the database is away or its pool stays empty for a second."""
