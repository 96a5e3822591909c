"""The sink that counts what was turned away."""

import asyncio
import datetime
from decimal import Decimal

import attrs
import pytest

from adapters.in_memory.clock import ManualClock
from adapters.in_memory.store import InMemoryStore
from application.services import refusal_tally
from application.services.refusal_tally import RefusalTally
from domain.ids import DEFAULT_TENANT, Tenant
from domain.model import ModelRef
from domain.telemetry import (
    BreakerMoved,
    BudgetRefused,
    ChatLost,
    ChatRefused,
    Event,
    KeyRefused,
    RateRefused,
    RequestRefused,
    RequestsShed,
)
from domain.usage import NO_USAGE
from domain.usage_report import UsageQuery

ACME = Tenant("acme")
REFUSED = ChatRefused(
    request_id="r", tenant=ACME, code="budget_exceeded", duration_s=0.1, attempts=0, key_id="k"
)


@attrs.define
class World:
    store: InMemoryStore = attrs.field(factory=InMemoryStore)
    clock: ManualClock = attrs.field(factory=ManualClock)
    tally: RefusalTally = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tally = RefusalTally(unit_of_work=self.store.unit_of_work, clock=self.clock)

    def emit(self, *events: Event) -> None:
        for event in events:
            self.tally.emit(event)

    async def errors(self, tenant: Tenant = DEFAULT_TENANT) -> dict[str, int]:
        query = UsageQuery(
            since=datetime.datetime.min.replace(tzinfo=datetime.UTC),
            until=datetime.datetime.max.replace(tzinfo=datetime.UTC),
        )
        async with self.store.unit_of_work(tenant) as work:
            return {row.code: row.count for row in await work.usage.errors(query)}


async def test_each_refusal_is_counted_once_under_who_it_was() -> None:
    """By the event that is its own; who is not known is counted under `default`."""
    world = World()
    key, budget = {"request_id": "r", "tenant": ACME, "key_id": "k"}, Decimal(1)
    world.emit(
        KeyRefused(request_id="r", route="/chat", code="unauthenticated"),
        KeyRefused(route="/chat", code="forbidden", **key),
        attrs.evolve(REFUSED, code="forbidden"),
        RateRefused(subject="key", limit="tokens", retry_after_s=1, **key),
        RateRefused(
            request_id="r", tenant="", key_id=None, subject="address", limit="requests", retry_after_s=1
        ),
        BudgetRefused(subject="key", period="day", limit_usd=budget, spent_usd=budget, **key),
        REFUSED,
        REFUSED,
        attrs.evolve(REFUSED, code="upstream_error", attempts=2),
        ChatLost(
            request_id="r", tenant=ACME, thread_id="t", code="storage_unavailable", usage=NO_USAGE,
            cost_usd=None, attempts=1,
        ),
        RequestRefused(route="/chat", code="overloaded", **key),
        RequestsShed(route="/chat", requests=40),
        BreakerMoved(model=ModelRef("openai", "gpt-5"), state="open"),
    )  # fmt: skip
    await world.tally.flush()
    await world.tally.flush()

    assert await world.errors() == {"unauthenticated": 1, "rate_limited": 1, "overloaded": 40}
    assert await world.errors(ACME) == {
        "forbidden": 1,
        "rate_limited": 1,
        "budget_exceeded": 2,
        "storage_unavailable": 1,
        "overloaded": 1,
    }


async def test_counts_are_kept_until_the_store_is_back() -> None:
    """And added to those that come meanwhile, in their hours; each failed write is counted."""
    world = World()
    world.emit(REFUSED)
    world.store.shelves.available = False
    await world.tally.flush()
    world.clock.advance(3600)
    world.emit(REFUSED, REFUSED)
    await world.tally.flush()
    world.store.shelves.available = True
    await world.tally.flush()
    stored = [each.count for each in world.store.shelves.refusals.values()]

    assert (world.tally.failures, sorted(stored)) == (2, [1, 2])


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds that are known go on being counted, further ones are lost, and said to be."""
    monkeypatch.setattr(refusal_tally, "MAX_KINDS", 1)
    world = World()
    world.emit(REFUSED, attrs.evolve(REFUSED, key_id="other"), REFUSED)
    await world.tally.flush()

    assert (await world.errors(ACME), world.tally.lost) == ({"budget_exceeded": 2}, 1)


async def test_counts_are_written_by_the_way_and_at_the_end() -> None:
    """Without anybody asking."""
    world = World()
    world.tally.start()
    world.emit(REFUSED)
    for _ in range(10):
        await asyncio.sleep(0)
    by_the_way = await world.errors(ACME)
    await world.tally.aclose()
    world.emit(REFUSED)
    await world.tally.aclose()

    assert by_the_way == {"budget_exceeded": 1}
    assert await world.errors(ACME) == {"budget_exceeded": 2}


async def test_end_is_not_held_up_by_a_store_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """What is lost then is said."""
    world = World()
    world.emit(REFUSED)
    world.store.shelves.available = False
    await world.tally.aclose()

    assert "1 refusals are in no report" in caplog.text
