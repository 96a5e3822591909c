"""What each aspect of the last hours reads."""

import datetime
from decimal import Decimal

import attrs
import pytest

from adapters.in_memory.clock import ManualClock
from adapters.in_memory.store import InMemoryStore
from adapters.testing.usage_suite import chat_at
from application.use_cases.observe_chats import Aspect, ObserveChats, ObserveChatsCommand
from domain.attempt import Attempt
from domain.errors import InvalidRequest
from domain.ids import Tenant
from domain.model import ModelRef

HOUR = datetime.timedelta(hours=1)
CLOCK = ManualClock()


async def _observe(*ago_h: int) -> ObserveChats:
    """Of answers that many hours ago."""
    store = InMemoryStore()
    for ago in ago_h:
        at = CLOCK.now() - ago * HOUR
        attempt = Attempt(model=ModelRef("openai", "gpt-4"), outcome="ok", started_at=at)
        await store.journal.commit(attrs.evolve(chat_at(at), attempts=(attempt,)))
    return ObserveChats(unit_of_work=store.unit_of_work, clock=CLOCK, keys=store.keys)


async def test_the_last_day_is_read_by_hour() -> None:
    """Where nothing is said; up to now, the hour under way included."""
    observed = await (await _observe(1, 2, 30)).execute(ObserveChatsCommand(aspect="usage"))

    assert (observed.query.since, observed.query.until) == (CLOCK.now() - 24 * HOUR, CLOCK.now())
    assert (observed.query.is_open, observed.every) == (True, "hour")
    assert [row.requests for row in observed.usage] == [2]
    assert [point.requests for point in observed.series] == [1, 1]
    assert sum((point.cost_usd for point in observed.series), Decimal(0)) == observed.usage[0].cost_usd


@pytest.mark.parametrize(("days", "every"), [(3, "hour"), (4, "day"), (365, "day")])
async def test_long_spans_are_read_by_day(days: int, every: str) -> None:
    """A chart of a year in hours would be noise."""
    command = ObserveChatsCommand(aspect="usage", since=CLOCK.now() - days * 24 * HOUR)

    assert (await (await _observe(1)).execute(command)).every == every


@pytest.mark.parametrize("aspect", ["usage", "prompts", "providers", "errors"])
async def test_an_aspect_reads_what_it_shows(aspect: Aspect) -> None:
    """Other tenants see nothing of it."""
    observe = await _observe(1)
    observed = await observe.execute(ObserveChatsCommand(aspect=aspect))
    foreign = await observe.execute(ObserveChatsCommand(aspect=aspect, tenant=Tenant("other")))

    assert bool(observed.usage) == (aspect == "usage")
    assert bool(observed.prompts) == (aspect == "prompts")
    assert bool(observed.providers) == (aspect in ("usage", "providers"))
    assert observed.series != ()
    assert foreign.series == ()
    assert not any(row.requests for row in foreign.usage)


async def test_time_that_ends_before_it_begins_is_refused() -> None:
    """At `from`."""
    command = ObserveChatsCommand(aspect="errors", since=CLOCK.now() + HOUR)

    with pytest.raises(InvalidRequest) as caught:
        await (await _observe()).execute(command)

    assert caught.value.faults[0].path == "from"


async def test_the_beginning_of_time_is_a_time() -> None:
    """There is no day before it."""
    until = datetime.datetime(1, 1, 1, 3, tzinfo=datetime.UTC)
    observed = await (await _observe()).execute(ObserveChatsCommand(aspect="usage", until=until))

    assert observed.query.since == datetime.datetime.min.replace(tzinfo=datetime.UTC)
