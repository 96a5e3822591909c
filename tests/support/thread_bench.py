"""The use cases of threads on a store in memory."""

from collections.abc import Sequence

import attrs

from adapters.in_memory.clock import ManualClock
from adapters.in_memory.store import InMemoryStore
from adapters.system import UUID7Generator
from application.ports.store import Store
from application.services.thread_forking import ThreadForking
from application.use_cases.change_thread import ChangeThread
from application.use_cases.delete_thread import DeleteThread
from application.use_cases.export_thread import ExportThread
from application.use_cases.fork_thread import ForkThread
from application.use_cases.open_session import OpenSession
from application.use_cases.open_thread import OpenThread, OpenThreadCommand
from application.use_cases.pin_message import PinMessage
from application.use_cases.read_threads import ReadThreads
from domain.attempt import Attempt
from domain.ids import DEFAULT_TENANT, MessageId, Tenant, ThreadId
from domain.message import Message
from domain.thread import ChatRecord, MessageStatus, StoredMessage, Thread
from tests.support.records import MODEL

OTHER = Tenant("other")
ABSENT = "01990f3e-7a7c-7c3e-9f0a-5a2b6c1dffff"
"""An id that nobody has."""


@attrs.define
class ThreadBench:
    store: Store = attrs.field(factory=InMemoryStore)
    clock: ManualClock = attrs.field(factory=ManualClock)
    ids: UUID7Generator = attrs.field(factory=UUID7Generator)

    @property
    def read(self) -> ReadThreads:
        return ReadThreads(unit_of_work=self.store.unit_of_work)

    @property
    def open_session(self) -> OpenSession:
        return OpenSession(unit_of_work=self.store.unit_of_work, clock=self.clock, ids=self.ids)

    @property
    def open(self) -> OpenThread:
        return OpenThread(unit_of_work=self.store.unit_of_work, clock=self.clock, ids=self.ids)

    @property
    def change(self) -> ChangeThread:
        return ChangeThread(unit_of_work=self.store.unit_of_work, clock=self.clock)

    @property
    def fork(self) -> ForkThread:
        forking = ThreadForking(unit_of_work=self.store.unit_of_work, clock=self.clock, ids=self.ids)
        return ForkThread(forking=forking)

    @property
    def delete(self) -> DeleteThread:
        return DeleteThread(unit_of_work=self.store.unit_of_work, clock=self.clock)

    @property
    def export(self) -> ExportThread:
        return ExportThread(unit_of_work=self.store.unit_of_work)

    @property
    def pin(self) -> PinMessage:
        return PinMessage(unit_of_work=self.store.unit_of_work)

    async def thread(self, chats: int = 0, *, tenant: Tenant = DEFAULT_TENANT) -> Thread:
        """A new one, with so many chats of a question and an answer each."""
        thread = await self.open.execute(
            OpenThreadCommand(tenant=tenant, user="ada", title="Talk", tags=("a",))
        )
        for number in range(chats):
            await self.chat(thread, f"question {number}", f"answer {number}")
        return await self.read.thread(tenant, thread.id)

    async def chat(
        self, thread: Thread, question: str, answer: str, *, status: MessageStatus = "complete"
    ) -> tuple[MessageId, ...]:
        return await self.turns(
            thread, (Message.of("user", question), Message.of("assistant", answer)), status=status
        )

    async def turns(
        self,
        thread: Thread,
        messages: Sequence[Message],
        *,
        status: MessageStatus = "complete",
        parent: MessageId | None = None,
    ) -> tuple[MessageId, ...]:
        """One chat whose last message is the answer, committed as SendChat does."""
        stored: list[StoredMessage] = []
        for message in messages:
            stored.append(
                StoredMessage(
                    id=MessageId(self.ids.new()),
                    tenant=thread.tenant,
                    thread_id=thread.id,
                    message=message,
                    parent=parent,
                    created_at=self.clock.now(),
                )
            )
            parent = stored[-1].id
        stored[-1] = attrs.evolve(stored[-1], status=status, model=MODEL)
        session = await self.read.session(thread.tenant, thread.session_id)
        attempt = Attempt(model=MODEL, outcome="ok", started_at=self.clock.now())
        await self.store.journal.commit(
            ChatRecord(
                session=session,
                new_session=False,
                thread=thread,
                new_thread=False,
                messages=tuple(stored),
                attempts=(attempt,),
            )
        )
        return tuple(each.id for each in stored)

    async def messages(self, thread: Thread | ThreadId) -> tuple[StoredMessage, ...]:
        thread_id = thread.id if isinstance(thread, Thread) else thread
        return (await self.read.messages(DEFAULT_TENANT, thread_id, limit=1000)).items


def texts(messages: Sequence[StoredMessage]) -> list[str]:
    return [each.message.text for each in messages]
