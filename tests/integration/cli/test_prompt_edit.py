"""`lor3 prompt edit` with real editors: small programs that change the file as a person would."""

import json
import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import attrs
import pytest

from entrypoints.cli.main import run_command
from tests.support.forked_lor3 import lor3_on_path, run_lor3
from tests.support.terminal import at_terminal

_VARIABLES = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "DATABASE_URL", "REDIS_URL", "LOR3_CONFIG", "VISUAL")


@attrs.frozen
class Done:
    code: int
    out: str
    err: str


Run: TypeAlias = Callable[..., Done]


@pytest.fixture
def lor3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in an empty folder, with pipes for streams; texts are kept in `kept`."""
    monkeypatch.chdir(tmp_path)
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "kept"))

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        code = run_command(["prompt", *arguments])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def variables_of_editors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """With which an editor finds a `lor3` on its path, for what others do meanwhile."""
    folder = tmp_path_factory.mktemp("bin")
    with lor3_on_path(folder) as variables:
        yield {**variables, "PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.fixture
def editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables_of_editors: dict[str, str]
) -> Callable[[str], None]:
    """Makes a shell script the editor; its `$1` is the file."""
    for name, value in variables_of_editors.items():
        monkeypatch.setenv(name, value)

    def editor(script: str) -> None:
        path = tmp_path / "my editor"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setenv("EDITOR", f"'{path}'")

    return editor


Editor: TypeAlias = Callable[[str], None]


def _kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "kept").iterdir())


def test_lines_that_run_into_one_another_are_warned_of(lor3: Run, tmp_path: Path) -> None:
    """On stderr, and the version is made all the same."""
    (tmp_path / "tone.yaml").write_text("template: Be kind.\n")
    (tmp_path / "support.yaml").write_text("template: |\n  {{> tone}}\n  Never lie.\n")
    lor3("edit", "tone", "--from-file", "tone.yaml")

    done = lor3("edit", "support", "--from-file", "support.yaml")

    assert (done.code, done.out) == (0, "support:v1\n")
    assert "warning: support.yaml, line 2, column 3: `{{> tone}}` takes its line's newline" in done.err


def test_new_prompt_starts_from_a_skeleton(lor3: Run, editor: Editor, tmp_path: Path) -> None:
    """Which compiles as it is, explains itself, and is saved once it is changed."""
    editor(f'cp "$1" {tmp_path}/seen; sed -i \'s/helpful/brief/\' "$1"')
    done = lor3("edit", "support", "--message", "First", "--author", "Ada")
    detail = json.loads(lor3("show", "support", "--json").out)

    assert (done.code, done.out) == (0, "support:v1\n")
    assert (tmp_path / "seen").read_text().startswith("# A new prompt, support.\n")
    assert detail["template"] == "You are a brief assistant. You are talking to {{name}}.\n"
    assert (detail["made_by"], detail["author"], detail["message"]) == ("cli", "Ada", "First")
    assert _kept(tmp_path) == []


@pytest.mark.parametrize("script", ["true", 'touch "$1"', 'echo "# a comment" >> "$1"', ': > "$1"'])
def test_nothing_changed_saves_nothing(lor3: Run, editor: Editor, tmp_path: Path, script: str) -> None:
    """Closed at once, only comments, or emptied to give up."""
    editor('sed -i s/helpful/brief/ "$1"')
    lor3("edit", "support")
    editor(script)
    done = lor3("edit", "support")

    assert (done.code, done.out) == (0, "")
    assert "nothing is saved" in done.err
    assert json.loads(lor3("show", "support", "--json").out)["latest"] == "v1"
    assert _kept(tmp_path) == []


def test_version_that_no_label_points_to_says_how_to_serve_it(lor3: Run, editor: Editor) -> None:
    """Making a version moves no label."""
    editor('sed -i s/helpful/brief/ "$1"')
    lor3("edit", "support")
    lor3("label", "support", "production", "v1")
    editor('sed -i s/brief/kind/ "$1"')
    done = lor3("edit", "support")

    assert done.out == "support:v2\n"
    assert "still means v1" in done.err
    assert "lor3 prompt label support production v2" in done.err


def test_refused_text_is_kept_with_its_faults(lor3: Run, editor: Editor, tmp_path: Path) -> None:
    """Without a terminal nobody is asked: it says where the text is. The lines are those of the kept file."""
    editor("sed -i 's/{{name}}/{{nmae}} {{> absent}}/' \"$1\"")
    done = lor3("edit", "support")
    (kept,) = _kept(tmp_path)
    text = kept.read_text()
    lines = text.splitlines()
    place = re.search(r"support\.yaml, line (\d+), column (\d+)", done.err)

    assert (done.code, done.out) == (1, "")
    assert f"--from-file {kept}" in done.err
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert lines[0].startswith("#! refused")
    assert any(line.startswith("#! ") and "nmae" in line for line in lines)
    assert place is not None, done.err
    assert "{{nmae}}" in lines[int(place[1]) - 1]
    assert lines[int(place[1]) - 1][int(place[2]) - 1 :].startswith("{{")


def test_kept_text_can_be_saved(lor3: Run, editor: Editor, tmp_path: Path) -> None:
    """With the lines about its faults still in it."""
    editor("sed -i 's/{{name}}/{{nmae}}/' \"$1\"")
    lor3("edit", "support")
    (kept,) = _kept(tmp_path)
    kept.write_text(kept.read_text().replace("name: string", "nmae: string"))
    done = lor3("edit", "support", "--from-file", str(kept))

    assert (done.code, done.out) == (0, "support:v1\n"), done.err


@pytest.mark.parametrize("new", [True, False])
def test_concurrent_edit_is_not_overwritten(lor3: Run, editor: Editor, tmp_path: Path, new: bool) -> None:
    """Whoever saves second is told, and keeps the text."""
    (tmp_path / "theirs.yaml").write_text("template: theirs\n")
    if not new:
        lor3("edit", "support", "--from-file", "theirs.yaml")
        (tmp_path / "theirs.yaml").write_text("template: theirs again\n")
    editor(
        f"lor3 prompt edit support --from-file {tmp_path}/theirs.yaml >/dev/null;"
        " printf 'template: mine\\n' > \"$1\""
    )
    done = lor3("edit", "support")
    (kept,) = _kept(tmp_path)
    etag = json.loads(lor3("show", "support", "--json").out)["etag"].strip('"')

    assert (done.code, done.out) == (1, "")
    assert "somebody else changed `support`" in done.err
    assert "once you have put the two together" in done.err
    assert ("  lor3 prompt diff support v1 v2\n" in done.err) == (not new)
    assert ("  lor3 prompt show support@latest\n" in done.err) == new
    assert f"  lor3 prompt edit support --from-file {kept} --if-match {etag}\n" in done.err
    assert kept.read_text() == "template: mine\n"
    assert "theirs" in json.loads(lor3("show", "support@latest", "--json").out)["template"]


def test_label_moved_meanwhile_is_no_change_of_the_text(lor3: Run, editor: Editor, tmp_path: Path) -> None:
    """The advised command saves the text as it is, and is refused after yet another change."""
    (tmp_path / "first.yaml").write_text("template: first\n")
    lor3("edit", "support", "--from-file", "first.yaml")
    editor("lor3 prompt label support staging v1 >/dev/null; printf 'template: mine\\n' > \"$1\"")
    done = lor3("edit", "support")
    advised = done.err.splitlines()[-1].split()[2:]
    saved = lor3(*advised)
    again = lor3(*advised)

    assert "though not its text" in done.err
    assert (saved.code, saved.out) == (0, "support:v2\n")
    assert (again.code, again.out) == (1, "")


def test_prompt_deleted_meanwhile_can_be_made_again(lor3: Run, editor: Editor, tmp_path: Path) -> None:
    """Nobody's text is in the way then."""
    (tmp_path / "first.yaml").write_text("template: first\n")
    lor3("edit", "support", "--from-file", "first.yaml")
    editor("lor3 prompt delete support v1 --yes >/dev/null; printf 'template: mine\\n' > \"$1\"")
    done = lor3("edit", "support")

    assert (done.code, "somebody else deleted `support`" in done.err) == (1, True)
    assert lor3(*done.err.splitlines()[-1].split()[2:]).code == 0


def test_json_tells_where_the_text_is_kept(lor3: Run, editor: Editor, tmp_path: Path) -> None:
    """One object on stderr, with the faults."""
    editor("sed -i 's/{{name}}/{{nmae}}/' \"$1\"")
    done = lor3("edit", "support", "--json")
    problem = json.loads(done.err)

    assert (done.code, problem["code"]) == (1, "invalid_request")
    assert str(_kept(tmp_path)[0]) in problem["detail"]
    assert problem["errors"]


def test_json_tells_of_an_overtaken_text_what_to_do(lor3: Run, editor: Editor, tmp_path: Path) -> None:
    """One object on stderr, with the commands in its detail."""
    (tmp_path / "theirs.yaml").write_text("template: theirs\n")
    editor(
        f"lor3 prompt edit support --from-file {tmp_path}/theirs.yaml >/dev/null;"
        " printf 'template: mine\\n' > \"$1\""
    )
    problem = json.loads(lor3("edit", "support", "--json").err)

    assert problem["code"] == "precondition_failed"
    assert f"lor3 prompt edit support --from-file {_kept(tmp_path)[0]} --if-match " in problem["detail"]


def test_failed_editor_loses_nothing(lor3: Run, editor: Editor, tmp_path: Path) -> None:
    """As after `:cq`: nothing is saved, and a changed text is kept."""
    editor('echo "template: half" > "$1"; exit 1')
    changed = lor3("edit", "support")
    (kept,) = _kept(tmp_path)
    kept.unlink()
    editor("exit 1")
    unchanged = lor3("edit", "support")

    assert (changed.code, unchanged.code) == (1, 1)
    assert str(kept) in changed.err
    assert _kept(tmp_path) == []


def test_dead_database_keeps_the_text(
    lor3: Run, editor: Editor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when the editor opened, and is gone when it closes."""
    editor(f"printf 'template: mine\\n' > \"$1\"; rm -f {tmp_path}/lor3.db*; mkdir {tmp_path}/lor3.db")
    done = lor3("edit", "support")
    (kept,) = _kept(tmp_path)

    assert done.code == 1
    assert kept.read_text() == "template: mine\n"
    assert str(kept) in done.err


def test_no_editor_is_misuse(lor3: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read."""
    monkeypatch.setenv("EDITOR", "no-such-editor")
    done = lor3("edit", "support")

    assert done.code == 2
    assert "no such program" in done.err


def test_document_can_be_piped_in(tmp_path: Path) -> None:
    """As YAML or JSON; a faulty one names its lines."""
    good = _piped(tmp_path, '{"template": "Hi {{n}}", "variables": {"n": "integer"}}')
    bad = _piped(tmp_path, "template: |\n  Hi\n  {{#a}}\n")
    none = _piped(tmp_path, "template: \xff".encode("latin-1"))

    assert (good.returncode, good.stdout) == (0, b"piped:v1\n"), good.stderr
    assert bad.returncode == 1
    assert b"stdin, line 3" in bad.stderr
    assert b"Traceback" not in bad.stderr
    assert none.returncode == 2


def _piped(cwd: Path, text: str | bytes) -> "subprocess.CompletedProcess[bytes]":
    stdin = text.encode() if isinstance(text, str) else text
    return run_lor3(cwd, "prompt", "edit", "piped", "--from-file", "-", stdin=stdin)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 0), ("n", 1)])
def test_terminal_is_asked_to_open_it_again(tmp_path: Path, answer: str, code: int) -> None:
    """The first try is refused; the second finds the faults on top, and mends the text."""
    script = tmp_path / "editor"
    script.write_text(
        "#!/bin/sh\n"
        f'if grep -q \'^#! \' "$1"; then cp "$1" {tmp_path}/second; sed -i -e s/nmae/name/ -e s/helpful/brief/ "$1";\n'
        "else sed -i 's/{{name}}/{{nmae}}/' \"$1\"; fi\n"
    )
    script.chmod(0o700)
    seen = at_terminal(
        *("prompt", "edit", "support"),
        types=f"{answer}\r",
        question="Open it again?",
        columns=100,
        cwd=tmp_path,
        environ={"EDITOR": str(script), "TMPDIR": str(tmp_path)},
    )

    assert seen.code == code, seen.text
    assert ("support:v1" in seen.text) == (code == 0)
    assert ("your text is kept in" in seen.text) == (code == 1)
    assert (tmp_path / "second").exists() == (code == 0)


def test_terminal_is_asked_before_deleting(tmp_path: Path) -> None:
    """The last version takes the prompt with it, and the question says so."""
    _piped(tmp_path, "template: a\n")
    seen = at_terminal("prompt", "delete", "piped", "v1", types="n\r", columns=100, cwd=tmp_path)

    assert "Delete piped:v1, the last version, and the prompt with it? [y/N]" in seen.text
    assert seen.code == 1
