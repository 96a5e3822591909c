"""Conversations as they are stored: sessions hold threads, threads hold messages."""

import datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from domain.attempt import Attempt
from domain.chat import FinishReason
from domain.feedback import Feedback
from domain.idempotency import KeyCompletion
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.limits.budget import Spend
from domain.message import Message
from domain.model import ModelRef
from domain.usage import Usage
from domain.values import frozen

MessageStatus: TypeAlias = Literal["complete", "incomplete", "failed", "interrupted", "cancelled"]

MAX_PINNED: Final = 100
"""Messages of one thread that are pinned at most: all of them go into each prompt."""

ThreadOrder: TypeAlias = Literal["created", "updated"]
"""By when a thread was opened, or last written to; the newest first."""


@frozen(kw_only=True)
class Session:
    """Groups the threads of one user."""

    id: SessionId
    tenant: Tenant
    user: str | None = None
    created_at: datetime.datetime


@frozen(kw_only=True)
class Thread:
    """A conversation."""

    id: ThreadId
    tenant: Tenant
    session_id: SessionId
    title: str | None = None
    tags: tuple[str, ...] = ()
    """In alphabetical order, each once."""
    forked_from: MessageId | None = None
    """The message of another thread up to which this one began as a copy of it."""
    length: int = 0
    """How many messages it has had, as of when it was read: the position that the next one gets."""
    created_at: datetime.datetime
    updated_at: datetime.datetime | None = None
    """When it was last written to; None for a thread that is being made."""

    @property
    def etag(self) -> str:
        """As in the headers `ETag` and `If-Match` (RFC 9110, section 8.8.3): another one after each write."""
        at = self.updated_at or self.created_at
        return f'"{self.length}-{round(at.timestamp() * 1_000_000):x}"'


@frozen(kw_only=True)
class StoredMessage:
    """A message with all that is known of how it came to be. User turns leave the answer's fields empty."""

    id: MessageId
    tenant: Tenant
    thread_id: ThreadId
    position: int | None = None
    """0, 1, 2 … without a gap in a thread; given by the store when it commits."""
    message: Message
    status: MessageStatus = "complete"
    error_code: str | None = None
    """Set when `status` is `failed`."""
    parent: MessageId | None = None
    """The turn it follows: of an answer, the last of the caller's turns that it answers; of a further turn of the
    same chat, the one before it. Answers with the same parent were made in place of one another: the newest counts."""
    pinned: bool = False
    """True: it stays in the memory whatever its age."""
    copied_from: MessageId | None = None
    """Set on the messages of a fork: what they cost was paid once, in the thread they come from."""
    feedback: Feedback | None = None
    format: str | None = None
    model: ModelRef | None = None
    """The model that answered, not the one that was asked for."""
    prompt_version: str | None = None
    prompt_label: str | None = None
    """The label by which the prompt's version was chosen; None where it was named by number, or is the latest."""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    """None where the price is unknown."""
    latency_ms: int | None = None
    """From the request's arrival to the answer's end."""
    key_id: str | None = None
    """The account of the API key that asked for it; see `ApiKey.account_id`."""
    metadata: tuple[tuple[str, str], ...] = ()
    created_at: datetime.datetime

    @property
    def is_answer(self) -> bool:
        """Whether lor3 answered with it; False of an assistant's turn that the caller brought along."""
        return self.message.role == "assistant" and (self.model is not None or self.latency_ms is not None)


@frozen(kw_only=True)
class ThreadSummary:
    """The older part of a thread in a few sentences, as a cheap model put it."""

    up_to: int
    """The position of the last message that it covers."""
    text: str
    token_count: int | None = None
    model: ModelRef
    created_at: datetime.datetime


@frozen(kw_only=True)
class Conversation:
    """What a chat that continues a thread needs of it, read in one round trip."""

    session: Session
    thread: Thread
    recent: tuple[StoredMessage, ...] = ()
    """The last complete messages, as many as were asked for, oldest first."""
    pinned: tuple[StoredMessage, ...] = ()
    """The pinned complete messages that are older than those, oldest first: the last `MAX_PINNED`."""
    summary: ThreadSummary | None = None


@frozen(kw_only=True)
class ChatRecord:
    """All that one chat leaves behind; committed whole or not at all."""

    session: Session
    new_session: bool
    thread: Thread
    new_thread: bool
    messages: tuple[StoredMessage, ...]
    """In order: the caller's new turns, then the answer (or the failure)."""
    attempts: tuple[Attempt, ...]
    """Belong to the last message."""
    spends: tuple[Spend, ...] = ()
    """What it adds to the counters of budgets."""
    completes: KeyCompletion | None = None
    """The idempotency key that this chat was sent with, and the answer that it replays from now on."""
