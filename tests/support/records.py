"""Chats to store."""

import datetime
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import attrs
import sqlalchemy as sa

from adapters.persistence.engine import Database
from application.ports.store import StoreConfig
from domain.attempt import Attempt
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.message import Message
from domain.model import ModelRef
from domain.secret import Secret
from domain.thread import ChatRecord, Session, StoredMessage, Thread
from domain.usage import Usage
from entrypoints.resources import resource

NOW = datetime.datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=datetime.UTC)
MODEL = ModelRef("openai", "gpt-4")


def store_config(url: str, **changes: Any) -> StoreConfig:
    return StoreConfig(url=Secret(url), migrations_path=str(resource("migrations")), **changes)


def new_chat(
    prompt: str = "Hello?", answer: str = "Hello!", *, tenant: Tenant = DEFAULT_TENANT
) -> ChatRecord:
    """The first chat of a new thread in a new session: a user turn and its answer."""
    session = Session(id=SessionId(str(uuid.uuid4())), tenant=tenant, user="ada", created_at=NOW)
    thread = Thread(
        id=ThreadId(str(uuid.uuid4())), tenant=tenant, session_id=session.id, title=None, created_at=NOW
    )
    record = ChatRecord(
        session=session, new_session=True, thread=thread, new_thread=True, messages=(), attempts=()
    )
    return _with_turns(record, prompt, answer)


def next_chat(before: ChatRecord, prompt: str = "And now?", answer: str = "Now this.") -> ChatRecord:
    """One more chat in the same thread."""
    return _with_turns(attrs.evolve(before, new_session=False, new_thread=False), prompt, answer)


def _with_turns(record: ChatRecord, prompt: str, answer: str) -> ChatRecord:
    usage = Usage(
        input_tokens=12, output_tokens=34, cached_input_tokens=5, cache_write_tokens=2, reasoning_tokens=7
    )
    thread = record.thread
    asked = StoredMessage(
        id=MessageId(str(uuid.uuid4())),
        tenant=thread.tenant,
        thread_id=thread.id,
        message=Message.of("user", prompt),
        metadata=(("channel", "web"),),
        created_at=NOW,
    )
    answered = StoredMessage(
        id=MessageId(str(uuid.uuid4())),
        tenant=thread.tenant,
        thread_id=thread.id,
        message=attrs.evolve(Message.of("assistant", answer), token_count=34),
        format="raw",
        model=MODEL,
        finish_reason="stop",
        usage=usage,
        cost_usd=Decimal("0.000123456789"),
        latency_ms=321,
        created_at=NOW,
    )
    attempt = Attempt(
        model=MODEL,
        outcome="ok",
        started_at=NOW,
        latency_ms=300,
        status=200,
        usage=usage,
        cost_usd=Decimal("0.000123456789"),
        response_id="resp_1",
    )
    return attrs.evolve(record, messages=(asked, answered), attempts=(attempt,))


def row_counts(url: str, tables: Iterable[sa.Table]) -> dict[str, int]:
    """By table, of all tenants."""
    engine = Database.of(store_config(url)).open_for_migration()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lor3.tenants = '*'")
        found = {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in tables
        }
    engine.dispose()
    return found
