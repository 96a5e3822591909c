"""Claims of keys: one request goes ahead, the others are told, and nothing stays claimed for long."""

import asyncio
import datetime
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from adapters.in_memory.clock import ManualClock
from adapters.in_memory.shelves import Shelves
from adapters.in_memory.store import InMemoryStore
from adapters.in_memory.telemetry import RecordingTelemetry
from adapters.system import UUID7Generator
from adapters.testing.idempotency_suite import answered_chat
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.idempotency_guard import SWEEP_S, IdempotencyGuard
from domain.answer import ChatAnswer
from domain.errors import KeyInFlight, KeyReused, StorageUnavailable
from domain.idempotency import LEASE_S, RENEW_S, Answered, Claimed, IdempotencyKey
from domain.ids import DEFAULT_TENANT, Tenant
from domain.telemetry import ChatReplayed

KEY = IdempotencyKey(key="a-secret-key", fingerprint="one")
OTHER_BODY = attrs.evolve(KEY, fingerprint="two")
OTHER_TENANT = Tenant("other")


class GatedClock(ManualClock):
    """Sleeps until the test lets time pass."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        while self.monotonic() < until - 1e-6:
            self._passed.clear()
            await self._passed.wait()

    async def pass_(self, seconds: float) -> None:
        self.advance(seconds)
        self._passed.set()
        for _ in range(20):
            await asyncio.sleep(0)


@attrs.define
class Setting:
    clock: GatedClock
    store: InMemoryStore
    guard: IdempotencyGuard
    telemetry: RecordingTelemetry
    opened: list[Tenant] = attrs.field(factory=list)
    """A tenant for each unit of work of `guard`."""
    held_up: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Units of work of `guard` wait for it."""

    @property
    def shelves(self) -> Shelves:
        return self.store.shelves

    def another_process(self) -> IdempotencyGuard:
        return _guard(self.store.unit_of_work, self.clock, RecordingTelemetry())

    async def complete(self, claim: Claimed | Answered, tenant: Tenant = DEFAULT_TENANT) -> ChatAnswer:
        assert isinstance(claim, Claimed)
        record = answered_chat(claim, tenant=tenant)
        await self.store.journal.commit(record)
        self.guard.forget(claim)
        assert record.completes is not None
        return record.completes.answer


def _guard(
    unit_of_work: UnitOfWorkFactory, clock: ManualClock, telemetry: RecordingTelemetry
) -> IdempotencyGuard:
    return IdempotencyGuard(unit_of_work=unit_of_work, clock=clock, ids=UUID7Generator(), telemetry=telemetry)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    clock, store, telemetry = GatedClock(), InMemoryStore(), RecordingTelemetry()
    store.shelves.now = clock.now

    @asynccontextmanager
    async def unit_of_work(tenant: Tenant) -> AsyncIterator[UnitOfWork]:
        found.opened.append(tenant)
        await found.held_up.wait()
        async with store.unit_of_work(tenant) as work:
            yield work

    found = Setting(clock, store, _guard(unit_of_work, clock, telemetry), telemetry)
    found.held_up.set()
    await found.guard.start()
    yield found
    found.held_up.set()
    await found.guard.aclose()


async def test_the_second_request_is_told_to_come_again(setting: Setting) -> None:
    """In this process without asking the database, and in another one."""
    await setting.guard.claim(DEFAULT_TENANT, KEY)
    asked = len(setting.opened)
    for guard in (setting.guard, setting.another_process()):
        with pytest.raises(KeyInFlight) as told:
            await guard.claim(DEFAULT_TENANT, KEY)

        assert told.value.retry_after_s is not None
        assert 1.0 <= told.value.retry_after_s <= 2.0
        assert KEY.key not in str(told.value)
    assert asked == len(setting.opened)


async def test_another_request_with_the_key_is_refused(setting: Setting) -> None:
    """While the first one runs, here and elsewhere, and when it is done."""
    claim = await setting.guard.claim(DEFAULT_TENANT, KEY)
    for guard in (setting.guard, setting.another_process()):
        with pytest.raises(KeyReused):
            await guard.claim(DEFAULT_TENANT, OTHER_BODY)
    await setting.complete(claim)

    with pytest.raises(KeyReused):
        await setting.guard.claim(DEFAULT_TENANT, OTHER_BODY)


async def test_another_tenants_key_is_another_key(setting: Setting) -> None:
    """The same text, claimed by both."""
    await setting.guard.claim(DEFAULT_TENANT, KEY)

    assert isinstance(await setting.guard.claim(OTHER_TENANT, OTHER_BODY), Claimed)


async def test_a_completed_key_gives_its_answer_and_says_so(setting: Setting) -> None:
    """The event names the answer, and neither the key nor its digest."""
    answer = await setting.complete(await setting.guard.claim(DEFAULT_TENANT, KEY))

    assert Answered(answer=answer) == await setting.guard.claim(DEFAULT_TENANT, KEY, request_id="r2")
    replayed = ChatReplayed(
        request_id="r2",
        tenant=DEFAULT_TENANT,
        message_id=answer.message_id,
        thread_id=answer.thread_id,
        model=answer.model,
    )
    assert [replayed] == setting.telemetry.events
    assert KEY.key not in str(setting.telemetry.events)
    assert KEY.fingerprint not in str(setting.telemetry.events)


async def test_of_a_crowd_one_goes_ahead_and_asks_once(setting: Setting) -> None:
    """Duplicates wait for the first one's claim instead of taking a connection each."""
    setting.held_up.clear()
    crowd = [asyncio.ensure_future(setting.guard.claim(DEFAULT_TENANT, KEY)) for _ in range(100)]
    liar = asyncio.ensure_future(setting.guard.claim(DEFAULT_TENANT, OTHER_BODY))
    await asyncio.sleep(0.01)
    setting.held_up.set()
    outcomes = await asyncio.gather(*crowd, return_exceptions=True)

    assert sum(isinstance(outcome, Claimed) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, KeyInFlight) for outcome in outcomes) == 99
    with pytest.raises(KeyReused):
        await liar
    assert len(setting.opened) <= 2


async def test_a_crowd_behind_a_completed_key_is_answered(setting: Setting) -> None:
    """All of it, with one question."""
    answer = await setting.complete(await setting.guard.claim(DEFAULT_TENANT, KEY))
    setting.opened.clear()
    outcomes = await asyncio.gather(*(setting.guard.claim(DEFAULT_TENANT, KEY) for _ in range(50)))

    assert [Answered(answer=answer)] * 50 == outcomes
    assert len(setting.opened) == 1
    assert len(setting.telemetry.events) == 50


async def test_a_request_waits_out_another_one_that_does_not_concern_it(setting: Setting) -> None:
    """The first of the two is refused; the second one, whose key it is, is answered."""
    answer = await setting.complete(await setting.guard.claim(DEFAULT_TENANT, KEY))
    setting.held_up.clear()
    liar = asyncio.ensure_future(setting.guard.claim(DEFAULT_TENANT, OTHER_BODY))
    owner = asyncio.ensure_future(setting.guard.claim(DEFAULT_TENANT, KEY))
    await asyncio.sleep(0.01)
    setting.held_up.set()

    with pytest.raises(KeyReused):
        await liar
    assert Answered(answer=answer) == await owner


async def test_a_released_key_may_be_sent_again(setting: Setting) -> None:
    """The request failed; here and in another process."""
    claim = await setting.guard.claim(DEFAULT_TENANT, KEY)
    assert isinstance(claim, Claimed)
    await setting.guard.release(DEFAULT_TENANT, claim)
    await setting.guard.release(DEFAULT_TENANT, claim)

    assert isinstance(await setting.another_process().claim(DEFAULT_TENANT, KEY), Claimed)


async def test_the_heartbeat_keeps_a_claim_for_as_long_as_its_request_runs(setting: Setting) -> None:
    """Much longer than its lease; one unit of work a tenant, whatever the number of claims."""
    for number in range(10):
        await setting.guard.claim(DEFAULT_TENANT, attrs.evolve(KEY, key=f"key {number}"))
    await setting.guard.claim(OTHER_TENANT, KEY)
    elsewhere = setting.another_process()
    await setting.clock.pass_(RENEW_S)  # the first one also looks for silent claims
    setting.opened.clear()
    for _ in range(8):
        await setting.clock.pass_(RENEW_S)
        with pytest.raises(KeyInFlight):
            await elsewhere.claim(DEFAULT_TENANT, attrs.evolve(KEY, key="key 7"))

    assert 8 * RENEW_S > LEASE_S
    sweeps = int(8 * RENEW_S / SWEEP_S)
    assert {DEFAULT_TENANT: 8 + sweeps, OTHER_TENANT: 8 + sweeps} == Counter(setting.opened)


async def test_a_forgotten_claim_is_not_renewed(setting: Setting) -> None:
    """Its chat is stored: nothing is left to keep."""
    await setting.complete(await setting.guard.claim(DEFAULT_TENANT, KEY))
    await setting.clock.pass_(RENEW_S)
    setting.opened.clear()
    await setting.clock.pass_(RENEW_S)

    assert [] == setting.opened


async def test_a_heart_that_could_not_beat_beats_on(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    """Twice the store is away, once something unexpected happens; the claim outlives all of it."""
    await setting.guard.claim(DEFAULT_TENANT, KEY)
    setting.shelves.available = False
    await setting.clock.pass_(RENEW_S)
    await setting.clock.pass_(RENEW_S)
    setting.shelves.available = True
    await setting.clock.pass_(RENEW_S)
    real_now, setting.shelves.now = setting.shelves.now, _broken
    await setting.clock.pass_(RENEW_S)
    setting.shelves.now = real_now
    await setting.clock.pass_(RENEW_S)
    await setting.clock.pass_(RENEW_S)

    with pytest.raises(KeyInFlight):
        await setting.another_process().claim(DEFAULT_TENANT, KEY)
    assert KEY.key not in caplog.text
    assert "ZeroDivisionError" in caplog.text


def _broken() -> datetime.datetime:
    raise ZeroDivisionError("a fault of ours")


async def test_silent_claims_are_marked(setting: Setting) -> None:
    """Of a process that died: soon after the start, and every now and then."""
    died = setting.another_process()
    await died.claim(DEFAULT_TENANT, KEY)
    await setting.clock.pass_(LEASE_S + 0.1)
    first = setting.shelves.keys[DEFAULT_TENANT, KEY.key]
    await died.claim(DEFAULT_TENANT, attrs.evolve(KEY, key="later"))
    await setting.clock.pass_(SWEEP_S + RENEW_S)

    assert first.is_interrupted
    assert setting.shelves.keys[DEFAULT_TENANT, "later"].is_interrupted
    assert isinstance(await setting.guard.claim(DEFAULT_TENANT, KEY), Claimed)


async def test_a_store_that_is_away_refuses_before_anything_is_asked(setting: Setting) -> None:
    """A crowd too; and once it is back the key is free."""
    setting.shelves.available = False
    outcomes = await asyncio.gather(
        *(setting.guard.claim(DEFAULT_TENANT, KEY) for _ in range(3)), return_exceptions=True
    )
    assert [StorageUnavailable] * 3 == [type(outcome) for outcome in outcomes]
    setting.shelves.available = True

    assert isinstance(await setting.guard.claim(DEFAULT_TENANT, KEY), Claimed)


async def test_a_release_that_fails_is_left_to_the_lease(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody renews it any more, so the next request takes over when it ends."""
    claim = await setting.guard.claim(DEFAULT_TENANT, KEY)
    assert isinstance(claim, Claimed)
    setting.shelves.available = False
    await setting.guard.release(DEFAULT_TENANT, claim)
    setting.shelves.available = True
    with pytest.raises(KeyInFlight):
        await setting.guard.claim(DEFAULT_TENANT, KEY)
    await setting.clock.pass_(LEASE_S)

    assert isinstance(await setting.guard.claim(DEFAULT_TENANT, KEY), Claimed)
    assert "storage_unavailable" in caplog.text
    assert KEY.key not in caplog.text


async def test_a_caller_who_leaves_while_claiming_leaves_no_claim(setting: Setting) -> None:
    """The claim is got all the same, and given back at once."""
    setting.held_up.clear()
    leaving = asyncio.ensure_future(setting.guard.claim(DEFAULT_TENANT, KEY))
    await asyncio.sleep(0.01)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    setting.held_up.set()
    await asyncio.sleep(0.01)

    assert isinstance(await setting.another_process().claim(DEFAULT_TENANT, KEY), Claimed)


async def test_closing_gives_back_what_is_held(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    """What a drain cut off, and what a caller left behind; quickly even where the store says nothing."""
    caplog.set_level(logging.DEBUG)
    await setting.guard.claim(DEFAULT_TENANT, KEY)
    await setting.guard.aclose()

    assert isinstance(await setting.another_process().claim(DEFAULT_TENANT, KEY), Claimed)
    assert KEY.key not in caplog.text
