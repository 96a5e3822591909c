"""The steps that every maker of versions shares, as a caller inside a unit of work sees them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast

import attrs
import pytest

from adapters.in_memory.store import InMemoryStore
from application.ports.store import Store
from application.ports.unit_of_work import UnitOfWork
from application.services.editor_turns import MAX_WAITING, EditorTurns
from application.services.prompt_closure import load_closure
from application.services.prompt_includes import MAX_INCLUDES, SHORT_SOURCE
from application.services.prompt_writing import Draft, Written
from domain.errors import InvalidRequest, NotFound, Overloaded
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName
from domain.prompt.source import Origin, PromptSource, Turn, Variable
from domain.prompt.version import FileLink, RemoteLink
from tests.support.prompt_bench import PromptBench, chat, ref, system

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


_UNREADABLE: Final[dict[str, PromptSource]] = {
    "the same once cleaned": attrs.evolve(
        system("{{n}}"), variables=(Variable(name="n", type="enum", values=("\0", "\ufffd")),)
    ),
    "longer once cleaned": system("{{!" + "\0" * 200_000 + "}}x"),
    "too many turns": chat(*"x" * 65),
    "too many variables": attrs.evolve(
        system("x"), variables=tuple(Variable(name=f"v{n}") for n in range(101))
    ),
    "too many values": attrs.evolve(
        system("x"), variables=(Variable(name="v", type="enum", values=tuple(map(str, range(1001)))),)
    ),
    "too long together": chat("x", *["{{!" + "c" * 250_000 + "}}"] * 3),
}


@pytest.mark.parametrize("source", _UNREADABLE.values(), ids=_UNREADABLE)
async def test_what_could_not_be_read_back_is_refused(bench: PromptBench, source: PromptSource) -> None:
    """Whoever makes it: those that import do not read a document."""
    draft = Draft(name=NAME, source=source, made_by="import")

    async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
        with pytest.raises(InvalidRequest):
            await bench.writing.check(work, await bench.writing.lock(work, NAME, source), draft)
    with pytest.raises(InvalidRequest):
        await bench.make(NAME, source)


async def test_plain_text_and_places_in_a_file_survive_the_check(bench: PromptBench) -> None:
    """A document says neither."""
    turn = Turn(role="system", template="{{x}} {{", origin=Origin(file="a.txt", line=7))
    source = PromptSource(turns=(turn,), declares=False)
    fit = attrs.evolve(source, turns=(attrs.evolve(turn, template="{{x}}"),))

    async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
        with pytest.raises(InvalidRequest, match=r"a\.txt, line 7"):
            await bench.writing.check(work, None, Draft(name=NAME, source=source, made_by="file"))
        checked = await bench.writing.check(work, None, Draft(name=NAME, source=fit, made_by="file"))

    assert not checked.version.source.declares
    assert ("x",) == checked.compiled.untyped


@attrs.define
class _CountingStore:
    """Knows how many units of work are open at a time."""

    inner: InMemoryStore = attrs.field(factory=InMemoryStore)
    open: int = 0
    most: int = 0

    @asynccontextmanager
    async def unit_of_work(self, tenant: Tenant) -> AsyncIterator[UnitOfWork]:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            async with self.inner.unit_of_work(tenant) as work:
                yield work
        finally:
            self.open -= 1


def _long(text: str) -> str:
    return "{{#a}}{{/a}}" * (SHORT_SOURCE // 10) + text


async def test_who_waits_to_compile_holds_no_connection() -> None:
    """Of twenty long versions one is at work, and all are made."""
    store = _CountingStore()
    bench = PromptBench(cast("Store", store))

    made = await asyncio.gather(
        *(bench.make("support", system(_long(str(n)), a="list")) for n in range(20)),
    )

    assert set(range(1, 21)) == {each.version.number for each in made}
    assert 1 == store.most


async def test_too_many_waiting_are_refused() -> None:
    """With an error that says to try again."""
    turns = EditorTurns()

    async def wait() -> None:
        async with turns.turn():
            pass

    async with turns.turn():
        waiting = [asyncio.create_task(wait()) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="try again"):
            await wait()
    await asyncio.gather(*waiting)
    await wait()


async def test_cancelled_waiting_takes_no_turn() -> None:
    """The next one gets it."""
    turns = EditorTurns()
    async with turns.turn():
        waiting = asyncio.create_task(turns.turn().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async with asyncio.timeout(30), turns.turn():
        pass


async def test_fragment_that_moves_while_it_is_compiled_is_pinned_as_it_is_then(bench: PromptBench) -> None:
    """What was compiled ahead is thrown away."""
    await bench.make("tone", "Calm.")
    draft = Draft(name=NAME, source=system("{{> tone}}"), made_by="api")

    async with bench.writing.prepared(bench.store.unit_of_work, draft) as ready:
        await _write_plain(bench, "tone", "Loud.")
        async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
            head = await bench.writing.lock(work, NAME, draft.source, ready=ready)
            checked = await bench.writing.check(work, head, draft, ready=ready)

    assert [ref("tone:v2")] == [pin.ref for pin in checked.version.pins]
    assert "Loud." == checked.compiled.text
    assert ready.compiled is not None
    assert "Calm." == ready.compiled.text


async def test_number_taken_while_it_is_compiled_is_passed_over(bench: PromptBench) -> None:
    """The compiled form has the number that was given in the end."""
    draft = Draft(name=NAME, source=system(_long("x"), a="list"), made_by="api")

    async with bench.writing.prepared(bench.store.unit_of_work, draft) as ready:
        await _write_plain(bench, NAME, "Quick.")
        async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
            head = await bench.writing.lock(work, NAME, draft.source, ready=ready)
            checked = await bench.writing.check(work, head, draft, ready=ready)

    assert ref("support:v2") == checked.version.ref == checked.compiled.ref
    assert checked.version.hash == checked.compiled.hash


async def _write_plain(bench: PromptBench, name: str, text: str) -> None:
    async with asyncio.timeout(30):
        await bench.make(name, text)
