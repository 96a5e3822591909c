"""A folder of prompt files: what counts, what is refused and where it says that things are."""

import os
import time
from pathlib import Path

import pytest

from adapters.prompts import folder as limits
from adapters.prompts.files import FolderPromptFiles
from application.ports.prompt_files import BrokenFile, FolderReading, PromptFile
from domain.prompt.source import Origin, PromptSource, Turn, Variable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "prompts"
    made.mkdir()
    return made


async def _read(folder: Path) -> FolderReading:
    return await FolderPromptFiles(str(folder)).read()


def _names(reading: FolderReading) -> list[str]:
    return [file.name for file in reading.files]


def _said(broken: BrokenFile) -> list[str]:
    return [fault.message for fault in broken.faults]


async def test_each_kind_of_file_is_a_prompt(folder: Path) -> None:
    """YAML and JSON are documents, Markdown and plain text are fragments that declare nothing."""
    (folder / "a.yaml").write_text("variables: {name: string}\ntemplate: Hello {{name}}\n")
    (folder / "b.yml").write_text("messages: [{role: user, content: Hi}]\n")
    (folder / "c.json").write_text('{"template": "Hi", "description": "short"}')
    (folder / "d.md").write_text("Be kind.\n")
    (folder / "e.TXT").write_text("Be brief.")
    reading = await _read(folder)

    assert reading.broken == ()
    assert [file.source for file in reading.files] == [
        PromptSource(
            turns=(Turn(role="system", template="Hello {{name}}"),), variables=(Variable(name="name"),)
        ),
        PromptSource(turns=(Turn(role="user", template="Hi"),), is_chat=True),
        PromptSource(turns=(Turn(role="system", template="Hi"),), description="short"),
        PromptSource(turns=(Turn(role="system", template="Be kind.\n"),), declares=False),
        PromptSource(turns=(Turn(role="system", template="Be brief."),), declares=False),
    ]


async def test_path_is_the_same_wherever_the_folder_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the folder that holds it, so that two replicas agree; names are those of files alone."""
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/tone.md").write_text("x")
    absolute = await _read(folder)
    monkeypatch.chdir(folder)
    relative = await FolderPromptFiles(".").read()

    for reading in (absolute, relative):
        assert [(file.name, file.path) for file in reading.files] == [("tone", "prompts/deep/er/tone.md")]


async def test_path_below_the_working_folder_is_as_configured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it can be opened from there."""
    (folder / "tone.md").write_text("x")
    monkeypatch.chdir(folder.parent.parent)
    reading = await FolderPromptFiles(f"{folder.parent.name}/prompts").read()

    assert [file.path for file in reading.files] == [f"{folder.parent.name}/prompts/tone.md"]


async def test_templates_know_where_they_stand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named as the folder is configured; a text whose lines are none of the file's says so."""
    monkeypatch.chdir(folder.parent)
    (folder / "a.yaml").write_text(
        'messages:\n  - role: system\n    content: |\n      x\n  - {role: user, content: "a\\nb"}\n'
    )
    (folder / "b.json").write_text('{\n"template": "x"}')
    reading = await FolderPromptFiles("prompts").read()
    origins = [turn.origin for file in reading.files for turn in file.source.turns]

    assert origins == [
        Origin(file="prompts/a.yaml", line=4, column=7),
        Origin(file="prompts/a.yaml (`messages[1].content` on line 5)", line=1),
        Origin(file="prompts/b.json", line=2, column=14),
    ]


async def test_absent_folder_is_an_empty_one(tmp_path: Path) -> None:
    """So is none at all; neither has a fingerprint."""
    for files in (FolderPromptFiles(str(tmp_path / "none")), FolderPromptFiles(None)):
        assert await files.read() == FolderReading()
        assert await files.fingerprint() == ""


async def test_what_is_no_prompt_is_passed_over(folder: Path) -> None:
    """Hidden files, what editors leave, the README, and what has another suffix."""
    for name in (
        ".hidden.yaml",
        ".#lock.yaml",
        "a.yaml~",
        "#a.yaml#",
        ".a.yaml.swp",
        "a.yaml.bak",
        "README.md",
        "notes.rst",
        "4913",
    ):
        (folder / name).write_text("]")
    (folder / ".git").mkdir()
    (folder / ".git/x.yaml").write_text("]")
    (folder / "folder.yaml").mkdir()

    assert await _read(folder) == FolderReading()


async def test_a_broken_file_breaks_no_other(folder: Path) -> None:
    """Each is named with all that is wrong, and with the line."""
    (folder / "good.yaml").write_text("template: x\n")
    (folder / "bad.yaml").write_text("variables:\n  name:\n    type: strin\ntemplat: x\n")
    reading = await _read(folder)

    assert _names(reading) == ["good"]
    (broken,) = reading.broken
    assert (broken.name, broken.path) == ("bad", "prompts/bad.yaml")
    said = _said(broken)
    assert any(
        each.startswith(f"{folder}/bad.yaml, line 3, column 11: variables.name.type: must be one of")
        and each.endswith("\n    type: strin\n          ^")
        for each in said
    )
    assert any(
        each.startswith(f"{folder}/bad.yaml, line 4, column 1: templat: is unknown here") for each in said
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", b"", ": is empty; write `template: "),
        ("a.yaml", b"# nothing yet\n", ": is empty; write `template: "),
        ("a.json", b"", ", line 1, column 1: not valid JSON"),
        ("a.md", b" \n", ": is empty; write its text"),
        ("a.yaml", b"- x\n", ", line 1, column 1: a prompt is an object"),
        ("a.yaml", b"template: x\n\xff\n", ", line 2: is not UTF-8 text; save it as UTF-8"),
        ("a.md", "\ufeffx".encode("utf-16"), ", line 1: is not UTF-8 text"),
        ("a.json", b'{"template": "x", "template": "y"}', ", line 1, column 19: template: is given twice"),
        ("a.yaml", b"template: x" + b"x" * 1024 * 1024, ": is larger than 1 MiB"),
        ("a.yaml", b"template: 5\n", ", line 1, column 11: template: must be a text"),
    ],
)
async def test_broken_file_says_what_and_where(folder: Path, name: str, content: bytes, message: str) -> None:
    """Named with its file, and its line where that is known."""
    (folder / name).write_bytes(content)
    (broken,) = (await _read(folder)).broken

    assert broken.name == "a"
    assert _said(broken)[0].startswith(f"{folder}/{name}{message}")


async def test_byte_order_mark_and_windows_line_ends_change_nothing(folder: Path) -> None:
    """What a text says does not depend on the editor that saved it."""
    (folder / "a.md").write_bytes(b"\xef\xbb\xbfx\r\ny\r\n")
    (folder / "b.yaml").write_bytes(b"\xef\xbb\xbftemplate: |\r\n  x\r\n  y\r\n")
    reading = await _read(folder)

    assert [file.source.turns[0].template for file in reading.files] == ["x\ny\n", "x\ny\n"]


async def test_name_that_two_files_have_is_broken_in_both(folder: Path) -> None:
    """Which one counts must not depend on their order."""
    (folder / "sub").mkdir()
    (folder / "tone.md").write_text("x")
    (folder / "sub/tone.yaml").write_text("template: x")
    reading = await _read(folder)

    assert reading.files == ()
    assert [(each.name, each.path) for each in reading.broken] == [
        ("tone", "prompts/sub/tone.yaml"),
        ("tone", "prompts/tone.md"),
    ]
    assert f"`tone` is in {folder}/tone.md too" in _said(reading.broken[0])[0]


async def test_name_that_no_prompt_may_have_is_named(folder: Path) -> None:
    """A space comes from copying a file."""
    (folder / "a (copy).yaml").write_text("template: x")
    (broken,) = (await _read(folder)).broken

    assert broken.name is None
    assert "`a (copy)` is no prompt name" in _said(broken)[0]


async def test_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    """Nor one to nothing, nor a loop; one that stays inside is, as Kubernetes mounts files."""
    (tmp_path / "secret.md").write_text("CANARY")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x.md").write_text("CANARY")
    (folder / "..data").mkdir()
    (folder / "..data/inside.yaml").write_text("template: x")
    (folder / "inside.yaml").symlink_to("..data/inside.yaml")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    (folder / "nothing.md").symlink_to(folder / "gone.md")
    (folder / "loop.md").symlink_to(folder / "loop.md")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "round").symlink_to(folder)
    reading = await _read(folder)

    assert _names(reading) == ["inside"]
    assert sorted(str(each.name) for each in reading.broken) == ["loop", "nothing", "out"]
    assert "CANARY" not in str(reading)


async def test_folder_that_is_itself_a_link_is_followed(folder: Path, tmp_path: Path) -> None:
    """The configured one is trusted, wherever it leads."""
    (folder / "a.md").write_text("x")
    (tmp_path / "current").symlink_to(folder)
    reading = await _read(tmp_path / "current")

    assert [file.path for file in reading.files] == ["current/a.md"]


async def test_pipe_is_not_waited_for(folder: Path) -> None:
    """Opening one waits for its writer."""
    os.mkfifo(folder / "a.yaml")
    (broken,) = (await _read(folder)).broken

    assert "is no regular file" in _said(broken)[0]


async def test_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    """A typo in the setting."""
    (tmp_path / "prompts").write_text("x")
    (broken,) = (await _read(tmp_path / "prompts")).broken

    assert "is no folder; set `prompts.directory` to one" in _said(broken)[0]


async def test_too_many_files_and_folders_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may name their home folder."""
    deep = folder.joinpath(*"abcdefghi")
    deep.mkdir(parents=True)
    (deep / "x.md").write_text("x")
    for number in range(12):
        (folder / f"p{number:02}.md").write_text("x")
    monkeypatch.setattr(limits, "MAX_FILES", 10)
    reading = await _read(folder)
    said = [message for broken in reading.broken for message in _said(broken)]

    assert len(reading.files) == 10
    assert any("is deeper than 8 folders" in message for message in said)
    assert any("only the first 10 are read" in message for message in said)


async def test_fingerprint_changes_with_each_change(folder: Path) -> None:
    """A file made, changed in place, replaced, linked elsewhere and removed; what is passed over changes nothing."""
    files = FolderPromptFiles(str(folder))
    seen = [await files.fingerprint()]

    async def look() -> None:
        seen.append(await files.fingerprint())

    (folder / "a.md").write_text("x")
    await look()
    os.utime(folder / "a.md", ns=(1, 1))
    await look()
    (folder / ".new").write_text("y")
    os.utime(folder / ".new", ns=(1, 1))
    (folder / ".new").rename(folder / "a.md")
    await look()
    (folder / ".data").write_text("y")
    (folder / "b.md").symlink_to(".data")
    await look()
    (folder / ".data").write_text("longer")
    await look()
    (folder / "a.md").unlink()
    await look()
    (folder / "b.md").unlink()
    await look()

    assert len(set(seen[:-1])) == len(seen) - 1
    assert seen[0] == seen[-1] != ""


async def test_a_folder_of_a_thousand_is_read_at_once(folder: Path) -> None:
    """Five are read in a moment, a thousand in far less than a start may take."""
    text = "variables: {name: string}\ntemplate: |\n" + "  Hello {{name}}, how are you?\n" * 40
    for number in range(1000):
        (folder / f"p{number}.yaml").write_text(text)
    began_s = time.process_time()
    reading = await _read(folder)
    spent_s = time.process_time() - began_s

    assert len(reading.files) == 1000
    assert spent_s < 20


async def test_identity_of_a_prompt_file_is_its_value(folder: Path) -> None:
    """Where a text stands does not make it another one."""
    (folder / "a.yaml").write_text("# note\ntemplate: x\n")
    (file,) = (await _read(folder)).files

    assert file == PromptFile(
        name=file.name, path="prompts/a.yaml", source=PromptSource(turns=(Turn(role="system", template="x"),))
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.yaml",
            "template: x\nvariables:\n  age:\n    type: integer\n    default: ten\n",
            "line 5, column 14: variables.age.default: must be an integer, not a string\n    default: ten\n             ^",
        ),
        (
            "a.yaml",
            "messages:\n  - role: sytem\n    content: x\n",
            "line 2, column 11: messages[0].role: must be `system`, `user` or `assistant`; did you mean `system`?\n"
            "  - role: sytem\n          ^",
        ),
        (
            "a.yaml",
            "template: x\nvariables:\n  name: strng\n",
            "line 3, column 9: variables.name.type: must be one of ",
        ),
        (
            "a.yaml",
            "template: x\nvariables:\n  a-b: string\n",
            "line 3, column 3: variables.a-b: is no name of a variable",
        ),
        (
            "a.yaml",
            "template: x\nvariables:\n  name: {type: enum}\n",
            "line 3, column 3: variables.name.values: is missing",
        ),
        ("a.yaml", "template:\n  - x\n", "line 1, column 1: template: must be a text\ntemplate:\n^"),
        ("a.yaml", "template: x\nmodel: gpt\n", "line 2, column 1: model: is unknown here"),
        ("a.yaml", "# mine\nBe blunt.\n", "line 2, column 1: a prompt is an object"),
        (
            "a.json",
            '{"template": "x",\r\n "variables": {"n": {"type": "int"}}}',
            "line 2, column 30: variables.n.type: must be one of ",
        ),
        ("a.json", ' "Be blunt."', "line 1, column 2: a prompt is an object"),
    ],
)
async def test_fault_of_a_document_shows_its_place(folder: Path, name: str, content: str, said: str) -> None:
    """As one of a template does: line, column, the line itself and a caret."""
    (folder / name).write_bytes(content.encode())

    (broken,) = (await _read(folder)).broken
    (sentence,) = _said(broken)

    place, _, caret = sentence.rpartition("\n")
    assert place.startswith(f"{folder}/{name}, {said.rpartition(chr(10))[0] or said}")
    assert caret.strip() == "^"
    column = int(said.partition("column ")[2].partition(":")[0])
    assert len(caret) == column
    assert sentence.startswith(f"{folder}/{name}, {said}")


async def test_folder_that_somebody_named_has_to_be_there(tmp_path: Path) -> None:
    """A typo would be silent otherwise; nobody need have the default one, and one that comes is taken up."""
    named = FolderPromptFiles(str(tmp_path / "promts"), is_expected=True)
    default = FolderPromptFiles(str(tmp_path / "promts"))

    (absent,) = (await named.read()).broken

    assert absent.name is None
    assert [fault.message for fault in absent.faults] == [
        f"{tmp_path}/promts: there is no such folder; make it, or set `prompts.directory` to the one you mean"
    ]
    assert await default.read() == FolderReading()
    assert (await named.fingerprint(), await default.fingerprint()) == ("absent", "")
    (tmp_path / "promts").mkdir()
    assert await named.read() == FolderReading()
    assert await named.fingerprint() != "absent"
