"""What an editor sees."""

import pytest

from application.use_cases.label_prompt import LabelPromptCommand
from application.use_cases.read_prompts import MAX_PAGE_BYTES
from domain.errors import NotFound
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName, PromptReference
from tests.support.prompt_bench import PromptBench, chat, ref, system


@pytest.fixture
async def bench() -> PromptBench:
    """`tone` in three versions, `support` in one."""
    bench = PromptBench()
    for text in ("One.", "Two.", "Three."):
        await bench.make("tone", text)
    await bench.make("support", system("{{> tone:v1}} {{name}}", name="string"))
    return bench


async def _one(bench: PromptBench, text: str) -> str:
    view = await bench.read.one(DEFAULT_TENANT, PromptReference.parse(text))
    return str(view.version.ref)


async def test_reference_means_what_it_means_in_a_chat(bench: PromptBench) -> None:
    """Production else latest, a label, a number."""
    assert "tone:v3" == await _one(bench, "tone")
    await bench.move("tone", "production", 1)
    await bench.move("tone", "staging", 2)

    assert ["tone:v1", "tone:v2", "tone:v3", "tone:v2"] == [
        await _one(bench, text) for text in ("tone", "tone@staging", "tone@latest", "tone:v2")
    ]


async def test_rollout_shows_its_heaviest_version(bench: PromptBench) -> None:
    """The older one of equals."""
    name = PromptName("tone")
    await bench.label.execute(
        LabelPromptCommand(name=name, label="production", weights=((1, 10), (2, 80), (3, 10)))
    )
    assert "tone:v2" == await _one(bench, "tone")

    await bench.move("tone", "production", 2, 3)

    assert "tone:v2" == await _one(bench, "tone")


async def test_absent_things_say_what_there_is(bench: PromptBench) -> None:
    """A prompt, a version, a label."""
    await bench.move("tone", "staging", 1)

    with pytest.raises(
        NotFound, match="no prompt `suport`; there are: `support`, `tone`; did you mean `support`"
    ):
        await _one(bench, "suport")
    with pytest.raises(NotFound, match="no version v7, it is not made yet; its newest is v3"):
        await _one(bench, "tone:v7")
    with pytest.raises(
        NotFound, match="no label `stagin`; it has: `latest`, `staging`; did you mean `staging`"
    ):
        await _one(bench, "tone@stagin")


async def test_other_tenants_see_nothing(bench: PromptBench) -> None:
    """Not even that the name is taken."""
    with pytest.raises(NotFound, match="there is no prompt `tone`; none at all yet"):
        await bench.read.one(Tenant("other"), PromptReference.parse("tone"))


async def test_pages_follow_one_another(bench: PromptBench) -> None:
    """By name, each prompt once, with the version that its bare name means."""
    await bench.make("alpha", "A.")
    await bench.move("tone", "production", 2)

    first = await bench.read.page(DEFAULT_TENANT, limit=2)
    second = await bench.read.page(DEFAULT_TENANT, limit=2, after=first.next_after)

    assert ["alpha:v1", "support:v1"] == [str(view.version.ref) for view in first.items]
    assert PromptName("support") == first.next_after
    assert ["tone:v2"] == [str(view.version.ref) for view in second.items]
    assert second.next_after is None


async def test_page_of_exactly_all_is_the_last(bench: PromptBench) -> None:
    """No empty page follows."""
    page = await bench.read.page(DEFAULT_TENANT, limit=2)

    assert 2 == len(page.items)
    assert page.next_after is None


async def test_versions_come_newest_first(bench: PromptBench) -> None:
    """In pages too."""
    name = PromptName("tone")
    first = await bench.read.versions(DEFAULT_TENANT, name, limit=2)
    second = await bench.read.versions(DEFAULT_TENANT, name, limit=2, below=first.next_below)

    assert [3, 2] == [version.number for version in first.items]
    assert 2 == first.next_below
    assert [1] == [version.number for version in second.items]
    assert second.next_below is None
    with pytest.raises(NotFound, match="there is no prompt `tome`"):
        await bench.read.versions(DEFAULT_TENANT, PromptName("tome"))


async def test_compiled_is_flat(bench: PromptBench) -> None:
    """With the fragments that it was made of, as they were then."""
    compiled = await bench.read.compiled(DEFAULT_TENANT, PromptReference.parse("support"))

    assert (ref("tone:v1"),) == compiled.fragments
    assert ["name"] == [variable.name for variable in compiled.variables]
    assert "One." in compiled.text


async def test_history_of_a_label_that_never_was(bench: PromptBench) -> None:
    """Is an error, but that of one that was taken away is its history."""
    with pytest.raises(NotFound, match="no label `production`; it has: `latest`"):
        await bench.read.moves(DEFAULT_TENANT, PromptName("tone"), "production")
    await bench.move("tone", "production", 1)
    await bench.move("tone", "production")

    moves = await bench.read.moves(DEFAULT_TENANT, PromptName("tone"), "production")

    assert [(), ((1, 1),)] == [move.weights for move in moves]


async def test_page_of_versions_ends_at_its_bytes_too() -> None:
    """With one version at least, and the next page goes on where it ended."""
    bench = PromptBench()
    half = MAX_PAGE_BYTES // 8 - 100
    for number in range(10):
        await bench.make(
            "big", chat(str(number), "{{!" + "c" * (half - 5) + "}}", "{{!" + "c" * (half - 5) + "}}")
        )

    pages: list[list[int]] = []
    below: int | None = None
    while below is not None or not pages:
        page = await bench.read.versions(DEFAULT_TENANT, PromptName("big"), below=below)
        pages.append([version.number for version in page.items])
        below = page.next_below

    assert [[10, 9, 8, 7], [6, 5, 4, 3], [2, 1]] == pages


async def test_entry_is_found_as_its_version_is(bench: PromptBench) -> None:
    """By number and by label, with the same words where there is none."""
    await bench.move("tone", "staging", 2)
    entry = await bench.read.entry(DEFAULT_TENANT, PromptReference.parse("tone@staging"))

    assert (entry.prompt, entry.version.ref) == (await bench.head("tone"), ref("tone:v2"))
    with pytest.raises(NotFound, match="no version v7, it is not made yet; its newest is v3"):
        await bench.read.entry(DEFAULT_TENANT, PromptReference.parse("tone:v7"))
    with pytest.raises(NotFound, match="no label `live`"):
        await bench.read.entry(DEFAULT_TENANT, PromptReference.parse("tone@live"))


async def test_history_names_versions_without_their_texts(bench: PromptBench) -> None:
    """Newest first."""
    history = await bench.read.history(DEFAULT_TENANT, PromptName("tone"), limit=2)

    assert [ref("tone:v3"), ref("tone:v2")] == [outline.ref for outline in history]
    with pytest.raises(NotFound):
        await bench.read.history(DEFAULT_TENANT, PromptName("tome"))
