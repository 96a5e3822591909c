"""Dry runs, of what is stored and of what is not."""

import pytest

from application.use_cases.render_prompt import RenderPromptCommand, TryPromptCommand
from domain.errors import InvalidRequest, NotFound
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, PromptReference
from tests.support.prompt_bench import PromptBench, ref, system

NAME = PromptName("support")


@pytest.fixture
async def bench() -> PromptBench:
    bench = PromptBench()
    await bench.make("tone", "Be calm.")
    await bench.make("support", system("Hello {{name}}. {{> tone}}", name="string"))
    return bench


async def test_stored_prompt_is_filled_in(bench: PromptBench) -> None:
    """As a chat would have it, and the version does not count as used."""
    rendered = await bench.render.execute(
        RenderPromptCommand(reference=PromptReference.parse("support"), variables={"name": "Ada"})
    )

    assert ("Hello Ada. Be calm.", ref("support:v1")) == (rendered.system, rendered.ref)
    assert (ref("tone:v1"),) == rendered.fragments
    await bench.drop("support:v1")


async def test_key_chooses_of_a_rollout(bench: PromptBench) -> None:
    """Each key always the same version, and some keys each of them."""
    await bench.make("support", system("Hi {{name}}.", name="string"))
    await bench.move("support", "production", 1, 2)

    async def chosen(key: str) -> int:
        command = RenderPromptCommand(
            reference=PromptReference.parse("support"), variables={"name": "Ada"}, key=key
        )
        return (await bench.render.execute(command)).ref.number

    first = [await chosen(f"thread-{index}") for index in range(20)]

    assert {1, 2} == set(first)
    assert first == [await chosen(f"thread-{index}") for index in range(20)]


async def test_every_unfit_variable_is_named(bench: PromptBench) -> None:
    """Missing and undeclared at once."""
    with pytest.raises(InvalidRequest) as caught:
        await bench.render.execute(
            RenderPromptCommand(reference=PromptReference.parse("support"), variables={"nmae": "Ada"})
        )

    assert {"variables.name", "variables.nmae"} == {fault.path for fault in caught.value.faults}


async def test_absent_prompt(bench: PromptBench) -> None:
    """Is said, with what there is."""
    with pytest.raises(NotFound, match="tone"):
        await bench.render.execute(RenderPromptCommand(reference=PromptReference.parse("tome")))


async def test_draft_is_rendered_as_the_next_version(bench: PromptBench) -> None:
    """With the fragments that it would be made of; nothing is stored."""
    before = await bench.head(NAME)

    rendered = await bench.render.try_out(
        TryPromptCommand(
            name=NAME, source=system("Hi {{who}}. {{> tone}}", who="string"), variables={"who": "Ada"}
        )
    )

    assert rendered is not None
    assert ("Hi Ada. Be calm.", ref("support:v2")) == (rendered.system, rendered.ref)
    assert before == await bench.head(NAME)


async def test_draft_of_a_new_name(bench: PromptBench) -> None:
    """Is version 1 of it."""
    rendered = await bench.render.try_out(
        TryPromptCommand(name=PromptName("fresh"), source=system("Hi."), variables={})
    )

    assert rendered is not None
    assert ref("fresh:v1") == rendered.ref
    assert 2 == len((await bench.read.page(DEFAULT_TENANT)).items)


async def test_draft_is_checked_without_variables(bench: PromptBench) -> None:
    """An editor has none to give."""
    source = system("Hi {{who}}.", who="string")

    assert await bench.render.try_out(TryPromptCommand(name=NAME, source=source)) is None


async def test_faults_of_a_draft(bench: PromptBench) -> None:
    """Of its text, of what it includes, then of the variables."""
    for text, words in (("Hi {{who", "line 1"), ("{{> tome}}", "no prompt `tome`"), ("{{who}}", "who")):
        with pytest.raises(InvalidRequest, match=words):
            await bench.render.try_out(TryPromptCommand(name=NAME, source=system(text)))
    with pytest.raises(InvalidRequest, match=r"variables\.who"):
        await bench.render.try_out(
            TryPromptCommand(name=NAME, source=system("{{who}}", who="string"), variables={})
        )
