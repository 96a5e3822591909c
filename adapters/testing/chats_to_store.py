"""Chats for the suites of stores, and how they are stored and read there."""

import datetime
from decimal import Decimal
from typing import Final

import attrs

from adapters.system import UUID7Generator
from adapters.testing.prompts_to_store import NOW
from application.ports.store import Store
from domain.attempt import Attempt
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.message import Message
from domain.model import ModelRef
from domain.thread import ChatRecord, Session, StoredMessage, Thread
from domain.usage import Usage

MODEL = ModelRef("openai", "gpt-4")
_IDS: Final = UUID7Generator()


def new_id() -> str:
    """A UUIDv7, greater than those before."""
    return _IDS.new()


def first_chat(*, tenant: Tenant = DEFAULT_TENANT, prompt: str = "Hello?") -> ChatRecord:
    """A new session with a new thread with a user turn and its answer."""
    session = Session(id=SessionId(new_id()), tenant=tenant, user="ada", created_at=NOW)
    thread = Thread(
        id=ThreadId(new_id()), tenant=tenant, session_id=session.id, title="Greetings", created_at=NOW
    )
    empty = ChatRecord(
        session=session, new_session=True, thread=thread, new_thread=True, messages=(), attempts=()
    )
    return with_turns(empty, prompt)


def further_chat(before: ChatRecord, *, prompt: str = "And now?") -> ChatRecord:
    """One more chat in the thread of `before`."""
    return with_turns(attrs.evolve(before, new_session=False, new_thread=False), prompt)


def with_turns(record: ChatRecord, prompt: str) -> ChatRecord:
    """The record with a user turn and its answer, of which every field is filled, and two attempts."""
    tenant, thread_id = record.thread.tenant, record.thread.id
    usage = Usage(
        input_tokens=12,
        output_tokens=2**40,
        cached_input_tokens=5,
        cache_write_tokens=2,
        reasoning_tokens=7,
        estimated=True,
    )
    question = StoredMessage(
        id=MessageId(new_id()),
        tenant=tenant,
        thread_id=thread_id,
        message=Message.of("user", prompt),
        metadata=(("channel", "web"), ("z", "ä")),
        created_at=NOW,
    )
    answer = StoredMessage(
        id=MessageId(new_id()),
        tenant=tenant,
        thread_id=thread_id,
        message=attrs.evolve(Message.of("assistant", "Hello!"), token_count=3),
        parent=question.id,
        format="raw",
        model=MODEL,
        prompt_version="greeter:v3",
        prompt_label="production",
        finish_reason="stop",
        usage=usage,
        cost_usd=Decimal("0.000123456789"),
        latency_ms=321,
        created_at=NOW + datetime.timedelta(seconds=1),
    )
    attempt = Attempt(model=MODEL, outcome="ok", started_at=NOW, latency_ms=300, status=200, usage=usage)
    failed = attrs.evolve(attempt, outcome="rate_limited", status=429, response_id="resp_1", cost_usd=None)
    return attrs.evolve(record, messages=(question, answer), attempts=(failed, attempt))


async def read_thread(store: Store, record: ChatRecord, *, limit: int = 1000) -> tuple[StoredMessage, ...]:
    async with store.unit_of_work(record.thread.tenant) as work:
        return await work.messages.tail(record.thread.id, limit=limit)


async def store_chats(store: Store, count: int, *, tenant: Tenant = DEFAULT_TENANT) -> ChatRecord:
    """A thread of so many chats, each with two messages; returns its first."""
    first = first_chat(tenant=tenant)
    await store.journal.commit(first)
    for number in range(1, count):
        await store.journal.commit(further_chat(first, prompt=f"Question {number}?"))
    return first


def stored_thread(record: ChatRecord) -> Thread:
    """The thread of a first chat as it reads after it."""
    at = record.messages[-1].created_at
    return attrs.evolve(record.thread, length=len(record.messages), updated_at=at)
