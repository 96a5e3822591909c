"""The steps that every maker of versions shares, as a caller inside a unit of work sees them."""

import pytest

from application.services.prompt_closure import load_closure
from application.services.prompt_includes import MAX_INCLUDES
from application.services.prompt_writing import Draft, Written
from domain.errors import InvalidRequest, NotFound
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName
from domain.prompt.version import FileLink, RemoteLink
from tests.support.prompt_bench import PromptBench, ref, system

NAME = PromptName("support")


@pytest.fixture
def bench() -> PromptBench:
    return PromptBench()


async def _write(
    bench: PromptBench,
    text: str,
    *,
    file_path: str | None = None,
    assistant: RemoteLink | None = None,
    commit: bool = True,
) -> Written:
    draft = Draft(name=NAME, source=system(text), made_by="import")
    async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
        head = await bench.writing.lock(work, NAME, draft.source)
        written = await bench.writing.write(work, head, draft, file_path=file_path, assistant=assistant)
        if commit:
            await work.commit()
    return written


async def test_links_are_set_with_the_version(bench: PromptBench) -> None:
    """In one transaction, by one revision."""
    link = RemoteLink(id="asst_1", hash="0" * 64)

    written = await _write(bench, "Help.", file_path="prompts/support.yaml", assistant=link)

    assert (True, True) == (written.created, written.changed)
    assert FileLink(path="prompts/support.yaml", hash=written.version.hash) == written.prompt.file
    assert link == written.prompt.assistant
    assert written.prompt == await bench.head(NAME)
    assert 1 == written.prompt.revision


async def test_link_alone_is_a_change_without_a_version(bench: PromptBench) -> None:
    """The content is there already."""
    first = await _write(bench, "Help.")

    linked = await _write(bench, "Help.", file_path="prompts/support.yaml")
    again = await _write(bench, "Help.", file_path="prompts/support.yaml")

    assert (False, True, first.version) == (linked.created, linked.changed, linked.version)
    assert (False, False, linked.prompt) == (again.created, again.changed, again.prompt)
    assert 2 == (await bench.head(NAME)).revision


async def test_links_stay_where_none_is_given(bench: PromptBench) -> None:
    """A version made by the API does not cut a prompt off its file."""
    linked = await _write(bench, "Help.", file_path="prompts/support.yaml")

    written = await _write(bench, "Help well.")

    assert linked.prompt.file == written.prompt.file


async def test_nothing_is_stored_without_a_commit(bench: PromptBench) -> None:
    """The unit of work is the caller's."""
    await _write(bench, "Help.", commit=False)

    assert () == (await bench.read.page(DEFAULT_TENANT)).items


async def test_labels_survive_a_new_version(bench: PromptBench) -> None:
    """And stay where they are."""
    await _write(bench, "Help.")
    moved = await bench.move(NAME, "production", 1)

    written = await _write(bench, "Help well.")

    assert moved.prompt.labels == written.prompt.labels


async def test_number_of_includes_is_bounded(bench: PromptBench) -> None:
    """Before anything is locked or read for them."""
    text = "".join(f"{{{{> p{index}}}}}" for index in range(MAX_INCLUDES + 1))

    with pytest.raises(InvalidRequest, match="includes 201 fragments, and 200 is the most"):
        await bench.make("support", text)


async def test_faults_are_bounded(bench: PromptBench) -> None:
    """Fifty are enough to see what went wrong."""
    text = "\n".join(f"{{{{> p{index}}}}}" for index in range(MAX_INCLUDES))

    with pytest.raises(InvalidRequest) as caught:
        await bench.make("support", text)

    assert 50 == len(caught.value.faults)


async def test_closure_holds_every_level_once(bench: PromptBench) -> None:
    """In a diamond the bottom is loaded once."""
    await bench.make("bottom", "Calm.")
    await bench.make("left", "{{> bottom}}")
    await bench.make("right", "{{> bottom}}")
    top = await bench.make("top", "{{> left}} {{> right}}")

    async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
        library = await load_closure(work, top.version)

    assert {ref("left:v1"), ref("right:v1"), ref("bottom:v1")} == library.keys()


async def test_closure_with_a_hole_is_an_error(bench: PromptBench) -> None:
    """Such as in a database that somebody cleaned by hand."""
    await bench.make("tone", "Calm.")
    made = await bench.make("support", "{{> tone}}")
    async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
        await work.prompts.lock(PromptName("tone"))
        await work.prompts.delete_version(ref("tone:v1"))
        await work.commit()

    async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
        with pytest.raises(NotFound, match="made of tone:v1, which is gone"):
            await load_closure(work, made.version)


async def test_too_deep_composition_is_refused(bench: PromptBench) -> None:
    """By the compiler, which names the limit."""
    await bench.make("p0", "Bottom.")
    for depth in range(1, 10):
        await bench.make(f"p{depth}", f"{{{{> p{depth - 1}}}}}")
    await bench.make("p10", "{{> p9}}")

    with pytest.raises(InvalidRequest, match="10"):
        await bench.make("p11", "{{> p10}}")
