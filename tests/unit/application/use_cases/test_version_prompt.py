"""What making a version stores, and what it refuses."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from adapters.persistence.store import create
from application.use_cases.label_prompt import LabelPromptCommand
from domain.errors import InvalidRequest, PreconditionFailed
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.version import Pin
from tests.support.prompt_bench import PromptBench, chat, patient, ref, system


@pytest.fixture
def bench() -> PromptBench:
    return PromptBench()


async def test_first_version_makes_the_prompt(bench: PromptBench) -> None:
    """Number 1, by whom and why, and a head that points to it."""
    made = await bench.make("support", "Help.", author="ada", message="begin")

    assert made.created
    assert ref("support:v1") == made.version.ref
    assert ("api", "ada", "begin") == (made.version.made_by, made.version.author, made.version.message)
    assert (1, 2, 1) == (made.prompt.latest, made.prompt.next_number, made.prompt.revision)
    assert await bench.head("support") == made.prompt


async def test_new_content_makes_the_next_version(bench: PromptBench) -> None:
    """The older one stays as it is."""
    await bench.make("support", "Help.")

    made = await bench.make("support", "Help well.")

    assert ref("support:v2") == made.version.ref
    assert (2, 3, 2) == (made.prompt.latest, made.prompt.next_number, made.prompt.revision)
    older = await bench.read.one(DEFAULT_TENANT, PromptReference.parse("support:v1"))
    assert "Help." == older.version.source.turns[0].template


async def test_same_content_makes_nothing(bench: PromptBench) -> None:
    """The newest version is the answer, and the ETag stays."""
    first = await bench.make("support", "Help.", message="begin")

    again = await bench.make("support", "Help.", message="again")

    assert not again.created
    assert first.version == again.version
    assert first.prompt == again.prompt == await bench.head("support")


async def test_content_of_an_older_version_makes_a_new_one(bench: PromptBench) -> None:
    """Going back is a change too."""
    await bench.make("support", "Help.")
    await bench.make("support", "Help well.")

    made = await bench.make("support", "Help.")

    assert made.created
    assert ref("support:v3") == made.version.ref


async def test_unfit_characters_do_not_make_another_version(bench: PromptBench) -> None:
    """What the store replaces is replaced before it is compared."""
    first = await bench.make("support", "Help.\0")

    again = await bench.make("support", "Help.\0")

    assert not again.created
    assert "Help.\ufffd" == first.version.source.turns[0].template


async def test_fragments_are_pinned(bench: PromptBench) -> None:
    """Production else latest for a bare name, the label, the number, of a rollout the heaviest."""
    for text in ("One.", "Two.", "Three."):
        await bench.make("tone", text)
    await bench.make("manners", "Polite.")
    await bench.move("tone", "production", 2)
    await bench.move("tone", "staging", 3)
    weights = ((1, 10), (3, 90))
    await bench.label.execute(LabelPromptCommand(name=PromptName("tone"), label="spread", weights=weights))

    made = await bench.make(
        "support",
        "{{> tone}} {{> tone:v1}} {{> tone@staging}} {{> tone@spread}} {{> tone@latest}} {{> manners}}",
    )

    assert [
        ("tone", ref("tone:v2")),
        ("tone:v1", ref("tone:v1")),
        ("tone@staging", ref("tone:v3")),
        ("tone@spread", ref("tone:v3")),
        ("tone@latest", ref("tone:v3")),
        ("manners", ref("manners:v1")),
    ] == [(pin.written, pin.ref) for pin in made.version.pins]


async def test_changed_fragment_makes_another_version_of_the_same_text(bench: PromptBench) -> None:
    """The hash covers what is included."""
    await bench.make("tone", "Calm.")
    first = await bench.make("support", "{{> tone}}")
    changed = await bench.make("tone", "Lively.")

    again = await bench.make("support", "{{> tone}}")

    assert again.created
    assert (ref("support:v1"),) == changed.kept_by == (first.version.ref,)
    assert (Pin(written="tone", ref=ref("tone:v2"), hash=changed.version.hash),) == again.version.pins


async def test_kept_by_names_newest_versions_only(bench: PromptBench) -> None:
    """An older version that pins an older fragment is history."""
    await bench.make("tone", "Calm.")
    await bench.make("old", "{{> tone}}")
    await bench.make("old", "Alone.")
    await bench.make("b", "{{> tone}}")
    await bench.make("a", "{{> tone:v1}}")
    await bench.make("tone", "Lively.")

    made = await bench.make("tone", "Loud.")

    assert (ref("a:v1"), ref("b:v1")) == made.kept_by


async def test_every_missing_fragment_is_named_with_its_place(bench: PromptBench) -> None:
    """All at once, each with line and column, and with what there is."""
    await bench.make("tone", "Calm.")

    with pytest.raises(InvalidRequest) as caught:
        await bench.make("support", chat("Be kind.\n{{> tnoe}}", "{{> tone@stagin}} {{> tone:v9}} {{> me}}"))

    faults = caught.value.faults
    assert ["messages[0].content", *["messages[1].content"] * 3] == [fault.path for fault in faults]
    assert faults[0].message.startswith("line 2, column 1: there is no prompt `tnoe`; there are: `tone`")
    assert "did you mean `tone`?\n{{> tnoe}}\n^" in faults[0].message
    assert "no label `stagin`; it has: `latest`" in faults[1].message
    assert "no version v9, it is not made yet; its newest is v1" in faults[2].message
    assert "there is no prompt `me`" in faults[3].message


async def test_missing_fragment_and_undeclared_variable_are_named_at_once(bench: PromptBench) -> None:
    """Its author mends both in one go; and the prompt itself is none of those that could be meant."""
    await bench.make("tone", "Calm.")
    await bench.make("support", "Help.")

    with pytest.raises(InvalidRequest) as caught:
        await bench.make("support", system("{{nmae}}\n{{> tnoe}} {{> tone}}", name="string"))

    assert [
        "line 1, column 1: `nmae` is not declared; did you mean `name`?",
        "line 2, column 1: there is no prompt `tnoe`; there are: `tone`; did you mean `tone`?",
    ] == [fault.message.partition("\n")[0] for fault in caught.value.faults]


async def test_lines_that_run_into_one_another_are_warned_of(bench: PromptBench) -> None:
    """With every answer, made or not; nothing of it is stored."""
    await bench.make("tone", "Be kind.")

    made = await bench.make("support", "{{> tone}}\nNever lie.")
    again = await bench.make("support", "{{> tone}}\nNever lie.")
    await bench.make("tone", "Be kind.\n")
    mended = await bench.make("support", "{{> tone}}\nNever lie.")

    assert 1 == len(made.warnings)
    assert made.warnings[0].startswith(
        "template: line 1, column 1: `{{> tone}}` takes its line's newline with it"
    )
    assert (False, made.warnings) == (again.created, again.warnings)
    assert (True, ()) == (mended.created, mended.warnings)


async def test_missing_fragment_in_an_empty_store(bench: PromptBench) -> None:
    """Nothing is stored, and the error does not list nothing."""
    with pytest.raises(InvalidRequest, match="there is no prompt `tone`; none at all yet"):
        await bench.make("support", "{{> tone}}")

    assert () == (await bench.read.page(DEFAULT_TENANT)).items


async def test_prompt_can_not_include_itself(bench: PromptBench) -> None:
    """Neither before it exists nor an older version of it."""
    with pytest.raises(InvalidRequest, match="support → support"):
        await bench.make("support", "{{> support}}")
    await bench.make("support", "Help.")
    with pytest.raises(InvalidRequest, match="support → support"):
        await bench.make("support", "{{> support:v1}}")


async def test_cycle_by_name_is_refused_and_named(bench: PromptBench) -> None:
    """Though pins alone could not go round."""
    await bench.make("a", "One.")
    await bench.make("b", "{{> a}}")
    await bench.make("c", "{{> b}}")

    with pytest.raises(InvalidRequest, match="a → c → b → a"):
        await bench.make("a", "{{> c}}")

    assert 1 == (await bench.head("a")).latest


async def test_syntax_and_declarations_are_checked(bench: PromptBench) -> None:
    """What can't be compiled is not stored."""
    with pytest.raises(InvalidRequest, match="line 1, column 7"):
        await bench.make("support", "Hello {{name")
    with pytest.raises(InvalidRequest, match="name"):
        await bench.make("support", "Hello {{name}}")

    assert () == (await bench.read.page(DEFAULT_TENANT)).items


async def test_deep_composition_loads_level_by_level(bench: PromptBench) -> None:
    """Ten levels are fine."""
    await bench.make("p0", "Bottom.")
    for depth in range(1, 10):
        await bench.make(f"p{depth}", f"{{{{> p{depth - 1}}}}}")

    compiled = await bench.read.compiled(DEFAULT_TENANT, PromptReference.parse("p9"))

    assert "Bottom." == compiled.render({}).system


async def test_if_match_of_another_state_is_refused(bench: PromptBench) -> None:
    """The error says what the ETag is now, and nothing is written."""
    first = await bench.make("support", "Help.")
    await bench.make("support", "Help well.", if_match=(first.prompt.etag,))

    with pytest.raises(PreconditionFailed, match=r'its ETag is "2-.*" now; read it again'):
        await bench.make("support", "Help badly.", if_match=(first.prompt.etag,))

    assert 2 == (await bench.head("support")).latest


async def test_if_match_star_asks_for_an_existing_prompt(bench: PromptBench) -> None:
    """Any state will do, but there must be one."""
    with pytest.raises(PreconditionFailed, match="there is no prompt `support`"):
        await bench.make("support", "Help.", if_match=("*",))
    await bench.make("support", "Help.")

    made = await bench.make("support", "Help well.", if_match=('"7"', "*"))

    assert made.created


async def test_if_none_match_makes_new_prompts_only(bench: PromptBench) -> None:
    """So that two people who choose the same name find out."""
    await bench.make("support", "Help.", if_none_match=True)

    with pytest.raises(PreconditionFailed, match="there is a prompt `support` already"):
        await bench.make("support", "Something else.", if_none_match=True)


async def test_oven_serves_the_new_version_at_once(bench: PromptBench) -> None:
    """On this replica there is no second of delay."""
    await bench.make("support", "Help.")
    reference = PromptReference.parse("support")
    await bench.oven.bake(reference, tenant=DEFAULT_TENANT, key="")

    await bench.make("support", "Help well.")

    assert ref("support:v2") == (await bench.oven.bake(reference, tenant=DEFAULT_TENANT, key="")).ref


async def test_tenants_have_their_own_prompts(bench: PromptBench) -> None:
    """Neither the name nor a fragment of the other is seen."""
    other = Tenant("other")
    await bench.make("tone", "Calm.")

    with pytest.raises(InvalidRequest, match="there is no prompt `tone`"):
        await bench.make("support", "{{> tone}}", tenant=other)
    made = await bench.make("tone", "Lively.", tenant=other)

    assert ref("tone:v1") == made.version.ref
    assert (
        "Calm."
        == (await bench.read.one(DEFAULT_TENANT, PromptReference.parse("tone")))
        .version.source.turns[0]
        .template
    )


class _OnDatabase:
    """What only real locks show."""

    @pytest.fixture
    async def benches(self, url: str) -> AsyncIterator[Callable[[], PromptBench]]:
        """Replicas on one database, each with a pool of its own."""
        stores = [create(patient(url)), create(patient(url))]
        for store in stores:
            await store.start()
        made: list[PromptBench] = []

        def bench() -> PromptBench:
            made.append(PromptBench(stores[len(made) % 2]))
            return made[-1]

        yield bench
        for store in stores:
            await store.aclose()

    async def test_one_of_two_editors_wins(self, benches: Callable[[], PromptBench]) -> None:
        """Both read the same state; the second to write is told."""
        first, second = benches(), benches()
        etag = (await first.make("support", "Help.")).prompt.etag

        results = await asyncio.gather(
            first.make("support", "Ada's.", if_match=(etag,)),
            second.make("support", "Grace's.", if_match=(etag,)),
            return_exceptions=True,
        )

        assert 1 == sum(isinstance(result, PreconditionFailed) for result in results)
        assert 2 == (await first.head("support")).latest

    async def test_numbers_have_no_gaps(self, benches: Callable[[], PromptBench]) -> None:
        """Twenty writers at once on two replicas make versions 1 to 20."""
        both = (benches(), benches())

        made = await asyncio.gather(
            *(both[index % 2].make("support", f"Text {index}.") for index in range(20))
        )

        assert [*range(1, 21)] == sorted(each.version.number for each in made)
        head = await both[0].head("support")
        assert (20, 21, 20) == (head.latest, head.next_number, head.revision)

    async def test_same_text_at_once_makes_one_version(self, benches: Callable[[], PromptBench]) -> None:
        """The others are told that it is there."""
        both = (benches(), benches())

        made = await asyncio.gather(*(both[index % 2].make("support", "Help.") for index in range(8)))

        assert 1 == sum(each.created for each in made)
        assert {ref("support:v1")} == {each.version.ref for each in made}

    async def test_fragment_is_not_deleted_while_it_is_pinned(
        self, benches: Callable[[], PromptBench]
    ) -> None:
        """Whoever comes first, no version pins what is gone."""
        first, second = benches(), benches()
        await first.make("tone", "Calm.")
        await first.make("tone", "Lively.")

        results = await asyncio.gather(
            first.make("support", "{{> tone:v1}}"), second.drop("tone:v1"), return_exceptions=True
        )

        assert 1 == sum(isinstance(result, Exception) for result in results)

    async def test_crossing_includes_do_not_lock_each_other_out(
        self, benches: Callable[[], PromptBench]
    ) -> None:
        """Names are locked in their order, whatever includes what."""
        first, second = benches(), benches()
        await first.make("a", "One.")
        await first.make("b", "Two.")

        for round_ in range(5):
            results = await asyncio.gather(
                first.make("a", f"{round_} {{{{> b:v1}}}}"),
                second.make("b", f"{round_} {{{{> a:v1}}}}"),
                return_exceptions=True,
            )

            assert [] == [result for result in results if isinstance(result, Exception)]


class TestOnSQLite(_OnDatabase):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestOnPostgreSQL(_OnDatabase):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
