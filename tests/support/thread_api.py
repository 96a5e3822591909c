"""Conversations over HTTP, and straight into the store."""

from collections.abc import Mapping
from typing import Any

import attrs

from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.message import Message
from domain.thread import ChatRecord, MessageStatus, StoredMessage
from entrypoints.application import Application
from tests.support.http import Server
from tests.support.prompt_api import Answered, PromptAPI
from tests.support.records import new_chat, next_chat

ABSENT = "01990f3e-7a7c-7c3e-9f0a-5a2b6c1dffff"
"""An id that nobody has."""


@attrs.frozen
class ThreadAPI:
    """Calls to the routes of conversations."""

    server: Server

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answered:
        return await PromptAPI(self.server).call(method, path, body, headers=headers)

    async def get(self, path: str, **headers: str) -> Answered:
        return await self.call("GET", path, headers=headers)

    async def post(self, path: str, body: Any) -> Answered:
        return await self.call("POST", path, body)

    async def patch(self, path: str, body: Any, **headers: str) -> Answered:
        return await self.call("PATCH", path, body, headers=headers)

    async def delete(self, path: str) -> Answered:
        return await self.call("DELETE", path)

    async def chat(self, prompt: str, **fields: Any) -> dict[str, Any]:
        answered = await self.post("/chat", {"prompt": prompt, **fields})
        assert answered.status == 200, answered.raw
        found: dict[str, Any] = answered.body
        return found

    async def thread(self, **fields: Any) -> dict[str, Any]:
        """A new one."""
        made = await self.post("/threads", fields)
        assert made.status == 201, made.raw
        found: dict[str, Any] = made.body
        return found

    async def messages(self, thread_id: str, query: str = "") -> list[dict[str, Any]]:
        answered = await self.get(f"/threads/{thread_id}/messages{query}")
        assert answered.status == 200, answered.raw
        found: list[dict[str, Any]] = answered.body["items"]
        return found


async def stored_thread(
    application: Application, turns: int = 1, *, tenant: Tenant = DEFAULT_TENANT, user: str | None = "ada"
) -> ChatRecord:
    """The last of as many chats of one thread, written straight to the store: none of them asked a model."""
    record = with_new_ids(application, new_chat("Question 1", "Answer 1", tenant=tenant))
    record = attrs.evolve(record, session=attrs.evolve(record.session, user=user))
    await application.store.journal.commit(record)
    for number in range(2, turns + 1):
        record = with_new_ids(
            application, next_chat(record, f"Question {number}", f"Answer {number}"), keep_thread=True
        )
        await application.store.journal.commit(record)
    return record


async def stored_turns(
    application: Application, *turns: tuple[Message, MessageStatus], tenant: Tenant = DEFAULT_TENANT
) -> tuple[StoredMessage, ...]:
    """One thread with these turns, each of them committed by itself; read back."""
    record = with_new_ids(application, new_chat(tenant=tenant))
    asked = record.messages[0]
    for number, (message, status) in enumerate(turns):
        stored = attrs.evolve(asked, id=MessageId(application.ids.new()), message=message, status=status)
        await application.store.journal.commit(
            attrs.evolve(
                record,
                messages=(stored,),
                attempts=(),
                new_session=number == 0,
                new_thread=number == 0,
            )
        )
    async with application.store.unit_of_work(tenant) as work:
        return await work.messages.page(record.thread.id, limit=len(turns))


def with_new_ids(application: Application, record: ChatRecord, *, keep_thread: bool = False) -> ChatRecord:
    """As lor3 makes them: sorted by time."""
    new = application.ids.new
    session, thread = record.session, record.thread
    if not keep_thread:
        session = attrs.evolve(session, id=SessionId(new()))
        thread = attrs.evolve(thread, id=ThreadId(new()), session_id=session.id)
    messages = tuple(attrs.evolve(each, id=MessageId(new()), thread_id=thread.id) for each in record.messages)
    return attrs.evolve(record, session=session, thread=thread, messages=messages)
