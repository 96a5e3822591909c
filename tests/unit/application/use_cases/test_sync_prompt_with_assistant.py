"""Which side of a prompt and an assistant is taken over."""

from typing import Any, Literal

import pytest

from adapters.in_memory.assistants import InMemoryAssistants
from application.services.sync_text import SidesDiverged
from application.use_cases.import_prompt import ImportAssistant, ImportAssistantCommand, ImportedVersion
from application.use_cases.sync_prompt import SyncedPrompt, SyncPromptWithAssistantCommand
from application.use_cases.sync_prompt_with_assistant import SyncPromptWithAssistant
from domain.errors import Conflict, InvalidRequest, NotFound
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, PromptReference
from tests.support.prompt_bench import PromptBench, chat, system


@pytest.fixture
def bench() -> PromptBench:
    return PromptBench()


@pytest.fixture
def remote() -> InMemoryAssistants:
    return InMemoryAssistants()


async def _sync(
    bench: PromptBench,
    remote: InMemoryAssistants,
    name: str = "support",
    prefer: Literal["local", "remote"] | None = None,
    **fields: Any,
) -> SyncedPrompt:
    use_case = SyncPromptWithAssistant(
        assistants=remote,
        unit_of_work=bench.store.unit_of_work,
        writing=bench.writing,
        oven=bench.oven,
        clock=bench.clock,
    )
    return await use_case.execute(
        SyncPromptWithAssistantCommand(name=PromptName(name), prefer=prefer, **fields)
    )


async def _import(
    bench: PromptBench,
    remote: InMemoryAssistants,
    assistant_id: str = "asst_1",
    name: str | None = None,
    **fields: Any,
) -> ImportedVersion:
    use_case = ImportAssistant(
        assistants=remote, unit_of_work=bench.store.unit_of_work, writing=bench.writing, oven=bench.oven
    )
    return await use_case.execute(
        ImportAssistantCommand(
            assistant_id=assistant_id, name=None if name is None else PromptName(name), **fields
        )
    )


async def _text(bench: PromptBench, name: str) -> str:
    return (await bench.read.compiled(DEFAULT_TENANT, PromptReference.parse(name))).text


def _said(synced: SyncedPrompt) -> tuple[str, str, str]:
    return synced.outcome, str(synced.ref), synced.where


async def test_import_makes_the_first_version_once(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """Named after the assistant and linked to it; braces stay text."""
    remote.add("asst_1", "Say {{answer}}.\n", name="Math Tutor")

    first, again = await _import(bench, remote), await _import(bench, remote)

    assert ("math_tutor:v1", True) == (str(first.ref), first.created)
    assert ("math_tutor:v1", False) == (str(again.ref), again.created)
    assert "`{{answer}}` stays text" in first.notes[0]
    head = await bench.head("math_tutor")
    assert head.assistant is not None
    assert "asst_1" == head.assistant.id
    assert ("unchanged", "math_tutor:v1", "asst_1") == _said(await _sync(bench, remote, "math_tutor"))
    assert "Say {{answer}}.\n" == remote.assistants["asst_1"].instructions


async def test_import_with_variables_stays_in_step(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """The instructions are a template then, on both sides."""
    remote.add("asst_1", "Help {{ name }}.\n\n", name="support")

    await _import(bench, remote, variables=True)

    assert not (await _import(bench, remote, variables=True)).created
    assert ["name"] == [
        variable.name
        for variable in (
            await bench.read.compiled(DEFAULT_TENANT, PromptReference.parse("support"))
        ).variables
    ]
    assert "unchanged" == (await _sync(bench, remote)).outcome
    remote.add("asst_1", "Help {{name}} well.", name="support")
    assert "pulled" == (await _sync(bench, remote)).outcome
    assert "Help {{name}} well." == await _text(bench, "support")
    assert "unchanged" == (await _sync(bench, remote)).outcome


async def test_import_of_changed_instructions_makes_the_next_version(
    bench: PromptBench, remote: InMemoryAssistants
) -> None:
    """Unless the prompt was changed too: then nothing is made."""
    remote.add("asst_1", "One.", name="support")
    await _import(bench, remote)
    remote.add("asst_1", "Two.", name="support")
    assert "support:v2" == str((await _import(bench, remote)).ref)

    await bench.make("support", "Mine.")
    assert not (await _import(bench, remote)).created
    remote.add("asst_1", "Three.", name="support")
    with pytest.raises(SidesDiverged) as caught:
        await _import(bench, remote)

    assert "-Mine.\n+Three." in caught.value.diff


async def test_import_does_not_take_over_a_strange_prompt(
    bench: PromptBench, remote: InMemoryAssistants
) -> None:
    """Two assistants of one name, or a prompt that was here before."""
    await bench.make("support", "Mine.")
    remote.add("asst_1", "One.", name="support")
    with pytest.raises(Conflict, match="--name"):
        await _import(bench, remote)
    assert "support:v2" == str((await _import(bench, remote, name="support")).ref)
    remote.add("asst_2", "Other.", name="support")

    with pytest.raises(Conflict, match="asst_1"):
        await _import(bench, remote, "asst_2")

    assert "other:v1" == str((await _import(bench, remote, "asst_2", name="other")).ref)


async def test_import_of_nothing_is_refused(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """Absent, or without instructions."""
    remote.add("asst_1", " ")
    with pytest.raises(InvalidRequest, match="has none"):
        await _import(bench, remote)
    with pytest.raises(NotFound, match="asst_2"):
        await _import(bench, remote, "asst_2")


async def test_dry_run_of_an_import_makes_nothing(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """It names the version that would be."""
    remote.add("asst_1", "One.", name="support")

    assert ("support:v1", True) == (
        str((dry := await _import(bench, remote, dry_run=True)).ref),
        dry.created,
    )
    assert (await _import(bench, remote)).created


async def test_prompt_without_a_link_makes_an_assistant(
    bench: PromptBench, remote: InMemoryAssistants
) -> None:
    """With a model; fragments are put in place."""
    await bench.make("tone", "Calm.")
    await bench.make("support", "{{> tone}} Help.")
    with pytest.raises(InvalidRequest, match="--model"):
        await _sync(bench, remote)

    synced = await _sync(bench, remote, model="gpt-4o")

    assert ("created", "support:v1", "asst_made1") == _said(synced)
    assert "Calm. Help." == remote.assistants["asst_made1"].instructions
    assert "unchanged" == (await _sync(bench, remote)).outcome


async def test_variables_stay_tags_and_that_is_said(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """Whoever runs the assistant has to fill them in."""
    await bench.make(
        "support", system("Help {{name}}{{#vip}}, at once{{/vip}}.", name="string", vip="boolean")
    )

    synced = await _sync(bench, remote, model="gpt-4o")

    assert "Help {{name}}{{#vip}}, at once{{/vip}}." == remote.assistants[synced.where].instructions
    assert "`{{name}}` stay" in synced.notes[0]


async def test_chat_template_can_be_no_assistant(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """Nothing is sent."""
    await bench.make("support", chat("Be calm.", "Hello"))

    with pytest.raises(InvalidRequest, match="chat template"):
        await _sync(bench, remote, model="gpt-4o")

    assert {} == remote.assistants


async def _linked(bench: PromptBench, remote: InMemoryAssistants, template: str = "Help.") -> None:
    remote.add("asst_1", template)
    await bench.make("support", template)
    assert "unchanged" == (await _sync(bench, remote, assistant_id="asst_1")).outcome


async def test_changed_prompt_is_pushed(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """Only the prompt changed since they agreed; a dry run does nothing."""
    await _linked(bench, remote)
    await bench.make("support", "Help well.")

    assert "pushed" == (await _sync(bench, remote, dry_run=True)).outcome
    assert "Help." == remote.assistants["asst_1"].instructions
    assert ("pushed", "support:v2", "asst_1") == _said(await _sync(bench, remote))
    assert "Help well." == remote.assistants["asst_1"].instructions
    assert "unchanged" == (await _sync(bench, remote)).outcome


async def test_changed_assistant_is_pulled(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """Only the instructions changed since they agreed; a dry run does nothing."""
    await _linked(bench, remote)
    remote.add("asst_1", "Help {{well}}.")

    assert ("pulled", "support:v2", "asst_1") == _said(await _sync(bench, remote, dry_run=True))
    assert 1 == (await bench.head("support")).latest
    assert ("pulled", "support:v2", "asst_1") == _said(await _sync(bench, remote))
    assert "unchanged" == (await _sync(bench, remote)).outcome


async def test_changed_fragment_is_no_change_of_the_prompt(
    bench: PromptBench, remote: InMemoryAssistants
) -> None:
    """Versions are snapshots: the next version that takes the fragment in is pushed."""
    await bench.make("tone", "Calm.")
    await bench.make("support", "{{> tone}} Help.")
    await _sync(bench, remote, model="gpt-4o")
    await bench.make("tone", "Merry.")
    assert "unchanged" == (await _sync(bench, remote)).outcome

    await bench.make("support", "{{> tone}} Help.")

    assert "pushed" == (await _sync(bench, remote)).outcome
    assert "Merry. Help." == remote.assistants["asst_made1"].instructions


@pytest.mark.parametrize(
    ("prefer", "outcome", "text"), [("local", "pushed", "Mine."), ("remote", "pulled", "Theirs.")]
)
async def test_both_changed_asks_which_one_counts(
    bench: PromptBench,
    remote: InMemoryAssistants,
    prefer: Literal["local", "remote"],
    outcome: str,
    text: str,
) -> None:
    """Nothing is done without a preference."""
    await _linked(bench, remote)
    await bench.make("support", "Mine.")
    remote.add("asst_1", "Theirs.")
    with pytest.raises(SidesDiverged) as caught:
        await _sync(bench, remote)
    assert "-Mine.\n+Theirs." in caught.value.diff
    assert (2, "Theirs.") == ((await bench.head("support")).latest, remote.assistants["asst_1"].instructions)

    assert outcome == (await _sync(bench, remote, prefer=prefer)).outcome
    assert text == remote.assistants["asst_1"].instructions == await _text(bench, "support@latest")
    assert "unchanged" == (await _sync(bench, remote)).outcome


async def test_composed_prompt_is_not_flattened_in_silence(
    bench: PromptBench, remote: InMemoryAssistants
) -> None:
    """Pulling needs a preference, and says what became of the fragments."""
    await bench.make("tone", "Calm.")
    await bench.make("support", "{{> tone}} Help.")
    await _sync(bench, remote, model="gpt-4o")
    remote.add("asst_made1", "Calm. Help well.")
    with pytest.raises(SidesDiverged, match="composed of fragments"):
        await _sync(bench, remote)

    synced = await _sync(bench, remote, prefer="remote")

    assert ("pulled", "support:v2", "asst_made1") == _said(synced)
    assert ("support:v2 is one text: it includes tone no more",) == synced.notes
    assert "unchanged" == (await _sync(bench, remote)).outcome


async def test_pulled_text_with_an_unknown_variable_is_refused(
    bench: PromptBench, remote: InMemoryAssistants
) -> None:
    """Where the prompt is a template, so is what comes back."""
    await bench.make("support", system("Help {{name}}.", name="string"))
    await _sync(bench, remote, model="gpt-4o")
    remote.add("asst_made1", "Help {{name}} and {{friend}}.")

    with pytest.raises(InvalidRequest, match="friend"):
        await _sync(bench, remote)

    assert 1 == (await bench.head("support")).latest


async def test_linking_differing_texts_asks_first(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """They never agreed on anything."""
    remote.add("asst_1", "Theirs.")
    await bench.make("support", "Mine.")
    with pytest.raises(SidesDiverged, match="differ"):
        await _sync(bench, remote, assistant_id="asst_1")

    await _sync(bench, remote, assistant_id="asst_1", prefer="local")

    assert "Mine." == remote.assistants["asst_1"].instructions


async def test_assistant_that_is_gone_is_told(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """With how to link another."""
    await _linked(bench, remote)
    remote.assistants.clear()

    with pytest.raises(NotFound, match="--assistant-id"):
        await _sync(bench, remote)


async def test_servers_that_trim_are_no_change(bench: PromptBench, remote: InMemoryAssistants) -> None:
    """White space around the text and line ends do not count."""
    await _linked(bench, remote, "One.\nTwo.")
    remote.add("asst_1", "\r\nOne.\r\nTwo.\n ")

    assert "unchanged" == (await _sync(bench, remote)).outcome


async def test_commands_that_go_on_are_about_the_same_assistant(
    bench: PromptBench, remote: InMemoryAssistants
) -> None:
    """Run as they are printed, without the server they would ask another one."""
    base_url = "http://127.0.0.1:8000/v1"
    await bench.make("support", "Help.")
    made = await remote.create(name="support", instructions="Assist.", model="m")

    with pytest.raises(SidesDiverged) as caught:
        await _sync(bench, remote, assistant_id=made.id, base_url=base_url)
    with pytest.raises(NotFound) as gone:
        await _sync(bench, remote, assistant_id="asst_gone", base_url=base_url)

    sync = "lor3 prompt sync support --to openai"
    server = f"--base-url {base_url}"
    assert f"  {sync} --prefer local --assistant-id {made.id} {server}  " in caught.value.detail
    assert f"  {sync} --prefer remote --assistant-id {made.id} {server}  " in caught.value.detail
    assert f"`{sync} --assistant-id ID {server}`" in gone.value.detail


async def test_import_that_diverged_names_the_server_too(
    bench: PromptBench, remote: InMemoryAssistants
) -> None:
    """As the sync does; the assistant is linked already."""
    made = await remote.create(name="support", instructions="Assist.", model="m")
    await _import(bench, remote, made.id)
    await bench.make("support", "Help.")
    await remote.update(made.id, instructions="Assist well.")

    with pytest.raises(SidesDiverged, match="--to openai --prefer local --base-url http://x/v1 "):
        await _import(bench, remote, made.id, base_url="http://x/v1")
