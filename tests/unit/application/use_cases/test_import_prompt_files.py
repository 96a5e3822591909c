"""What a folder of prompts makes in the store."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from adapters.in_memory.store import InMemoryStore
from adapters.persistence.store import create
from application.ports.chat_journal import ChatJournal
from application.ports.prompt_files import BrokenFile
from application.ports.store import Store
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.use_cases.import_prompt_files import DivergedFile, GoneFile, ImportReport
from domain.errors import Fault, StorageUnavailable
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.version import FileLink
from tests.support.prompt_bench import PromptBench, path_of, patient, ref


@pytest.fixture
def bench() -> PromptBench:
    return PromptBench()


async def _import(bench: PromptBench, **texts: str | None) -> ImportReport:
    """Changes files, None removes one, and imports the folder."""
    for name, text in texts.items():
        if text is None:
            del bench.files.texts[name]
        else:
            bench.files.texts[name] = text
    return await bench.import_files.execute()


def _made(report: ImportReport) -> list[str]:
    return [str(each) for each in report.made]


def _faults(report: ImportReport) -> dict[str, str]:
    """What is wrong with each broken file, by its name."""
    return {str(broken.name): "; ".join(fault.message for fault in broken.faults) for broken in report.broken}


async def _pins(bench: PromptBench, text: str) -> list[str]:
    view = await bench.read.one(DEFAULT_TENANT, PromptReference.parse(text))
    return [str(pin.ref) for pin in view.version.pins]


async def test_files_make_versions(bench: PromptBench) -> None:
    """A fragment before what includes it, each linked to its file."""
    report = await _import(bench, a="{{> b}} and {{> z}}", b="{{> z}}", z="Bottom.")

    assert ["z:v1", "b:v1", "a:v1"] == _made(report)
    assert ((), (), 0) == (report.broken, report.diverged, report.unchanged)
    view = await bench.read.one(DEFAULT_TENANT, PromptReference.parse("a"))
    assert ("file", f"read from {path_of('a')}") == (view.version.made_by, view.version.message)
    assert FileLink(path=path_of("a"), hash=view.version.hash) == view.prompt.file
    assert ["b:v1", "z:v1"] == [str(pin.ref) for pin in view.version.pins]


async def test_second_run_makes_nothing(bench: PromptBench) -> None:
    """And a third by another process neither."""
    await _import(bench, tone="Calm.", support="{{> tone}}")
    heads = [await bench.head(name) for name in ("tone", "support")]

    again = await bench.import_files.execute()
    elsewhere = await PromptBench(bench.store, files=bench.files).import_files.execute()

    assert ImportReport(unchanged=2) == again == elsewhere
    assert heads == [await bench.head(name) for name in ("tone", "support")]


async def test_empty_folder_is_nothing(bench: PromptBench) -> None:
    """Prompts that were made otherwise have no file to miss."""
    await bench.make("tone", "Calm.")

    assert ImportReport() == await bench.import_files.execute()


async def test_changed_fragment_makes_versions_of_what_includes_it(bench: PromptBench) -> None:
    """By whatever number of steps; the others stay."""
    await _import(bench, tone="Calm.", middle="{{> tone}}", top="{{> middle}}", alone="Alone.")

    report = await _import(bench, tone="Lively.")

    assert ["tone:v2", "middle:v2", "top:v2"] == _made(report)
    assert 1 == report.unchanged
    assert ["middle:v2"] == await _pins(bench, "top")
    assert ImportReport(unchanged=4) == await bench.import_files.execute()


async def test_folder_counts_before_labels_and_newer_versions(bench: PromptBench) -> None:
    """A bare include means what the folder holds, though the database has a label and a newer version."""
    await _import(bench, tone="Calm.")
    await bench.make("tone", "Lively.")
    await bench.move("tone", "production", 2)

    report = await _import(bench, support="{{> tone}} {{> tone@production}} {{> tone:v2}}")

    assert ["support:v1"] == _made(report)
    assert ["tone:v1", "tone:v2", "tone:v2"] == await _pins(bench, "support")
    assert ImportReport(unchanged=2) == await bench.import_files.execute()


async def test_moved_label_makes_a_new_version_of_what_includes_it_by_label(bench: PromptBench) -> None:
    """What the include means has changed, so the content of the file has."""
    await bench.make("tone", "Calm.")
    await bench.make("tone", "Lively.")
    await bench.move("tone", "production", 1)
    await _import(bench, support="{{> tone}}")
    await bench.move("tone", "production", 2)

    report = await bench.import_files.execute()

    assert ["support:v2"] == _made(report)
    assert ["tone:v2"] == await _pins(bench, "support")


async def test_no_label_moves(bench: PromptBench) -> None:
    """A new version waits until somebody lets it into production."""
    await _import(bench, support="Help.")
    await bench.move("support", "production", 1)

    await _import(bench, support="Help well.")

    assert (
        ref("support:v1")
        == (await bench.oven.bake(PromptReference.parse("support"), tenant=DEFAULT_TENANT, key="")).ref
    )


async def test_new_version_is_served_at_once(bench: PromptBench) -> None:
    """By the oven of the process that imported it."""
    reference = PromptReference.parse("support")
    await _import(bench, support="Help.")
    await bench.oven.bake(reference, tenant=DEFAULT_TENANT, key="")

    await _import(bench, support="Help well.")

    assert ref("support:v2") == (await bench.oven.bake(reference, tenant=DEFAULT_TENANT, key="")).ref


async def test_version_named_by_number_may_come_from_the_same_run(bench: PromptBench) -> None:
    """An empty database can be filled from a folder that pins by number."""
    report = await _import(bench, a="{{> tone:v1}}", tone="Calm.")

    assert ["tone:v1", "a:v1"] == _made(report)
    assert ImportReport(unchanged=2) == await bench.import_files.execute()


# Broken files


async def test_broken_file_leaves_the_others_alone(bench: PromptBench) -> None:
    """Its prompt stays as it is, and the fault points into the file."""
    await _import(bench, a="One.", b="Two.")

    report = await _import(bench, a="One more.\n{{#open}}", b="Two more.")

    assert ["b:v2"] == _made(report)
    assert ["a"] == [broken.name for broken in report.broken]
    assert f"{path_of('a')}, line 3, column 3: " in _faults(report)["a"]
    assert 1 == (await bench.head("a")).latest


async def test_broken_fragment_breaks_what_includes_it(bench: PromptBench) -> None:
    """Which says so; what names a version of it goes on."""
    await _import(bench, tone="Calm.")
    report = await _import(
        bench, tone="{{#open}}", middle="Here: {{> tone}}", top="{{> middle}}", pinned="{{> tone:v1}}"
    )

    assert ["pinned:v1"] == _made(report)
    faults = _faults(report)
    assert ["middle", "tone", "top"] == sorted(faults)
    assert (
        f"{path_of('middle')}, line 2, column 9: the file of `tone`, {path_of('tone')}, is broken"
        in (faults["middle"])
    )
    assert "the file of `middle`" in faults["top"]


async def test_fragment_that_does_not_compile_breaks_what_includes_it(bench: PromptBench) -> None:
    """Not only syntax counts."""
    report = await _import(bench, tone="{{undeclared}}", support="{{> tone}}", other="Fine.")

    assert ["other:v1"] == _made(report)
    assert ["support", "tone"] == sorted(_faults(report))


async def test_file_that_can_not_be_read_breaks_what_includes_it(bench: PromptBench) -> None:
    """What the folder reports is reported on."""
    bench.files.broken = (
        BrokenFile(
            name=PromptName("tone"), path=path_of("tone"), faults=(Fault(path="", message="no YAML"),)
        ),
        BrokenFile(name=None, path="config/prompts/a b.yaml", faults=(Fault(path="", message="no name"),)),
    )

    report = await _import(bench, support="{{> tone}}")

    assert ["None", "support", "tone"] == sorted(_faults(report))


async def test_missing_fragment_is_named_with_its_place(bench: PromptBench) -> None:
    """Neither in the folder nor in the database."""
    report = await _import(bench, tone="Calm.", support="Be kind.\n{{> tome}}")

    message = _faults(report)["support"]
    assert message.startswith(f"{path_of('support')}, line 3, column 3: there is no prompt `tome`")
    assert message.endswith("did you mean `tone`?\n{{> tome}}\n^")


async def test_circle_of_files_is_named(bench: PromptBench) -> None:
    """All of its files are broken, and so is what includes them; the rest is imported."""
    report = await _import(
        bench, a="{{> b}}", b="{{> c}}", c="{{> a}}", d="{{> a}}", e="{{> f:v1}}", f="{{> e}}", fine="Fine.",
        self="{{> self}}",
    )  # fmt: skip

    faults = _faults(report)
    assert ["fine:v1"] == _made(report)
    assert ["a", "b", "c", "d", "e", "f", "self"] == sorted(faults)
    assert all("these files include one another: a → b → c → a" in faults[name] for name in "abc")
    assert f"{path_of('b')}, line 2, column 3" in faults["b"]
    assert "the file of `a`" in faults["d"]
    assert "e → f → e" in faults["e"]
    assert "this file includes itself: self → self" in faults["self"]


async def test_circle_through_the_database_is_refused(bench: PromptBench) -> None:
    """The compiler sees it."""
    await _import(bench, tone="Calm.")
    await bench.make("middle", "{{> tone}}")

    report = await _import(bench, tone="{{> middle}}")

    assert "tone → middle → tone" in _faults(report)["tone"]


# Divergence


async def test_change_of_the_database_alone_stays(bench: PromptBench) -> None:
    """The file did not change."""
    await _import(bench, support="Help.")
    await bench.make("support", "Help well.")

    report = await bench.import_files.execute()

    assert ImportReport(unchanged=1) == report
    assert 2 == (await bench.head("support")).latest


async def test_change_of_both_diverges(bench: PromptBench) -> None:
    """The database's stays, the report says so, until the two agree again."""
    await _import(bench, support="Help.")
    await bench.make("support", "Help well.")

    report = await _import(bench, support="Help badly.")

    assert (DivergedFile(name=PromptName("support"), path=path_of("support")),) == report.diverged
    assert [] == _made(report)
    assert 2 == (await bench.head("support")).latest
    agreed = await _import(bench, support="Help well.")
    assert ImportReport(unchanged=1) == agreed
    assert ["support:v3"] == _made(await _import(bench, support="Help best."))


async def test_prompt_of_the_database_is_not_taken_over(bench: PromptBench) -> None:
    """A file of its name with another text diverges, one with the same text is linked."""
    await bench.make("same", "Same.")
    await bench.make("other", "Theirs.")

    report = await _import(bench, same="Same.", other="Ours.")

    assert [PromptName("other")] == [each.name for each in report.diverged]
    assert (1, []) == (report.unchanged, _made(report))
    same = await bench.head("same")
    assert same.file is not None
    assert (1, path_of("same")) == (same.latest, same.file.path)
    assert (await bench.head("other")).file is None


async def test_diverged_fragment_does_not_hold_up_what_includes_it(bench: PromptBench) -> None:
    """It is pinned as it was when file and database last agreed, so that nothing moves unasked."""
    await _import(bench, tone="Calm.", support="{{> tone}}")
    await bench.make("tone", "Lively.")
    unmoved = await _import(bench, tone="Loud.")

    edited = await _import(bench, support="{{> tone}} Help.")

    assert ([], 1) == (_made(unmoved), unmoved.unchanged)
    assert ["support:v2"] == _made(edited)
    assert ["tone:v1"] == await _pins(bench, "support")


async def test_fragment_of_the_database_that_was_never_linked(bench: PromptBench) -> None:
    """There is nothing that the two agreed on: what includes it takes what the name means."""
    await bench.make("tone", "Calm.")
    await bench.make("tone", "Lively.")
    await bench.move("tone", "production", 1)

    report = await _import(bench, tone="Loud.", support="{{> tone}}")

    assert ["support:v1"] == _made(report)
    assert ["tone:v1"] == await _pins(bench, "support")
    assert ["support:v1"] == [str(each) for each in report.made]


async def test_moved_file_keeps_its_prompt(bench: PromptBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the link is another."""
    await _import(bench, support="Help.")
    monkeypatch.setattr("tests.support.prompt_bench.path_of", lambda name: f"config/prompts/sub/{name}.yaml")

    report = await bench.import_files.execute()

    head = await bench.head("support")
    assert ImportReport(unchanged=1) == report
    assert head.file is not None
    assert ("config/prompts/sub/support.yaml", 1, 2) == (head.file.path, head.latest, head.revision)


async def test_removed_file_leaves_its_prompt(bench: PromptBench) -> None:
    """A prompt that chats use does not go with a file; the report names it, also where it was the last one."""
    await _import(bench, support="Help.", tone="Calm.")

    tone = await _import(bench, tone=None)
    both = await _import(bench, support=None)

    gone = tuple(GoneFile(name=PromptName(name), path=path_of(name)) for name in ("support", "tone"))
    assert ImportReport(unchanged=1, gone=gone[1:]) == tone
    assert ImportReport(gone=gone) == both
    assert 1 == (await bench.head("support")).latest


async def test_file_that_comes_back_is_taken_up_where_it_was_left(bench: PromptBench) -> None:
    """The link to a file outlives it."""
    await _import(bench, support="Help.")
    await _import(bench, support=None)

    same = await _import(bench, support="Help.")
    changed = await _import(bench, support="Assist.")

    assert ImportReport(unchanged=1) == same
    assert (["support:v2"], ()) == (_made(changed), changed.gone)


@pytest.mark.parametrize("path", ["config/prompts", "config/prompts/support.yaml"])
async def test_file_that_can_not_be_read_is_not_gone(bench: PromptBench, path: str) -> None:
    """Nor one in a folder that can't be."""
    await _import(bench, support="Help.")
    name = PromptName("support") if path.endswith(".yaml") else None
    fault = Fault(path="", message="can't be read")
    bench.files.broken = (BrokenFile(name=name, path=path, faults=(fault,)),)

    report = await _import(bench, support=None)

    assert ((), 1) == (report.gone, len(report.broken))


async def test_deleted_version_of_a_fragment_is_worked_around(bench: PromptBench) -> None:
    """What the folder holds is no version any more: the include means what the database says."""
    await _import(bench, tone="Calm.")
    await bench.make("tone", "Lively.")
    await bench.drop("tone:v1")

    report = await _import(bench, support="{{> tone}}")

    assert ["support:v1"] == _made(report)
    assert ["tone:v2"] == await _pins(bench, "support")
    assert ImportReport(unchanged=2) == await bench.import_files.execute()


# Cost, concurrency, words


@attrs.define
class _Watched:
    """A store that writes down what is asked of its prompts."""

    store: Store = attrs.field(factory=InMemoryStore)
    calls: list[str] = attrs.field(factory=list)

    @property
    def journal(self) -> ChatJournal:
        return self.store.journal

    @property
    def unit_of_work(self) -> UnitOfWorkFactory:
        @asynccontextmanager
        async def unit_of_work(tenant: Tenant) -> AsyncIterator[UnitOfWork]:
            async with self.store.unit_of_work(tenant) as work:
                yield _Watching(work, self.calls)

        return unit_of_work

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@attrs.define
class _Watching:
    inner: Any
    calls: list[str]

    def __getattr__(self, name: str) -> Any:
        if name == "prompts":
            return _Watching(self.inner.prompts, self.calls)
        if name != "commit":
            self.calls.append(name)
        return getattr(self.inner, name)


async def test_unchanged_files_cost_one_read() -> None:
    """However many there are: no lock, no write."""
    watched = _Watched()
    bench = PromptBench(watched)
    await _import(bench, **{f"p{index}": "{{> tone}}" for index in range(20)}, tone="Calm.")
    watched.calls.clear()

    report = await bench.import_files.execute()

    assert 21 == report.unchanged
    assert ["list"] == watched.calls


async def test_one_changed_file_costs_little() -> None:
    """Only what changed is looked at."""
    watched = _Watched()
    bench = PromptBench(watched)
    await _import(bench, **{f"p{index}": f"{index}" for index in range(20)})
    watched.calls.clear()

    await _import(bench, p7="Seven.")

    assert ["list", "outlines", "lock", "outlines", "add_version", "put"] == watched.calls


async def test_errors_are_logged_once_a_change(bench: PromptBench, caplog: pytest.LogCaptureFixture) -> None:
    """Loudly, and not again with each reload; with path, line and remedy."""
    caplog.set_level(logging.INFO, logger="lor3.prompts")
    await _import(bench, fine="Fine.", bad="Secret text.\n{{#open}}")
    await bench.make("fine", "Better.")
    await _import(bench, fine="Worse.")
    await bench.import_files.execute()

    words = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ["ERROR", "INFO", "ERROR"] == [level for level, _ in words]
    broken, made, diverged = (message for _, message in words)
    assert broken.startswith(f"{path_of('bad')} is broken, and nothing is made of it:\n")
    assert f"{path_of('bad')}, line 3, column 3: " in broken
    assert "{{#open}}\n^" in broken
    assert "Secret" not in broken
    assert f"{path_of('fine')}: made fine:v1" == made
    assert "diverged" in diverged
    assert "`lor3 prompt sync fine --prefer local`" in diverged

    caplog.clear()
    await _import(bench, bad="{{#other}}", fine="Better.")
    await _import(bench, bad="Mended.")
    await _import(bench, bad="{{#other}}")
    assert ["ERROR", "INFO", "ERROR"] == [record.levelname for record in caplog.records]
    assert "bad.yaml is broken, and its prompt stays as it is:" in caplog.records[-1].getMessage()


async def test_report_says_whether_a_broken_file_has_a_prompt(bench: PromptBench) -> None:
    """What never was does not stay."""
    await _import(bench, old="Old.")

    report = await _import(bench, old="{{#open}}", new="{{#open}}", user="{{> new}}")

    assert {"old": True, "new": False, "user": False} == {
        str(each.name): each.has_prompt for each in report.broken
    }


async def test_missing_fragment_is_no_broken_file(bench: PromptBench) -> None:
    """Nor the file itself: neither can have been meant, even where the store has a prompt of the name."""
    await _import(bench, aaa="Fine.", bad="Fine.", tone="Calm.", zoo="Fine.")

    report = await _import(bench, aaa="{{> gone}}", bad="{{#open}}", zoo="{{> tnoe}}")

    assert "there is no prompt `tnoe`; there are: `tone`; did you mean `tone`?" in _faults(report)["zoo"]


async def test_warnings_are_logged_with_the_version(
    bench: PromptBench, caplog: pytest.LogCaptureFixture
) -> None:
    """In the file, with line and column, and once."""
    caplog.set_level(logging.INFO, logger="lor3.prompts")
    await _import(bench, tone="Calm.", support="{{> tone}}\nHelp.")
    await bench.import_files.execute()

    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert warning.startswith(
        f"{path_of('support')}, line 2, column 3: `{{{{> tone}}}}` takes its line's newline"
    )


async def test_store_away_is_an_error(bench: PromptBench) -> None:
    """What was imported before stays, and the next run goes on."""
    assert isinstance(bench.store, InMemoryStore)
    bench.store.shelves.available = False
    with pytest.raises(StorageUnavailable):
        await _import(bench, support="Help.")

    bench.store.shelves.available = True

    assert ["support:v1"] == _made(await bench.import_files.execute())


class _OnDatabase:
    """Workers and replicas that start together."""

    @pytest.fixture
    async def benches(self, url: str) -> AsyncIterator[Callable[[], PromptBench]]:
        stores = [create(patient(url)) for _ in range(3)]
        for store in stores:
            await store.start()
        unused = iter(stores)
        yield lambda: PromptBench(next(unused))
        for store in stores:
            await store.aclose()

    async def test_processes_that_import_at_once_make_one_version(
        self, benches: Callable[[], PromptBench]
    ) -> None:
        """Of each file, and each time one changes."""
        all_ = [benches() for _ in range(3)]
        texts = {"tone": "Calm.", "support": "{{> tone}}", "sales": "{{> tone}} {{> support}}"}
        for bench in all_:
            bench.files.texts = texts

        first = await asyncio.gather(*(bench.import_files.execute() for bench in all_))
        texts["tone"] = "Lively."
        second = await asyncio.gather(*(bench.import_files.execute() for bench in all_))

        assert ["sales:v1", "support:v1", "tone:v1"] == sorted(name for each in first for name in _made(each))
        assert ["sales:v2", "support:v2", "tone:v2"] == sorted(
            name for each in second for name in _made(each)
        )
        assert ImportReport(unchanged=3) == await all_[0].import_files.execute()
        assert ["support:v2"] == [
            each for each in await _pins(all_[0], "sales") if each.startswith("support")
        ]


class TestOnSQLite(_OnDatabase):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestOnPostgreSQL(_OnDatabase):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
