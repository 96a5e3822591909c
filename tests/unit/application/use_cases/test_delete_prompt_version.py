"""Which versions can be deleted, and what remains."""

import asyncio

import pytest

from domain.errors import InvalidRequest, NotFound, PreconditionFailed, VersionInUse
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, PromptReference
from tests.support.prompt_bench import PromptBench, ref


@pytest.fixture
async def bench() -> PromptBench:
    """A prompt of three versions."""
    bench = PromptBench()
    for text in ("One.", "Two.", "Three."):
        await bench.make("tone", text)
    return bench


async def test_unneeded_version_goes(bench: PromptBench) -> None:
    """The head gets another ETag, and the newest stays the newest."""
    before = await bench.head("tone")

    await bench.drop("tone:v2")

    head = await bench.head("tone")
    assert (3, 4, before.revision + 1) == (head.latest, head.next_number, head.revision)
    versions = await bench.read.versions(DEFAULT_TENANT, PromptName("tone"))
    assert [3, 1] == [version.number for version in versions.items]


async def test_newest_gives_way_to_the_one_before(bench: PromptBench) -> None:
    """Whatever its number is; numbers are not given twice."""
    await bench.drop("tone:v2")
    await bench.drop("tone:v3")

    assert 1 == (await bench.head("tone")).latest
    assert ref("tone:v4") == (await bench.make("tone", "Four.")).version.ref


async def test_oven_forgets_it_at_once(bench: PromptBench) -> None:
    """A bare name means what remains."""
    reference = PromptReference.parse("tone")
    await bench.oven.bake(reference, tenant=DEFAULT_TENANT, key="")

    await bench.drop("tone:v3")

    assert ref("tone:v2") == (await bench.oven.bake(reference, tenant=DEFAULT_TENANT, key="")).ref


async def test_last_version_takes_the_prompt_with_it(bench: PromptBench) -> None:
    """A prompt of that name goes on counting: v1 was another text, and somebody may have written it down."""
    tags = {(await bench.head("tone")).etag}
    for number in (1, 2):
        await bench.drop(f"tone:v{number}")
        tags.add((await bench.head("tone")).etag)
    await bench.drop("tone:v3")

    with pytest.raises(NotFound, match="there is no prompt `tone`"):
        await bench.read.one(DEFAULT_TENANT, PromptReference.parse("tone"))
    made = await bench.make("tone", "One.", if_none_match=True)

    assert (ref("tone:v4"), True) == (made.version.ref, made.created)
    assert made.prompt.etag not in tags
    assert 6 == made.prompt.revision
    baked = await bench.oven.bake(PromptReference.parse("tone"), tenant=DEFAULT_TENANT, key="")
    assert (ref("tone:v4"), "One.") == (baked.ref, baked.render({}).system)
    with pytest.raises(NotFound, match="no version v1, it was deleted; its newest is v4"):
        await bench.oven.bake(PromptReference.parse("tone:v1"), tenant=DEFAULT_TENANT, key="")


async def test_prompt_made_anew_has_nothing_of_the_old_one(bench: PromptBench) -> None:
    """Neither labels nor links; the history of its labels goes on."""
    await bench.move("tone", "production", 3)
    await bench.move("tone", "production")
    for _ in range(2):
        head = await bench.head("tone")
        for version in (await bench.read.versions(DEFAULT_TENANT, head.name)).items:
            await bench.drop(str(version.ref))
        await bench.make("tone", "Anew.")

    made = await bench.head("tone")

    assert (5, 6, (), None, None) == (made.latest, made.next_number, made.labels, made.file, made.assistant)
    moves = await bench.read.moves(DEFAULT_TENANT, made.name, "production")
    assert [(), ((3, 1),)] == [move.weights for move in moves]


async def test_draft_of_a_removed_prompt_is_judged_as_the_next_version(bench: PromptBench) -> None:
    """Two replicas that make it anew at once agree on its numbers."""
    for number in (1, 2, 3):
        await bench.drop(f"tone:v{number}")
    elsewhere = PromptBench(bench.store, clock=bench.clock)

    made = await asyncio.gather(bench.make("tone", "Here."), elsewhere.make("tone", "There."))

    assert [4, 5] == sorted(each.version.number for each in made)


async def test_everything_that_needs_it_is_named(bench: PromptBench) -> None:
    """A chat, labels and other versions, each with what to do; and all of it stays."""
    await bench.move("tone", "production", 2)
    await bench.move("tone", "canary", 2, 3)
    await bench.make("support", "{{> tone:v2}}")
    await bench.make("sales", "{{> tone}}")
    await bench.use("tone:v2")
    before = await bench.head("tone")

    with pytest.raises(VersionInUse) as caught:
        await bench.drop("tone:v2")

    assert (
        "tone:v2 can't be deleted: a chat was answered with it, and its record must stay readable; "
        "the labels `canary`, `production` point to it; move them first; "
        "sales:v1, support:v1 include it; delete those first"
    ) == caught.value.detail
    assert before == await bench.head("tone")
    assert (await bench.read.one(DEFAULT_TENANT, PromptReference.parse("tone:v2"))).version.number == 2


@pytest.mark.parametrize("need", ["label", "include", "chat"])
async def test_each_need_is_enough(bench: PromptBench, need: str) -> None:
    """Once it is gone, the version can go."""
    if need == "label":
        await bench.move("tone", "production", 1)
    elif need == "include":
        await bench.make("support", "{{> tone:v1}}")
    else:
        await bench.use("tone:v1")

    with pytest.raises(VersionInUse) as caught:
        await bench.drop("tone:v1")

    words = {
        "label": "the label `production` points to it; move it first",
        "include": "support:v1 includes it; delete that one first",
        "chat": "a chat was answered with it",
    }
    assert words[need] in caught.value.detail
    if need == "label":
        await bench.move("tone", "production", 2)
        await bench.drop("tone:v1")
    elif need == "include":
        await bench.drop("support:v1")
        await bench.drop("tone:v1")


async def test_many_includers_are_not_all_listed(bench: PromptBench) -> None:
    """Ten are enough to see where to begin."""
    for index in range(12):
        await bench.make(f"p{index:02}", "{{> tone:v1}}")

    with pytest.raises(VersionInUse, match="p09:v1 and more include it"):
        await bench.drop("tone:v1")


async def test_absent_version_and_prompt(bench: PromptBench) -> None:
    """The errors say what there is."""
    await bench.drop("tone:v2")

    with pytest.raises(NotFound, match="no version v2, it was deleted; its newest is v3"):
        await bench.drop("tone:v2")
    with pytest.raises(NotFound, match="no version v9, it is not made yet"):
        await bench.drop("tone:v9")
    with pytest.raises(NotFound, match="there is no prompt `tome`"):
        await bench.drop("tome:v1")


async def test_stale_etag_is_refused(bench: PromptBench) -> None:
    """Somebody may have begun to use it."""
    stale = (await bench.head("tone")).etag
    await bench.move("tone", "production", 3)

    with pytest.raises(PreconditionFailed):
        await bench.drop("tone:v1", if_match=(stale,))


async def test_deleted_version_can_not_be_included(bench: PromptBench) -> None:
    """The fault says that it was deleted."""
    await bench.drop("tone:v1")

    with pytest.raises(InvalidRequest, match="no version v1, it was deleted; its newest is v3"):
        await bench.make("support", "{{> tone:v1}}")
