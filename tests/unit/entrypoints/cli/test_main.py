"""What all commands share: exit codes, streams, errors, quick help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoints.cli.main import run_command


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration, no key."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "DATABASE_URL", "REDIS_URL", "LOR3_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope"], "No such command 'nope'"),
        (["config", "nope"], "No such command 'nope'"),
        (["serv"], "No such command 'serv'. Did you mean 'serve'?"),
        (["prompt", "shw"], "Did you mean 'show'?"),
        (["db", "upgrad", "--json"], "Did you mean 'upgrade'?"),
        (["run", "--nope"], "No such option '--nope'"),
        (["config", "check", "--jsn"], "Did you mean '--json'?"),
        (["run", "--prompt", "  "], "the prompt is empty"),
        (["run", "--prompt", "a", "b"], "not both"),
        (["run", "a", "--json", "--stream"], "leave out --stream"),
        (["run", "a", "--temperature", "3"], "range"),
        (["run", "a", "--context-depth", "201"], "range"),
        (["run", "a", "--schema", "absent.json"], "does not exist"),
        (["run", "a", "--prompt"], "requires an argument"),
        (["serve", "--port", "70000"], "range"),
        (["serve", "--workers", "0"], "range"),
    ],
)
def test_misuse_exits_2_and_says_why(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing on stdout, one clear message on stderr."""
    code = run_command(arguments)
    out, err = capsys.readouterr()

    assert (code, out) == (2, "")
    assert says in err


def test_misuse_is_json_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """A script can read what went wrong."""
    assert run_command(["run", "--json", "--nope"]) == 2
    assert json.loads(capsys.readouterr().err)["code"] == "misused"


def test_group_without_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`lor3 config` alone lists what there is."""
    assert run_command(["config"]) == 2
    assert "lor3 config check" in "".join(capsys.readouterr())


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["run", "-h"], ["db", "check", "--help"]])
def test_help_is_on_stdout(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help that was asked for is a result."""
    assert run_command(arguments) == 0
    assert "Example" in capsys.readouterr().out


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The package's version."""
    assert run_command(["--version"]) == 0
    assert capsys.readouterr().out.startswith("lor3 ")


def test_configuration_faults_exit_1_for_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All faults in a paragraph on stderr, nothing on stdout, no traceback."""
    (tmp_path / "lor3.yaml").write_text("seed: x\nformat: nope\n")
    for arguments in (["run", "hi"], ["serve"], ["config", "show"], ["db", "current"]):
        code = run_command(arguments)
        out, err = capsys.readouterr()

        assert (code, out) == (1, "")
        assert "2 things are wrong" in err
        assert "seed: must be a whole number" in err
        assert "format: unknown format `nope`" in err


def test_errors_are_the_problem_object_with_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same code and faults as over HTTP."""
    (tmp_path / "lor3.yaml").write_text("seed: x\nformat: nope\n")
    code = run_command(["run", "hi", "--json"])
    problem = json.loads(capsys.readouterr().err)

    assert (code, problem["code"]) == (1, "configuration_invalid")
    assert [error["path"] for error in problem["errors"]] == ["seed", "format"]


def test_help_imports_nothing_heavy() -> None:
    """`lor3 --help` is quick because it loads click and little else."""
    probe = (
        "import sys; from entrypoints.cli.main import run_command; run_command(['--help']);"
        "heavy = {'aiohttp', 'sqlalchemy', 'yaml', 'cattrs', 'attrs', 'rich', 'openai', 'anthropic', 'asyncio'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"
