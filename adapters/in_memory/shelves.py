"""What the in-memory store holds."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

import attrs

from adapters.in_memory.locks import Locks
from adapters.in_memory.prompt_shelf import PromptShelf
from domain.access import ApiKey
from domain.anomaly_record import SeenAnomaly
from domain.answer import ChatAnswer
from domain.attempt import Attempt
from domain.client_chat import ClientChat
from domain.errors import StorageUnavailable
from domain.feedback import FeedbackChange
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.limits.budget import Period, Subject
from domain.refusal import RefusalCount
from domain.thread import Session, StoredMessage, Thread, ThreadSummary
from domain.values import frozen


@frozen(kw_only=True)
class StoredKey:
    """An idempotency key as it is stored."""

    key: str
    fingerprint: str
    owner: str
    lease_until: datetime.datetime
    expires_at: datetime.datetime
    answer: ChatAnswer | None = None
    """Set once it is completed."""
    is_interrupted: bool = False
    """Set where its owner was found silent."""


Counter: TypeAlias = tuple[Tenant, Subject, Period, datetime.datetime]
"""One period of what budgets of one subject have spent."""


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@attrs.define(kw_only=True)
class Shelves:
    """What is stored. Tests may look, and change `available` to take the store away."""

    sessions: dict[tuple[Tenant, SessionId], Session] = attrs.field(factory=dict)
    threads: dict[tuple[Tenant, ThreadId], Thread] = attrs.field(factory=dict)
    """Deleted ones too."""
    deleted: dict[tuple[Tenant, ThreadId], datetime.datetime] = attrs.field(factory=dict)
    """Which threads were deleted, and when."""
    summaries: dict[tuple[Tenant, ThreadId], ThreadSummary] = attrs.field(factory=dict)
    messages: dict[tuple[Tenant, MessageId], StoredMessage] = attrs.field(factory=dict)
    order: dict[tuple[Tenant, ThreadId], tuple[MessageId, ...]] = attrs.field(factory=dict)
    """The messages of each thread, by position."""
    attempts: dict[tuple[Tenant, MessageId], tuple[Attempt, ...]] = attrs.field(factory=dict)
    changes: dict[tuple[Tenant, MessageId], tuple[FeedbackChange, ...]] = attrs.field(factory=dict)
    """The history of each message's feedback, oldest first."""
    keys: dict[tuple[Tenant, str], StoredKey] = attrs.field(factory=dict)
    api_keys: dict[str, ApiKey] = attrs.field(factory=dict)
    client_chats: dict[tuple[Tenant, str], ClientChat] = attrs.field(factory=dict)
    anomalies: dict[tuple[Tenant, str], SeenAnomaly] = attrs.field(factory=dict)
    refusals: dict[tuple[Tenant, int], RefusalCount] = attrs.field(factory=dict)
    """By a number of its own."""
    spent_usd: dict[Counter, Decimal] = attrs.field(factory=dict)
    holds: dict[Counter, dict[str, tuple[Decimal, datetime.datetime]]] = attrs.field(factory=dict)
    """What each holder has reserved of a counter, and until when."""
    prompts: PromptShelf = attrs.field(factory=PromptShelf)
    locks: Locks = attrs.field(factory=Locks)
    now: Callable[[], datetime.datetime] = _now
    """The time as a database tells it."""
    available: bool = True

    @property
    def turns(self) -> dict[tuple[Tenant, ThreadId], list[StoredMessage]]:
        """The messages of each thread, those of deleted ones too."""
        return {
            (tenant, thread_id): [self.messages[tenant, message_id] for message_id in ids]
            for (tenant, thread_id), ids in self.order.items()
        }

    def demand(self) -> None:
        if not self.available:
            raise StorageUnavailable("the in-memory store was made unavailable by its test")
