"""The sink that watches what answers take."""

from decimal import Decimal

import attrs
import pytest

from adapters.in_memory.clock import ManualClock
from adapters.in_memory.id_generator import SequentialIds
from adapters.in_memory.store import InMemoryStore
from adapters.in_memory.telemetry import RecordingTelemetry
from application.services import anomaly_watch
from application.services.anomaly_watch import AnomalyWatch
from application.services.background import Background
from application.use_cases.read_anomalies import ReadAnomalies, ReadAnomaliesCommand
from domain.errors import InvalidRequest
from domain.ids import DEFAULT_TENANT, Tenant
from domain.model import ModelRef
from domain.telemetry import AnomalySeen, BreakerMoved, ChatAnswered
from domain.usage import Usage

USUAL = ChatAnswered(
    request_id="r", tenant=DEFAULT_TENANT, message_id="m", thread_id="t", model=ModelRef("openai", "gpt-5"),
    prompt_version="hello:v1", usage=Usage(input_tokens=100, output_tokens=100), cost_usd=Decimal("0.01"),
    duration_s=1, overhead_s=0, attempts=1, stream=False, key_id="k",
)  # fmt: skip
SPIKE = attrs.evolve(
    USUAL,
    request_id="r2",
    message_id="m2",
    usage=Usage(input_tokens=9000, output_tokens=0),
    cost_usd=Decimal(1),
)


@attrs.define
class World:
    store: InMemoryStore = attrs.field(factory=InMemoryStore)
    seen: RecordingTelemetry = attrs.field(factory=RecordingTelemetry)
    background: Background = attrs.field(factory=Background)
    clock: ManualClock = attrs.field(factory=ManualClock)
    watch: AnomalyWatch = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.watch = AnomalyWatch(
            telemetry=self.seen,
            unit_of_work=self.store.unit_of_work,
            background=self.background,
            clock=self.clock,
            ids=SequentialIds(),
        )

    def learn(self, event: ChatAnswered = USUAL, count: int = 50) -> None:
        for _ in range(count):
            self.watch.emit(event)
            self.clock.advance(61)

    async def stored(self, tenant: Tenant = DEFAULT_TENANT) -> list[tuple[str, str, str, str | None]]:
        await self.background.drain(within_s=5)
        command = ReadAnomaliesCommand(
            tenant=tenant, since=self.clock.now().min.replace(tzinfo=self.clock.now().tzinfo), until=self.clock.now().replace(year=9000)
        )  # fmt: skip
        read = await ReadAnomalies(unit_of_work=self.store.unit_of_work).execute(command)
        return sorted((each.dimension, each.name, each.measure, each.message_id) for each in read)


async def test_spike_is_told_and_kept_for_model_version_and_key() -> None:
    """In tokens and in cost, of the answer and of its minute."""
    world = World()
    world.learn()
    assert world.seen.events == []
    world.watch.emit(SPIKE)
    expected = sorted(
        (dimension, name, measure, "m2")
        for dimension, name in (("model", "openai:gpt-5"), ("prompt_version", "hello:v1"), ("key", "k"))
        for measure in ("tokens", "cost_usd", "tokens_per_minute", "cost_usd_per_minute")
    )
    told = world.seen.of(AnomalySeen)

    assert expected == sorted((e.dimension, e.name, e.measure, e.message_id) for e in told)
    assert {event.request_id for event in told} == {"r2"}
    assert await world.stored() == expected


async def test_tenants_are_measured_by_their_own() -> None:
    """What is usual for one may be a spike for another."""
    world = World()
    world.learn()
    world.learn(attrs.evolve(SPIKE, tenant="globex"))
    world.watch.emit(attrs.evolve(SPIKE, tenant="globex"))

    assert world.seen.events == []


async def test_answers_without_price_version_or_key_are_watched_by_what_they_have() -> None:
    """An unknown price is no zero."""
    world = World()
    bare = attrs.evolve(USUAL, prompt_version=None, key_id=None, cost_usd=None)
    world.learn(bare)
    world.watch.emit(attrs.evolve(SPIKE, prompt_version=None, key_id=None, cost_usd=None))
    world.watch.emit(BreakerMoved(model=USUAL.model, state="open"))

    assert {(e.dimension, e.measure) for e in world.seen.of(AnomalySeen)} == {
        ("model", "tokens"),
        ("model", "tokens_per_minute"),
    }


async def test_store_that_is_away_costs_the_rows_alone() -> None:
    """They are counted; the next ones are written again."""
    world = World()
    world.learn()
    world.store.shelves.available = False
    world.watch.emit(SPIKE)
    await world.background.drain(within_s=5)

    assert world.watch.unwritten == 12
    assert len(world.seen.of(AnomalySeen)) == 12

    world.store.shelves.available = True
    world.learn()
    world.watch.emit(SPIKE)

    assert await world.stored()


async def test_what_waits_and_what_is_watched_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was quiet for longest makes way; rows beyond the bound are counted."""
    monkeypatch.setattr(anomaly_watch, "MAX_WATCHED", 3)
    monkeypatch.setattr(anomaly_watch, "MAX_UNWRITTEN", 5)
    world = World()
    world.learn()
    world.watch.emit(SPIKE)

    assert world.watch.unwritten == 7
    assert len(await world.stored()) == 5

    world.watch.emit(attrs.evolve(USUAL, key_id="other"))
    world.watch.emit(attrs.evolve(SPIKE, prompt_version=None, key_id="k"))

    assert len(world.watch._watched) == 3


async def test_limit_of_reading_is_checked() -> None:
    """From 1 to 1000."""
    world = World()
    now = world.clock.now()
    for limit in (0, 1001):
        with pytest.raises(InvalidRequest):
            await ReadAnomalies(unit_of_work=world.store.unit_of_work).execute(
                ReadAnomaliesCommand(tenant=DEFAULT_TENANT, since=now, until=now, limit=limit)
            )
