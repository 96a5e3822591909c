"""A journal that keeps everything in this process."""

from typing import Any, TypeVar, cast

import attrs

from adapters.in_memory.prompt_shelf import PromptShelf
from domain.attempt import Attempt
from domain.clean_text import UNFIT, clean
from domain.errors import NotFound, StorageUnavailable
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.message import Message
from domain.thread import ChatRecord, Session, StoredMessage, Thread

T = TypeVar("T")


@attrs.define(kw_only=True)
class Shelves:
    """What is stored. Tests may look, and change `available` to take the store away."""

    sessions: dict[tuple[Tenant, SessionId], Session] = attrs.field(factory=dict)
    threads: dict[tuple[Tenant, ThreadId], Thread] = attrs.field(factory=dict)
    messages: dict[tuple[Tenant, MessageId], StoredMessage] = attrs.field(factory=dict)
    turns: dict[tuple[Tenant, ThreadId], list[StoredMessage]] = attrs.field(factory=dict)
    attempts: dict[tuple[Tenant, MessageId], tuple[Attempt, ...]] = attrs.field(factory=dict)
    prompts: PromptShelf = attrs.field(factory=PromptShelf)
    available: bool = True

    def demand(self) -> None:
        if not self.available:
            raise StorageUnavailable("the in-memory store was made unavailable by its test")


@attrs.frozen(kw_only=True)
class InMemoryChatJournal:
    """Commits at once. What it holds ends with the process."""

    _shelves: Shelves

    @property
    def is_ready(self) -> bool:
        return self._shelves.available

    @property
    def reason(self) -> str | None:
        return None if self._shelves.available else "the in-memory store was made unavailable by its test"

    async def commit(self, record: ChatRecord) -> None:
        shelves = self._shelves
        shelves.demand()
        tenant = record.thread.tenant
        key = (tenant, record.thread.id)
        if record.messages and (tenant, record.messages[-1].id) in shelves.messages:
            return  # stored before: ids are the record's identity
        if not record.new_session and (tenant, record.thread.session_id) not in shelves.sessions:
            raise NotFound("the session no longer exists; start a new one")
        if not record.new_thread and key not in shelves.threads:
            raise NotFound("the thread no longer exists; start a new one")
        if record.new_session:
            shelves.sessions.setdefault((tenant, record.session.id), _clean(record.session))
        if record.new_thread:
            shelves.threads[key] = _clean(record.thread)
        turns = shelves.turns.setdefault(key, [])
        for message in record.messages:
            stored = attrs.evolve(
                _clean(message),
                message=_clean_message(message.message),
                position=len(turns),
                metadata=tuple(sorted((clean(k), clean(v)) for k, v in message.metadata)),
            )
            turns.append(stored)
            shelves.messages[tenant, stored.id] = stored
        if record.messages:
            shelves.attempts[tenant, record.messages[-1].id] = record.attempts


def _clean(value: T) -> T:
    """The attrs value with its own texts cleaned."""
    changed: Any = value
    for field in attrs.fields(type(changed)):
        text = getattr(changed, field.name)
        if isinstance(text, str) and UNFIT.search(text):
            changed = attrs.evolve(changed, **{field.name: clean(text)})
    return cast("T", changed)


def _clean_message(message: Message) -> Message:
    return attrs.evolve(
        message,
        parts=tuple([_clean(part) for part in message.parts]),
        tool_calls=tuple([_clean(call) for call in message.tool_calls]),
        tool_call_id=None if message.tool_call_id is None else clean(message.tool_call_id),
    )
