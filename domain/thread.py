"""Conversations as they are stored: sessions hold threads, threads hold messages."""

import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import attrs

from domain.attempt import Attempt
from domain.chat import FinishReason
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.message import Message
from domain.model import ModelRef
from domain.usage import Usage

MessageStatus: TypeAlias = Literal["complete", "incomplete", "failed", "interrupted", "cancelled"]


@attrs.frozen(kw_only=True)
class Session:
    """Groups the threads of one user."""

    id: SessionId
    tenant: Tenant
    user: str | None = None
    created_at: datetime.datetime


@attrs.frozen(kw_only=True)
class Thread:
    """A conversation."""

    id: ThreadId
    tenant: Tenant
    session_id: SessionId
    title: str | None = None
    created_at: datetime.datetime


@attrs.frozen(kw_only=True)
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
    format: str | None = None
    model: ModelRef | None = None
    """The model that answered, not the one that was asked for."""
    prompt_version: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    """None where the price is unknown."""
    latency_ms: int | None = None
    """From the request's arrival to the answer's end."""
    metadata: tuple[tuple[str, str], ...] = ()
    created_at: datetime.datetime


@attrs.frozen(kw_only=True)
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
