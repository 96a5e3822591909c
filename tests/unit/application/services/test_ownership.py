"""What a bound caller's own is, and what it costs to know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from adapters.in_memory.clock import ManualClock
from application.ports.unit_of_work import UnitOfWork
from application.services.live_answers import LiveAnswers
from application.services.mirrors import Mirrors
from application.services.ownership import Ownership
from domain.access import ANYBODY, Caller
from domain.errors import LorError, NotFound, StorageUnavailable
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.thread import ChatRecord
from lor3.testing import InMemoryStore, LocalEventLog
from tests.support.http import ScriptedSendChat
from tests.support.records import new_chat

ADA, BOB = Caller(user="ada"), Caller(user="bob")
ABSENT = "01990f3e-7a7c-7c3e-9f0a-5a2b6c1dffff"


@attrs.define
class Bench:
    """An ownership that counts how often the store is asked."""

    store: InMemoryStore = attrs.field(factory=InMemoryStore)
    asked: int = 0
    ownership: Ownership = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        log, clock = LocalEventLog(), ManualClock()
        self.ownership = Ownership(
            unit_of_work=self._unit_of_work,
            live=LiveAnswers(send_chat=ScriptedSendChat(script=[]), event_log=log),
            event_log=log,
            mirrors=Mirrors(event_log=log, clock=clock),
            clock=clock,
        )

    async def stored(self, *, user: str | None) -> ChatRecord:
        record = new_chat("Hello?", "Hi.")
        record = attrs.evolve(record, session=attrs.evolve(record.session, user=user))
        await self.store.journal.commit(record)
        return record

    async def verdicts(self, caller: Caller, record: ChatRecord) -> list[str]:
        """Of each question about it: nothing where it is the caller's."""
        answer, own = record.messages[-1].id, self.ownership
        return [
            await _verdict(own.session(caller, record.session.id)),
            await _verdict(own.thread(caller, record.thread.id)),
            await _verdict(own.message(caller, answer)),
            await _verdict(own.answer(caller, answer)),
        ]

    @asynccontextmanager
    async def _unit_of_work(self, tenant: Tenant) -> AsyncIterator[UnitOfWork]:
        self.asked += 1
        async with self.store.unit_of_work(tenant) as work:
            yield work


async def _verdict(asking: object) -> str:
    try:
        await asking  # type: ignore[misc]  # a coroutine of any of them
    except LorError as error:
        return error.code
    return ""


async def test_a_caller_who_is_not_bound_costs_no_query() -> None:
    """Nor is anything refused to it here: its tenant is all that binds it."""
    bench = Bench()
    record = await bench.stored(user="ada")

    assert [""] * 4 == await bench.verdicts(ANYBODY, record)
    assert "chat" == await bench.ownership.client_chat(ANYBODY, "chat")
    assert 0 == bench.asked


@pytest.mark.parametrize(
    ("owner", "caller", "is_own"),
    [
        ("ada", ADA, True),
        ("ada", BOB, False),
        (None, ADA, False),
        ("ada", Caller(user="Ada"), False),
        ("ada", Caller(user=""), False),
        ("ada", Caller(user="ada", tenant=Tenant("other")), False),
        ("a\N{REPLACEMENT CHARACTER}", Caller(user="a\0"), True),
    ],
)
async def test_a_bound_caller_has_what_is_in_its_users_sessions(
    owner: str | None, caller: Caller, is_own: bool
) -> None:
    """For one query each; of nobody's sessions nothing."""
    bench = Bench()
    record = await bench.stored(user=owner)

    assert ["" if is_own else "not_found"] * 4 == await bench.verdicts(caller, record)
    assert 4 == bench.asked


async def test_what_is_no_id_is_absent_without_a_query() -> None:
    """In the words that an id gets which nobody has."""
    bench = Bench()
    own, told = bench.ownership, []
    for name in ("no-id", ABSENT):
        for asking in (
            own.session(ADA, SessionId(name)),
            own.thread(ADA, ThreadId(name)),
            own.message(ADA, MessageId(name)),
            own.answer(ADA, MessageId(name)),
        ):
            with pytest.raises(NotFound) as caught:
                await asking
            told.append(caught.value.detail.replace(name, "<id>"))

    assert told[:4] == told[4:]
    assert 4 == bench.asked


async def test_while_the_store_is_away_nothing_is_called_absent() -> None:
    """Nobody knows whose it is."""
    bench = Bench()
    record = await bench.stored(user="ada")
    bench.store.shelves.available = False

    assert [StorageUnavailable.code] * 4 == await bench.verdicts(ADA, record)


async def test_client_chats_of_two_users_are_kept_apart() -> None:
    """Whatever they are called, and each finds its own again, those that a backend began for it too."""
    bench = Bench()
    own, record = bench.ownership, await bench.stored(user="ada")
    first = {user.user: await own.client_chat(user, "chat") for user in (ADA, BOB)}
    async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
        await work.client_chats.lock("chat")
        await work.client_chats.bind("chat", record.thread.id, at=record.thread.created_at)
        await work.commit()

    assert 3 == len({"chat", *first.values()})
    assert ("chat", first["bob"]) == (await own.client_chat(ADA, "chat"), await own.client_chat(BOB, "chat"))
    thread_id = record.thread.id
    assert thread_id == await own.client_chat(ADA, thread_id)
    assert thread_id != await own.client_chat(BOB, thread_id)
    assert first["ada"] != await own.client_chat(BOB, first["ada"])
