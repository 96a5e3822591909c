"""What is said of a configured prompt that is not there."""

import pytest

from adapters.in_memory.store import InMemoryStore
from application.services.prompt_choice import PromptChoice
from domain.errors import ConfigurationError, InvalidRequest
from domain.ids import DEFAULT_TENANT
from domain.prompt.compiled import RenderedPrompt
from tests.support.prompt_bench import PromptBench, system


@pytest.fixture
async def bench() -> PromptBench:
    """One prompt, which needs a variable."""
    bench = PromptBench()
    await bench.make("support", system("Help {{who}}.", who="string"))
    return bench


def choice(bench: PromptBench, default: str | None) -> PromptChoice:
    return PromptChoice(oven=bench.oven, default=default, variables={})


async def render(chosen: PromptChoice, asked: str | None = None) -> RenderedPrompt:
    return await chosen.render(asked, {"who": "Ada"}, tenant=DEFAULT_TENANT, key="", use=False)


@pytest.mark.parametrize("default", [None, "support", "support:v1", "support@latest"])
async def test_default_that_is_there_is_no_fault(bench: PromptBench, default: str | None) -> None:
    """Nor is none, nor one whose variables each chat brings."""
    assert await choice(bench, default).default_fault() is None


@pytest.mark.parametrize(
    ("default", "why"),
    [
        ("suport", "there is no prompt `suport`; there are: `support`; did you mean `support`?"),
        ("support:v2", "the prompt `support` has no version v2, it is not made yet; its newest is v1"),
        ("support@staging", "the prompt `support` has no label `staging`; it has: `latest`"),
    ],
)
async def test_default_that_is_not_there_is_told_with_the_remedy(
    bench: PromptBench, default: str, why: str
) -> None:
    """To the operator ahead, and to a chat that would get it; no field of the chat's body is blamed."""
    chosen = choice(bench, default)

    fault = await chosen.default_fault()
    with pytest.raises(ConfigurationError) as raised:
        await render(chosen)

    assert fault == raised.value.detail
    assert fault is not None
    assert fault.startswith(f"`system_prompt: {default}` in lor3's configuration can't be used, ")
    assert "whoever runs lor3 corrects it or makes what it names" in fault
    assert fault.endswith(why)
    assert raised.value.faults == ()


async def test_chat_that_names_another_prompt_is_not_concerned(bench: PromptBench) -> None:
    """Neither by its own fault, which is told at its own field, nor otherwise."""
    chosen = choice(bench, "suport")

    assert "Help Ada." == (await render(chosen, "support")).system
    with pytest.raises(InvalidRequest) as raised:
        await render(chosen, "suport")
    assert [each.path for each in raised.value.faults] == ["system_prompt"]


async def test_default_is_mended_by_making_it(bench: PromptBench) -> None:
    """And the next look says so."""
    chosen = choice(bench, "agent")
    assert await chosen.default_fault() is not None

    await bench.make("agent", "Help.")

    assert await chosen.default_fault() is None


async def test_default_is_not_judged_while_the_database_is_away(bench: PromptBench) -> None:
    """It may well be there."""
    assert isinstance(bench.store, InMemoryStore)

    bench.store.shelves.available = False

    assert await choice(bench, "suport").default_fault() is None
