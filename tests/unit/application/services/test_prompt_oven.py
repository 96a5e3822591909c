"""Which version a name means is fresh within a second, and compiled once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from adapters.in_memory.prompt_cache import LocalPromptCache, PromptExchange
from adapters.in_memory.shelves import Shelves
from adapters.in_memory.store import InMemoryStore
from application.ports.unit_of_work import UnitOfWork
from application.services.prompt_oven import HEAD_TTL_S, MAX_NAMES, PromptOven
from domain.errors import NotFound, StorageUnavailable, VersionInUse
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.reference import PromptReference
from tests.support.prompt_bench import PromptBench


@attrs.define
class CountingStore:
    """A store that knows how often it was asked, and may be slow."""

    shelves: Shelves = attrs.field(factory=Shelves)
    units: int = 0
    slow: bool = False

    @asynccontextmanager
    async def unit_of_work(self, tenant: Tenant) -> AsyncIterator[UnitOfWork]:
        self.units += 1
        if self.slow:
            await asyncio.sleep(0.01)
        async with InMemoryStore(shelves=self.shelves).unit_of_work(tenant) as work:
            yield work


@pytest.fixture
def bench() -> PromptBench:
    return PromptBench()


def over(bench: PromptBench, store: CountingStore, cache: LocalPromptCache | None = None) -> PromptOven:
    """Another replica's oven on the same data."""
    assert isinstance(bench.store, InMemoryStore)

    store.shelves = bench.store.shelves
    return PromptOven(unit_of_work=store.unit_of_work, cache=cache or LocalPromptCache(), clock=bench.clock)


async def bake(oven: PromptOven, text: str, *, use: bool = False, key: str = "") -> CompiledPrompt:
    return await oven.bake(PromptReference.parse(text), tenant=DEFAULT_TENANT, key=key, use=use)


async def test_warm_prompt_asks_nobody(bench: PromptBench) -> None:
    """Within the second, a hundred chats cost no read."""
    await bench.make("agent", "Help.")
    store = CountingStore()
    oven = over(bench, store)
    first = await bake(oven, "agent", use=True)
    asked = store.units

    again = [await bake(oven, "agent", use=True) for _ in range(100)]

    assert all(each is first for each in again)
    assert store.units == asked


async def test_burst_on_a_cold_prompt_reads_once(bench: PromptBench) -> None:
    """All wait for the first reader: head, version and mark are three reads, not three hundred."""
    await bench.make("agent", "Help.")
    store = CountingStore(slow=True)
    oven = over(bench, store)

    found = await asyncio.gather(*(bake(oven, "agent", use=True) for _ in range(100)))

    assert {each.ref.number for each in found} == {1}
    assert store.units == 3


async def test_cancelled_reader_leaves_no_lock(bench: PromptBench) -> None:
    """The next one reads for itself."""
    await bench.make("agent", "Help.")
    oven = over(bench, CountingStore(slow=True))
    first = asyncio.create_task(bake(oven, "agent"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    assert str((await bake(oven, "agent")).ref) == "agent:v1"


async def test_moved_label_is_seen_at_once_where_word_arrives(bench: PromptBench) -> None:
    """Two replicas on one exchange: the second one's next request has the new version."""
    exchange = PromptExchange()
    here, there = LocalPromptCache(exchange=exchange), LocalPromptCache(exchange=exchange)
    one = PromptBench(store=bench.store, clock=bench.clock, cache=here)
    two = PromptBench(store=bench.store, clock=bench.clock, cache=there)
    await here.start()
    await there.start()
    await one.make("agent", "Help.")
    await one.make("agent", "Help more.")
    await one.move("agent", "production", 1)
    assert str((await bake(two.oven, "agent")).ref) == "agent:v1"

    await one.move("agent", "production", 2)

    assert str((await bake(two.oven, "agent")).ref) == "agent:v2"


async def test_moved_label_is_seen_within_a_second_where_no_word_arrives(bench: PromptBench) -> None:
    """The short TTL heals what was lost."""
    await bench.make("agent", "Help.")
    lonely = over(bench, CountingStore())
    assert str((await bake(lonely, "agent")).ref) == "agent:v1"
    await bench.make("agent", "Help more.")
    assert str((await bake(lonely, "agent")).ref) == "agent:v1"

    bench.clock.advance(HEAD_TTL_S)

    assert str((await bake(lonely, "agent")).ref) == "agent:v2"


async def test_word_that_comes_while_reading_is_not_lost(bench: PromptBench) -> None:
    """What was being read may be older than the word."""
    await bench.make("agent", "Help.")
    store = CountingStore(slow=True)
    oven = over(bench, store)
    reading = asyncio.create_task(bake(oven, "agent"))
    await asyncio.sleep(0)
    oven.changed(DEFAULT_TENANT, PromptReference.parse("agent").name)
    await reading
    asked = store.units

    await bake(oven, "agent")

    assert store.units == asked + 1


async def test_store_that_is_away_does_not_take_known_prompts_along(bench: PromptBench) -> None:
    """What is not at hand is `storage_unavailable`; what is, goes on."""
    await bench.make("agent", "Help.")
    store = CountingStore()
    oven = over(bench, store)
    await bake(oven, "agent", use=True)
    store.shelves.available = False
    bench.clock.advance(60)

    assert str((await bake(oven, "agent", use=True)).ref) == "agent:v1"
    with pytest.raises(StorageUnavailable):
        await bake(oven, "other")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("agnt", "there is no prompt `agnt`; there are: `agent`; did you mean `agent`?"),
        ("agent:v7", "the prompt `agent` has no version v7, it is not made yet; its newest is v1"),
        ("agent@staging", "the prompt `agent` has no label `staging`; it has: `latest`, `production`"),
    ],
)
async def test_what_is_not_there_is_said_with_what_is(bench: PromptBench, asked: str, said: str) -> None:
    """The caller has a typo, or somebody forgot to make it."""
    await bench.make("agent", "Help.")
    await bench.move("agent", "production", 1)

    with pytest.raises(NotFound) as raised:
        await bake(bench.oven, asked)

    assert raised.value.detail == said


async def test_used_version_can_not_be_deleted_and_an_unused_one_can(bench: PromptBench) -> None:
    """Explaining is no use."""
    for text in ("One.", "Two.", "Three."):
        await bench.make("agent", text)
    await bake(bench.oven, "agent:v1", use=True)
    await bake(bench.oven, "agent:v2", use=False)

    with pytest.raises(VersionInUse):
        await bench.drop("agent:v1")
    await bench.drop("agent:v2")
    with pytest.raises(NotFound):
        await bake(bench.oven, "agent:v2", use=True)


async def test_version_deleted_elsewhere_is_not_used(bench: PromptBench) -> None:
    """Though this replica has it compiled: a stored answer must never name what is gone."""
    await bench.make("agent", "One.")
    await bench.make("agent", "Two.")
    lonely = over(bench, CountingStore())
    await bake(lonely, "agent:v1", use=False)
    await bench.drop("agent:v1")

    with pytest.raises(NotFound):
        await bake(lonely, "agent:v1", use=True)


async def test_version_deleted_elsewhere_is_not_even_shown(bench: PromptBench) -> None:
    """Once the head is read again; what chats have used stays, and is not compiled anew."""
    for text in ("One.", "Two.", "Three."):
        await bench.make("agent", text)
    store = CountingStore()
    lonely = over(bench, store)
    used = await bake(lonely, "agent:v3", use=True)
    await bake(lonely, "agent:v1")
    await bench.drop("agent:v1")
    bench.clock.advance(HEAD_TTL_S)

    with pytest.raises(NotFound):
        await bake(lonely, "agent:v1")
    asked = store.units
    assert used is await bake(lonely, "agent:v3", use=True)
    assert asked == store.units


@pytest.mark.parametrize("seen", [True, False])
async def test_prompt_deleted_and_made_again_elsewhere_never_has_its_old_text(
    bench: PromptBench, seen: bool
) -> None:
    """Whether this replica saw it gone or not, and though the clock stood still."""
    await bench.make("agent", "One.")
    lonely = over(bench, CountingStore())
    assert (await bake(lonely, "agent")).render({}).system == "One."
    await bench.drop("agent:v1")
    if seen:
        lonely.changed(DEFAULT_TENANT, PromptReference.parse("agent").name)
        with pytest.raises(NotFound):
            await bake(lonely, "agent")
    await bench.make("agent", "Two.")
    lonely.changed(DEFAULT_TENANT, PromptReference.parse("agent").name)

    found = await bake(lonely, "agent", use=True)

    assert (found.ref.number, found.render({}).system) == (2, "Two.")
    with pytest.raises(NotFound, match="v1, it was deleted"):
        await bake(lonely, "agent:v1")


async def test_label_and_newest_version_are_asked_again_before_no_is_said(bench: PromptBench) -> None:
    """What was made or deleted on another replica counts, though no word of it came."""
    await bench.make("agent", "One.")
    await bench.make("agent", "Two.")
    lonely = over(bench, CountingStore())
    assert str((await bake(lonely, "agent")).ref) == "agent:v2"
    await bench.drop("agent:v2")
    await bench.move("agent", "staging", 1)

    assert str((await bake(lonely, "agent", use=True)).ref) == "agent:v1"
    assert str((await bake(lonely, "agent@staging")).ref) == "agent:v1"


async def test_made_up_names_do_not_fill_the_memory(bench: PromptBench) -> None:
    """The oldest are forgotten."""
    oven = over(bench, CountingStore())
    for number in range(MAX_NAMES + 50):
        with pytest.raises(NotFound):
            await bake(oven, f"name-{number}")

    assert len(oven._shelves) == MAX_NAMES


async def test_rollout_spreads_by_key(bench: PromptBench) -> None:
    """Each key has its version; all together have both."""
    await bench.make("agent", "One.")
    await bench.make("agent", "Two.")
    await bench.move("agent", "production", 1, 2)
    chosen = {key: (await bake(bench.oven, "agent", key=str(key))).ref.number for key in range(50)}

    assert set(chosen.values()) == {1, 2}
    assert chosen == {key: (await bake(bench.oven, "agent", key=str(key))).ref.number for key in range(50)}


async def test_prompts_of_files_are_every_tenants(bench: PromptBench) -> None:
    """A tenant that has none of the name uses the operator's; what the default tenant made itself is its own."""
    bench.files.texts["agent"] = "From a file."
    await bench.import_files.execute()
    await bench.make("secret", "Ours.")
    acme = Tenant("acme")

    async def text(name: str) -> str:
        return (await bench.oven.bake(PromptReference.parse(name), tenant=acme, key="", use=True)).text

    shared = await text("agent:v1")
    with pytest.raises(NotFound, match="there is no prompt `secret`; none at all yet"):
        await text("secret")
    await bench.make("agent", "Their own.", tenant=acme)
    own = await text("agent")

    assert ("From a file.", "Their own.") == (shared, own)
    assert "From a file." == (await bake(bench.oven, "agent")).text
