"""Which side of a prompt and its file is taken over."""

from typing import Any, Literal

import pytest

from application.services.sync_text import SidesDiverged
from application.use_cases.sync_prompt import SyncedPrompt, SyncPromptCommand
from application.use_cases.sync_prompt_with_file import SyncPromptWithFile
from domain.errors import Diverged, InvalidRequest, NotFound
from domain.prompt.reference import PromptName
from tests.support.prompt_bench import PromptBench, path_of, system


@pytest.fixture
def bench() -> PromptBench:
    return PromptBench()


async def _sync(
    bench: PromptBench, name: str, prefer: Literal["local", "remote"] | None = None, **fields: Any
) -> SyncedPrompt:
    use_case = SyncPromptWithFile(
        files=bench.files,
        unit_of_work=bench.store.unit_of_work,
        writing=bench.writing,
        oven=bench.oven,
        clock=bench.clock,
    )
    return await use_case.execute(SyncPromptCommand(name=PromptName(name), prefer=prefer, **fields))


def _said(synced: SyncedPrompt) -> tuple[str, str]:
    return synced.outcome, str(synced.ref)


async def test_prompt_without_a_file_gets_one(bench: PromptBench) -> None:
    """And then both say the same."""
    await bench.make("support", "Help.")

    assert ("created", "support:v1") == _said(await _sync(bench, "support"))
    assert {"support": "Help."} == bench.files.texts
    assert ("unchanged", "support:v1") == _said(await _sync(bench, "support"))


async def test_file_without_a_prompt_makes_one(bench: PromptBench) -> None:
    """As the import of the folder would."""
    bench.files.texts["support"] = "Help."

    assert ("pulled", "support:v1") == _said(await _sync(bench, "support"))
    head = await bench.head("support")
    assert head.file is not None
    assert path_of("support") == head.file.path


async def test_neither_is_not_found(bench: PromptBench) -> None:
    """With what there is."""
    with pytest.raises(NotFound, match="no prompt `support`"):
        await _sync(bench, "support")


async def test_changed_file_becomes_the_next_version(bench: PromptBench) -> None:
    """Only the file changed since they agreed."""
    await bench.make("support", "Help.")
    await _sync(bench, "support")
    bench.files.texts["support"] = "Help well."

    synced = await _sync(bench, "support", message="friendlier", author="ada")

    assert ("pulled", "support:v2") == _said(synced)
    assert ("unchanged", "support:v2") == _said(await _sync(bench, "support"))


async def test_changed_prompt_is_written_into_the_file(bench: PromptBench) -> None:
    """Only the prompt changed since they agreed."""
    await bench.make("support", "Help.")
    await _sync(bench, "support")
    await bench.make("support", "Help well.")

    assert ("pushed", "support:v2") == _said(await _sync(bench, "support"))
    assert "Help well." == bench.files.texts["support"]
    assert ("unchanged", "support:v2") == _said(await _sync(bench, "support"))


async def _diverge(bench: PromptBench) -> None:
    await bench.make("support", "Help.")
    await _sync(bench, "support")
    await bench.make("support", "Help well.")
    bench.files.texts["support"] = "Help fast."


async def test_both_changed_does_nothing_and_shows_the_difference(bench: PromptBench) -> None:
    """With the two ways to go on."""
    await _diverge(bench)

    with pytest.raises(SidesDiverged) as caught:
        await _sync(bench, "support")

    assert "diverged" == caught.value.code
    assert "-Help well.\n+Help fast." in caught.value.diff
    assert "--prefer local" in caught.value.detail
    assert "--prefer remote" in caught.value.detail
    assert ("Help fast.", 2) == (bench.files.texts["support"], (await bench.head("support")).latest)


@pytest.mark.parametrize(
    ("prefer", "said", "text"),
    [("local", ("pushed", "support:v2"), "Help well."), ("remote", ("pulled", "support:v3"), "Help fast.")],
)
async def test_preference_decides(
    bench: PromptBench, prefer: Literal["local", "remote"], said: tuple[str, str], text: str
) -> None:
    """And then both say the same."""
    await _diverge(bench)

    assert said == _said(await _sync(bench, "support", prefer))
    assert text == bench.files.texts["support"]
    assert "unchanged" == (await _sync(bench, "support")).outcome


async def test_sides_that_never_agreed_have_diverged(bench: PromptBench) -> None:
    """Unless they say the same anyway."""
    await bench.make("support", "Help.")
    bench.files.texts["support"] = "Help well."
    with pytest.raises(SidesDiverged):
        await _sync(bench, "support")

    bench.files.texts["support"] = "Help."

    assert "unchanged" == (await _sync(bench, "support")).outcome
    assert (await bench.head("support")).file is not None


async def test_same_change_on_both_sides_is_no_divergence(bench: PromptBench) -> None:
    """They agree on it."""
    await _diverge(bench)
    bench.files.texts["support"] = "Help well."

    assert ("unchanged", "support:v2") == _said(await _sync(bench, "support"))


@pytest.mark.parametrize("diverged", [False, True])
async def test_dry_run_does_nothing(bench: PromptBench, diverged: bool) -> None:
    """It says what would be done, and fails where that would fail."""
    await _diverge(bench)
    if not diverged:
        bench.files.texts["support"] = "Help."
    before = (dict(bench.files.texts), await bench.head("support"))

    if diverged:
        with pytest.raises(SidesDiverged):
            await _sync(bench, "support", dry_run=True)
    else:
        assert ("pushed", "support:v2") == _said(await _sync(bench, "support", dry_run=True))
    assert before == (bench.files.texts, await bench.head("support"))


async def test_changed_fragment_in_the_folder_is_a_changed_file(bench: PromptBench) -> None:
    """The fragment is pulled on the way, and said."""
    bench.files.texts |= {"tone": "Calm.", "support": "{{> tone}} Help."}
    await bench.import_files.execute()
    bench.files.texts["tone"] = "Merry."

    dry = await _sync(bench, "support", dry_run=True)
    synced = await _sync(bench, "support")

    assert ("pulled", "support:v2") == _said(synced) == _said(dry)
    assert "made tone:v2" in synced.notes[0]
    assert "would make tone:v2" in dry.notes[0]
    assert ("unchanged", "support:v2") == _said(await _sync(bench, "support"))
    assert 0 == len((await bench.import_files.execute()).made)


async def test_fragment_of_fragments_counts_too(bench: PromptBench) -> None:
    """At any depth."""
    bench.files.texts |= {"base": "Be", "tone": "{{> base}} calm.", "support": "{{> tone}} Help."}
    await _sync(bench, "support")
    bench.files.texts["base"] = "Stay"

    synced = await _sync(bench, "support")

    assert ("pulled", "support:v2") == _said(synced)
    assert 2 == len(synced.notes)


async def test_fragment_that_changed_in_the_store_alone_does_not_count(bench: PromptBench) -> None:
    """A file means the fragment as the folder has it."""
    bench.files.texts |= {"tone": "Calm.", "support": "{{> tone}} Help."}
    await bench.import_files.execute()
    await bench.make("tone", "Merry.")

    assert ("unchanged", "support:v1") == _said(await _sync(bench, "support"))


async def test_diverged_fragment_has_to_be_synced_first(bench: PromptBench) -> None:
    """Nothing is made."""
    bench.files.texts |= {"tone": "Calm.", "support": "{{> tone}} Help."}
    await bench.import_files.execute()
    await bench.make("tone", "Merry.")
    bench.files.texts["tone"] = "Grave."

    with pytest.raises(Diverged, match="lor3 prompt sync tone"):
        await _sync(bench, "support")

    assert 1 == (await bench.head("support")).latest


async def test_broken_file_is_told_with_its_faults(bench: PromptBench) -> None:
    """And so is a broken fragment of it."""
    await bench.make("support", "Help.")
    bench.files.texts["support"] = "{{> tone}}"
    bench.files.texts["tone"] = "{{#x}}"

    with pytest.raises(InvalidRequest, match="never closed"):
        await _sync(bench, "support")
    with pytest.raises(InvalidRequest, match="never closed"):
        await _sync(bench, "tone")

    assert 1 == (await bench.head("support")).latest


async def test_file_with_an_unknown_variable_stays_out(bench: PromptBench) -> None:
    """The store is as it was."""
    await bench.make("support", system("Help."))
    await _sync(bench, "support")
    bench.files.texts["support"] = "Help {{name}}."

    with pytest.raises(InvalidRequest, match="name"):
        await _sync(bench, "support")

    assert 1 == (await bench.head("support")).latest
