"""`lor3 prompt sync` and `import` as a person or a script would use them: real files, SQLite, a real server."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest

from entrypoints.cli.main import run_command
from tests.support.assistants_server import (
    CANARY,
    SECRET_WORDS,
    AssistantsServer,
    Mode,
    assistants_server_in_thread,
)


@attrs.frozen
class Done:
    code: int
    out: str
    err: str


Run: TypeAlias = Callable[..., Done]

_DOTPROMPT = """\
---
model: googleai/gemini-2.5-flash
input:
  schema:
    name: string, who asks
---
{{role "system"}}
You help {{name}}.
"""


@pytest.fixture
def server() -> Iterator[AssistantsServer]:
    with assistants_server_in_thread() as server:
        server.add("asst_1", "Teach {{x}} patiently.")
        yield server


@pytest.fixture
def lor3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in an empty folder; no output of any command may hold the key or the server's words."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "ANTHROPIC_API_KEY",
        "DATABASE_URL",
        "REDIS_URL",
        "LOR3_CONFIG",
    ):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        code = run_command(["prompt", *arguments])
        done = Done(code, *capsys.readouterr())
        assert CANARY not in done.out + done.err
        assert SECRET_WORDS not in done.out + done.err
        assert "Traceback" not in done.err

        return done

    return run


def _file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "prompts" / "support.yaml"


def test_dotprompt_file_is_imported_once(lor3: Run, tmp_path: Path) -> None:
    """What has no place is named on stderr; the second time says so and makes nothing."""
    (tmp_path / "support.prompt").write_text(_DOTPROMPT)

    dry = lor3("import", "--from-file", "support.prompt", "--dry-run")
    first = lor3("import", "--from-file", "support.prompt")
    again = lor3("import", "--from-file", "support.prompt", "--json")

    assert (0, "would make support:v1\n") == (dry.code, dry.out)
    assert (0, "made support:v1\n") == (first.code, first.out)
    assert "`model` (googleai/gemini-2.5-flash) is not carried over" in first.err
    report = json.loads(again.out)
    assert ("support", "v1", False) == (report["name"], report["version"], report["created"])
    assert "You help Ada." in lor3("render", "support", "--var", "name=Ada").out


def test_import_again_after_a_change_here_makes_nothing(lor3: Run, tmp_path: Path) -> None:
    """The file's text is an older version by then, which stays one."""
    (tmp_path / "tone.md").write_text("Calm.")
    (tmp_path / "merry.yaml").write_text("template: Merry.")
    lor3("import", "--from-file", "tone.md")
    lor3("import", "--from-file", "merry.yaml", "--name", "tone")

    again = lor3("import", "--from-file", "tone.md")

    assert (0, "nothing new: tone:v1 has it already\n") == (again.code, again.out)


def test_faults_of_a_file_name_the_line(lor3: Run, tmp_path: Path) -> None:
    """All of them, with the line and a caret."""
    (tmp_path / "bad.prompt").write_text("Hi\n{{media url=x}} {{@index}}\n")

    done = lor3("import", "--from-file", "bad.prompt")

    assert 1 == done.code
    assert "2 things are wrong" in done.err
    assert "bad.prompt, line 2, column 1: the helper `media` has no equivalent" in done.err
    assert "bad.prompt, line 2, column 17: `@index` has no equivalent" in done.err
    assert "    {{media url=x}} {{@index}}\n    ^\n" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("import",),
        ("import", "--from-file", "x", "--from-assistant-id", "y"),
        ("import", "--from-assistant-id", "asst_1", "--format", "lor3"),
        ("import", "--from-file", "x", "--base-url", "http://127.0.0.1/v1"),
        ("sync",),
        ("sync", "x", "--to", "moon"),
        ("sync", "x", "--model", "gpt-4o"),
        ("sync", "x", "--prefer", "mine"),
    ],
)
def test_misuse_exits_2(lor3: Run, arguments: tuple[str, ...]) -> None:
    """And says what to write."""
    assert 2 == lor3(*arguments).code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("import", "--from-assistant-id", "asst_1"), "OPENAI_API_KEY"),
        (
            ("import", "--from-assistant-id", "a/b", "--base-url", "http://127.0.0.1:9/v1"),
            "no assistant's id",
        ),
        (("import", "--from-assistant-id", "asst_1", "--base-url", "ftp://x"), "must be a URL"),
        (("import", "--from-assistant-id", "asst_1", "--base-url", "http://u:p@x/v1"), "without credentials"),
        (("import", "--from-file", "absent.prompt"), "can't be read"),
        (("import", "--from-file", "absent.prompt", "--name", "a b"), "no prompt name"),
        (("sync", "nobody"), "no prompt `nobody`"),
        (("sync", "a b"), "no prompt name"),
        (("sync", "nobody", "--to", "openai", "--base-url", "http://127.0.0.1:9/v1"), "no prompt `nobody`"),
    ],
)
def test_what_fails_says_why(lor3: Run, arguments: tuple[str, ...], words: str) -> None:
    """Exit code 1."""
    done = lor3(*arguments)

    assert 1 == done.code
    assert words in done.err


def test_prompt_and_file_are_kept_in_step(lor3: Run, tmp_path: Path) -> None:
    """Created, pulled, unchanged, pushed."""
    (tmp_path / "support.prompt").write_text(_DOTPROMPT)
    lor3("import", "--from-file", "support.prompt")

    created = lor3("sync", "support")
    _file(tmp_path).write_text(_file(tmp_path).read_text().replace("help", "guide"))
    dry = lor3("sync", "support", "--dry-run")
    pulled = lor3("sync", "support")
    unchanged = lor3("sync", "support", "--json")
    (tmp_path / "other.yaml").write_text("template: Short.")
    lor3("import", "--from-file", "other.yaml", "--name", "support")
    pushed = lor3("sync", "support")

    assert "wrote support:v1 into config/prompts/support.yaml, which is new\n" == created.out
    assert "would make support:v2 of config/prompts/support.yaml\n" == dry.out
    assert "made support:v2 of config/prompts/support.yaml\n" == pulled.out
    assert {
        "outcome": "unchanged",
        "name": "support",
        "version": "v2",
        "where": "config/prompts/support.yaml",
        "notes": [],
        "dry_run": False,
    } == json.loads(unchanged.out)
    assert "wrote support:v3 into config/prompts/support.yaml\n" == pushed.out
    assert "Short." in _file(tmp_path).read_text()


def test_divergence_exits_1_with_a_diff(lor3: Run, tmp_path: Path) -> None:
    """The difference on stdout, the ways to go on stderr, and nothing is changed."""
    (tmp_path / "support.yaml").write_text("template: One.")
    lor3("import", "--from-file", "support.yaml")
    lor3("sync", "support")
    (tmp_path / "support.yaml").write_text("template: Two.")
    lor3("import", "--from-file", "support.yaml")
    _file(tmp_path).write_text("template: Three.\n")

    done, as_json = lor3("sync", "support"), lor3("sync", "support", "--json")

    assert 1 == done.code == as_json.code
    assert "--- support:v2\n+++ config/prompts/support.yaml\n@@ -1 +1 @@\n-Two.\n+Three.\n" == done.out
    assert "--prefer local" in done.err
    assert "--prefer remote" in done.err
    assert "diverged" == json.loads(as_json.out)["outcome"] == json.loads(as_json.err)["code"]
    assert "template: Three.\n" == _file(tmp_path).read_text()
    assert (
        "made support:v3 of config/prompts/support.yaml\n"
        == lor3("sync", "support", "--prefer", "remote").out
    )


def test_broken_file_is_refused_with_its_line(lor3: Run, tmp_path: Path) -> None:
    """The file and the line."""
    _file(tmp_path).parent.mkdir(parents=True)
    _file(tmp_path).write_text("template: |\n  Hi {{name\n")

    done = lor3("sync", "support")

    assert 1 == done.code
    assert "support.yaml, line 2" in done.err


@pytest.fixture
def keyed(lor3: Run, server: AssistantsServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """With a key and a server in the environment, as OpenAI's own tools read them."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    return lor3


def test_assistant_is_imported_once(keyed: Run, server: AssistantsServer) -> None:
    """And synced both ways from then on."""
    first = keyed("import", "--from-assistant-id=asst_1")
    again = keyed("import", "--from-assistant-id=asst_1")
    server.assistants["asst_1"]["instructions"] = "Teach well."
    pulled = keyed("sync", "math_tutor", "--to", "openai")
    unchanged = keyed("sync", "math_tutor", "--to", "openai")

    assert (0, "made math_tutor:v1\n") == (first.code, first.out)
    assert (0, "nothing new: math_tutor:v1 has it already\n") == (again.code, again.out)
    assert "made math_tutor:v2 of the assistant asst_1\n" == pulled.out
    assert "math_tutor:v2 and the assistant asst_1 say the same\n" == unchanged.out


def test_prompt_becomes_an_assistant(keyed: Run, server: AssistantsServer, tmp_path: Path) -> None:
    """With the primary model, where it is of that server."""
    (tmp_path / "support.yaml").write_text("template: Help.")
    keyed("import", "--from-file", "support.yaml")
    (tmp_path / "lor3.yaml").write_text("primary: openai:gpt-5")

    dry = keyed("sync", "support", "--to", "openai", "--dry-run")
    created = keyed("sync", "support", "--to", "openai")

    assert "would make an assistant of support:v1\n" == dry.out
    assert "wrote support:v1 into the assistant asst_made2, which is new\n" == created.out
    made = server.assistants["asst_made2"]
    assert ("support", "Help.", "gpt-5") == (made["name"], made["instructions"], made["model"])


def test_base_url_takes_the_key_of_its_provider(
    lor3: Run, server: AssistantsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of the environment, which is for another server."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv("OWN_KEY", CANARY)
    (tmp_path / "lor3.yaml").write_text(
        f"providers: {{own: {{kind: openai-compatible, base_url: '{server.url}', api_key: '${{OWN_KEY}}'}}}}\n"
    )

    done = lor3("import", "--from-assistant-id", "asst_1", "--base-url", f"{server.url}/")

    assert (0, "made math_tutor:v1\n") == (done.code, done.out)


def test_server_without_keys_is_asked_without_one(lor3: Run, server: AssistantsServer) -> None:
    """`--base-url` alone is enough."""
    server.keys = ()

    done = lor3("import", "--from-assistant-id", "asst_1", "--base-url", server.url, "--variables")

    assert (0, "made math_tutor:v1\n") == (done.code, done.out)
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize("mode", ["not found", "html", "gone"])
@pytest.mark.parametrize(
    "arguments", [("import", "--from-assistant-id", "asst_1"), ("sync", "s", "--to", "openai")]
)
def test_dead_api_exits_1_with_the_ways_that_work(
    keyed: Run, server: AssistantsServer, tmp_path: Path, mode: Mode, arguments: tuple[str, ...]
) -> None:
    """What happened, and each way on a line of its own."""
    (tmp_path / "s.yaml").write_text("template: Help.")
    keyed("import", "--from-file", "s.yaml")
    server.mode = mode

    done = keyed(*arguments, *(("--model", "gpt-4o") if arguments[0] == "sync" else ()))
    as_json = keyed(*arguments, "--json", *(("--model", "gpt-4o") if arguments[0] == "sync" else ()))

    assert 1 == done.code
    assert "2026-08-26" in done.err
    assert "\n  lor3 prompt import --from-file" in done.err
    problem: dict[str, Any] = json.loads(as_json.err)
    assert "assistants_unavailable" == problem["code"]


@pytest.mark.parametrize("mode", ["unauthorized", "limited", "broken", "garbage", "cut"])
def test_failing_server_exits_1_in_own_words(keyed: Run, server: AssistantsServer, mode: Mode) -> None:
    """Neither the key nor the server's text is shown: `lor3` looks at every output."""
    server.mode = mode

    done = keyed("import", "--from-assistant-id", "asst_1")

    assert 1 == done.code
    assert server.url in done.err


def test_unknown_assistant_is_not_found(keyed: Run) -> None:
    """The API lives, so that is what is said."""
    done = keyed("import", "--from-assistant-id", "asst_nobody")

    assert 1 == done.code
    assert "has no assistant `asst_nobody`" in done.err
    assert "2026" not in done.err
