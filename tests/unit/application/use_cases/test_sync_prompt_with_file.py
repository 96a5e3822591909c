"""Which side of a prompt and its file is taken over."""

from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from adapters.prompts.files import FolderPromptFiles
from application.services.sync_text import SidesDiverged
from application.use_cases.import_prompt_files import ImportPromptFiles, ImportReport
from application.use_cases.sync_prompt import SyncedPrompt, SyncPromptCommand
from application.use_cases.sync_prompt_with_file import SyncPromptWithFile
from domain.errors import Diverged, InvalidRequest, NotFound
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.source import PromptSource, Turn
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


async def test_plain_file_of_a_prompt_without_variables_is_in_step(bench: PromptBench) -> None:
    """A document without variables and a `.md` with its text mean the same, and never undo one another."""
    turn = Turn(role="system", template="Be kind.\n")
    await bench.make("tone", PromptSource(turns=(turn,), declares=False))
    await _sync(bench, "tone")

    again = await bench.make("tone", "Be kind.\n")

    assert not again.created
    assert ("unchanged", "tone:v1") == _said(await _sync(bench, "tone"))


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


async def _edited_beside_a_changed_fragment(bench: PromptBench) -> None:
    """The prompt in the database, and in the folder the fragment that it includes."""
    bench.files.texts |= {"tone": "Calm.", "support": "{{> tone}} Help."}
    await bench.import_files.execute()
    await bench.make("support", "{{> tone}} Help well.")
    bench.files.texts["tone"] = "Merry."


async def test_written_prompt_is_not_undone_by_the_next_import(bench: PromptBench) -> None:
    """Though its file means other fragments than the version has; and that is said, with the way on."""
    await _edited_beside_a_changed_fragment(bench)

    synced = await _sync(bench, "support", "local")
    reports = [await bench.import_files.execute() for _ in range(2)]
    again = await _sync(bench, "support")

    assert ("pushed", "support:v2") == _said(synced)
    assert [((), 2)] * 2 == [(report.made, report.unchanged) for report in reports]
    assert ("unchanged", "support:v2") == _said(again)
    for notes in (synced.notes, again.notes):
        assert notes[-1].startswith("support:v2 was made with tone:v1, in the folder tone:v2: ")
        assert "`lor3 prompt edit support --refresh`" in notes[-1]


async def test_either_side_may_change_after_that(bench: PromptBench) -> None:
    """A changed text, or a fragment that changes once more, is a change of the file alone; and so is one of the prompt."""
    await _edited_beside_a_changed_fragment(bench)
    await _sync(bench, "support", "local")

    bench.files.texts["support"] = "{{> tone}} Help fast."
    assert ["support:v3"] == [str(ref) for ref in (await bench.import_files.execute()).made]
    await bench.make("support", "{{> tone}} Help best.")
    assert ("pushed", "support:v4") == _said(await _sync(bench, "support"))
    bench.files.texts["tone"] = "Grave."
    made = (await bench.import_files.execute()).made

    assert ["tone:v3", "support:v5"] == [str(ref) for ref in made]


async def test_refreshed_prompt_agrees_with_its_file(bench: PromptBench) -> None:
    """The version then has the folder's fragments, and nothing is made twice."""
    await _edited_beside_a_changed_fragment(bench)
    await _sync(bench, "support", "local")
    await bench.make("support", "{{> tone}} Help well.")

    report = await bench.import_files.execute()
    head = await bench.head("support")

    assert ((), (), 3) == (report.made, report.diverged, head.latest)
    assert head.file is not None
    assert head.file.in_folder is None
    assert () == (await _sync(bench, "support")).notes


async def test_fragment_that_was_written_stands_for_its_version(bench: PromptBench) -> None:
    """What includes it pins that one, and is not made again and again."""
    await _edited_beside_a_changed_fragment(bench)
    bench.files.texts["top"] = "{{> support}}"
    await _sync(bench, "support", "local")

    first = await bench.import_files.execute()
    again = await bench.import_files.execute()

    assert ["top:v1"] == [str(ref) for ref in first.made]
    assert ((), 3) == (again.made, again.unchanged)
    view = await bench.read.one(DEFAULT_TENANT, PromptReference.parse("top"))
    assert ["support:v2"] == [str(pin.ref) for pin in view.version.pins]


@pytest.mark.parametrize("prefer", [None, "local", "remote"])
@pytest.mark.parametrize("file", [None, "{{> tone}} File.", "File.", "{{#broken}}"])
@pytest.mark.parametrize("prompt", [None, "{{> tone}} Prompt.", "Prompt.", "{{> other}} {{> tone}}"])
@pytest.mark.parametrize("tone", ["Calm.", "Merry.", "{{> other}}"])
async def test_import_makes_nothing_behind_any_sync(
    bench: PromptBench,
    prefer: Literal["local", "remote"] | None,
    file: str | None,
    prompt: str | None,
    tone: str,
) -> None:
    """Whatever changed before, on either side or in the fragments; nor does another sync."""
    bench.files.texts |= {"tone": "Calm.", "other": "Other.", "support": "{{> tone}} Help."}
    await bench.import_files.execute()
    if prompt is not None:
        await bench.make("support", prompt)
    if file is None:
        del bench.files.texts["support"]
    else:
        bench.files.texts["support"] = file
    bench.files.texts["tone"] = tone
    try:
        synced = await _sync(bench, "support", prefer)
    except (Diverged, InvalidRequest):
        assert prefer != "local"
        return

    report = await bench.import_files.execute()
    again = await _sync(bench, "support")

    assert ((), ()) == (report.diverged, report.broken)
    includes_tone = "tone" in bench.files.texts["support"]
    assert [ref.name for ref in report.made] in ([], [] if includes_tone else ["tone"])
    assert ("unchanged", synced.ref) == (again.outcome, again.ref)


async def test_diverged_fragment_does_not_hold_up_who_prefers_the_prompt(bench: PromptBench) -> None:
    """It counts as what its file held when the two last agreed, as with an import."""
    await _edited_beside_a_changed_fragment(bench)
    await bench.make("tone", "Grave.")

    assert ("pushed", "support:v2") == _said(await _sync(bench, "support", "local"))
    report = await bench.import_files.execute()

    assert () == report.made
    assert ["tone"] == [each.name for each in report.diverged]


async def test_broken_file_is_overwritten_where_that_is_asked_for(bench: PromptBench) -> None:
    """Without it the error says so; where there is no prompt yet there is nothing to write."""
    await bench.make("support", "Help.")
    bench.files.texts |= {"support": "{{#open}}", "new": "{{#open}}"}

    with pytest.raises(
        InvalidRequest, match="overwrite it with support:v1: `lor3 prompt sync support --prefer local`"
    ):
        await _sync(bench, "support")
    dry = await _sync(bench, "support", "local", dry_run=True)
    kept = bench.files.texts["support"]
    synced = await _sync(bench, "support", "local")
    with pytest.raises(InvalidRequest) as caught:
        await _sync(bench, "new", "local")

    assert ("pushed", "support:v1") == _said(dry) == _said(synced)
    assert ("{{#open}}", "Help.") == (kept, bench.files.texts["support"])
    assert "overwrite" not in caught.value.detail
    assert ("unchanged", "support:v1") == _said(await _sync(bench, "support"))


@pytest.mark.parametrize("declares", [True, False])
@pytest.mark.parametrize("before", [None, "a.md", "a.txt", "a.yaml", "a.json"])
async def test_file_settles_after_one_sync_whatever_its_format(
    bench: PromptBench, tmp_path: Path, before: str | None, declares: bool
) -> None:
    """A plain text that declares nothing and a document without declarations are the same prompt."""
    files = FolderPromptFiles(str(tmp_path))
    import_files = ImportPromptFiles(
        files=files,
        unit_of_work=bench.store.unit_of_work,
        writing=bench.writing,
        oven=bench.oven,
        clock=bench.clock,
    )
    sync = SyncPromptWithFile(
        files=files,
        unit_of_work=bench.store.unit_of_work,
        writing=bench.writing,
        oven=bench.oven,
        clock=bench.clock,
    )
    if before is not None:
        is_document = before.endswith((".yaml", ".json"))
        (tmp_path / before).write_text('{"template": "Be kind.\\n"}' if is_document else "Be kind.\n")
        await import_files.execute()
    await bench.make("a", attrs.evolve(system("Be blunt.\n"), declares=declares))
    command = SyncPromptCommand(name=PromptName("a"))

    first = await sync.execute(command)
    seen = await files.fingerprint()
    second = await sync.execute(command)
    report = await import_files.execute()

    assert ("created" if before is None else "pushed", "unchanged") == (first.outcome, second.outcome)
    assert first.ref == second.ref
    assert ImportReport(unchanged=1) == report
    assert seen == await files.fingerprint()
