"""`lor3 run` and `lor3 db` as a person or a script would use them: real processes, the demo provider, SQLite."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.forked_lor3 import run_lor3 as lor3

_LIMIT_S = 60


def test_answer_is_on_stdout_and_the_footer_on_stderr(tmp_path: Path) -> None:
    """A pipe gets the answer and nothing else."""
    done = lor3(tmp_path, "run", "--prompt", "hello there")

    assert done.returncode == 0, done.stderr
    assert b"demo" in done.stdout
    assert b"demo:demo" in done.stderr
    assert b"thread " in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("run", "--prompt", "-", "--json"), ("run", "--json")])
def test_stdin_is_the_prompt(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Named with a dash, or simply piped in."""
    done = lor3(tmp_path, *arguments, stdin="grüße".encode())
    answer = json.loads(done.stdout)

    assert {"message_id", "thread_id", "session_id", "output", "usage", "cost_usd", "attempts"} <= set(answer)
    assert answer["model"] == "demo:demo"


def _explained(done: "subprocess.CompletedProcess[bytes]") -> str:
    """The prompt that would be sent."""
    assert done.returncode == 0, done.stderr
    text: str = json.loads(done.stdout)["compiled"]["messages"][-1]["content"]
    return text


@pytest.mark.parametrize("words", [("Sum this:",), ("--prompt", "Sum this:")])
@pytest.mark.parametrize(
    ("piped", "prompt"),
    [
        (b"1\n2\n", "Sum this:\n\n1\n2\n"),
        (b"", "Sum this:"),
        (b" \n", "Sum this:"),
    ],
)
def test_piped_text_follows_the_words(
    tmp_path: Path, words: tuple[str, ...], piped: bytes, prompt: str
) -> None:
    """After a blank line; an empty pipe changes nothing."""
    done = lor3(tmp_path, "run", "--explain", "--json", *words, stdin=piped)

    assert _explained(done) == prompt


@pytest.mark.parametrize("redirect", ["< /dev/null", "<&-"])
def test_no_stdin_is_no_prompt(tmp_path: Path, redirect: str) -> None:
    """Neither the null device nor a closed stdin is in the way of the words."""
    shell = f"{sys.executable} -m lor3 run --explain --json hello {redirect}"
    done = subprocess.run(shell, shell=True, cwd=tmp_path, capture_output=True, check=False)  # noqa: S602 - our own

    assert _explained(done) == "hello"


def test_terminal_is_not_waited_for(tmp_path: Path) -> None:
    """Words on the command line are all of the prompt there."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lor3", "run", "--explain", "--json", "hello"],
            cwd=tmp_path,
            stdin=theirs,
            capture_output=True,
            timeout=_LIMIT_S,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)

    assert _explained(done) == "hello"


def test_stream_and_whole_print_the_same(tmp_path: Path) -> None:
    """The demo is deterministic, and so is the output."""
    whole = lor3(tmp_path, "run", "--no-stream", "same")
    streamed = lor3(tmp_path, "run", "--stream", "same")

    assert (streamed.returncode, streamed.stdout) == (0, whole.stdout)


def test_thread_goes_on_and_is_stored(tmp_path: Path) -> None:
    """The second turn is given what the first one stored."""
    first = json.loads(lor3(tmp_path, "run", "--json", "one").stdout)
    second = lor3(tmp_path, "run", "--json", "two", "--thread", first["thread_id"])
    answer = json.loads(second.stdout)

    assert (answer["thread_id"], answer["context"]["injected"]) == (first["thread_id"], 2)


def test_json_schema_gives_json(tmp_path: Path) -> None:
    """`--schema` implies the json format."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    done = lor3(tmp_path, "run", "give me a", "--schema", "schema.json")

    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout)["a"], str)


def test_explain_sends_and_stores_nothing(tmp_path: Path) -> None:
    """Every part of the explanation, as text and as JSON."""
    text = lor3(tmp_path, "run", "--explain", "hi")
    explained = json.loads(lor3(tmp_path, "run", "--explain", "--json", "hi").stdout)

    assert text.returncode == 0, text.stderr
    for head in (b"Candidates", b"Pass token-budget-check", b"Numbers", b"Request"):
        assert head in text.stdout
    assert [each["model"] for each in explained["candidates"]] == ["demo:demo"]


def test_explain_names_the_limit_of_an_answer_without_one(tmp_path: Path) -> None:
    """None is sent, so the model's own holds; the pass merely keeps room."""
    without = lor3(tmp_path, "run", "--explain", "hi").stdout.decode()
    given = lor3(tmp_path, "run", "--explain", "hi", "--max-tokens", "9").stdout.decode()

    assert "answer tokens, at most\tno limit is sent; the model's own is 4,096\n" in without
    assert "answer tokens, at most\t9\n" in given


def test_explain_shows_the_request_though_no_model_is_left(tmp_path: Path) -> None:
    """Why each is out, and what was asked."""
    done = lor3(tmp_path, "run", "--explain", "what is left", "--model", "openai:gpt")

    assert done.returncode == 0, done.stderr
    assert b"openai:gpt-6.1-sol\tout\t" in done.stdout
    assert b'"content": "what is left"' in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--model", "opnai:gpt-4"), 2, "did you mean `openai`?"),
        (("--model", "nonsense"), 2, "provider:model"),
        (("--model", "openai:gpt-4"), 1, "set OPENAI_API_KEY"),
        (("--format", "markdwn"), 2, "markdwn"),
        (("--thread", "0190a6d8-0000-7000-8000-000000000000"), 1, "leave `--thread` out"),
        (("--thread", "x"), 2, "--thread: `x` is no id; give its id, such as"),
    ],
)
def test_refusal_is_one_clear_error(tmp_path: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    """Exit 2 where the value can't be meant, else 1; nothing on stdout, the remedy on stderr, as text and as JSON."""
    text = lor3(tmp_path, "run", "hi", *arguments)
    as_json = lor3(tmp_path, "run", "hi", "--json", *arguments)

    assert (text.returncode, text.stdout, as_json.returncode, as_json.stdout) == (code, b"", code, b"")
    assert says in text.stderr.decode()
    assert b"Traceback" not in text.stderr
    assert says in json.loads(as_json.stderr)["detail"]


@pytest.mark.parametrize("mode", [(), ("--explain",)])
def test_same_thing_is_warned_of_once(tmp_path: Path, mode: tuple[str, ...]) -> None:
    """The settings and the answer both know that a model is gone and that a provider has no key."""
    (tmp_path / "lor3.json").write_text(
        '{"primary": "demo:old", "fallbacks": ["openai:gpt", "demo:demo"],'
        ' "models": {"demo:old": {"retired_on": "2020-01-01", "replaced_by": "demo:demo"}}}'
    )
    done = lor3(tmp_path, "run", "hi", *mode)

    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"demo:old was switched off") == 1
    assert done.stderr.count(b"set OPENAI_API_KEY") == 1


def test_ctrl_c_says_where_the_answer_is_stored(tmp_path: Path) -> None:
    """The thread of what was said so far, which the database then has."""
    (tmp_path / "lor3.yaml").write_text("providers: {demo: {delay_s: 0.3}}")
    process = subprocess.Popen(
        [sys.executable, "-m", "lor3", "run", "--stream", "hello"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Where the tests run in a shell's background the signal is ignored, and so it would be here.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=_LIMIT_S)
    said = re.search(r"stopped; what was said so far is stored in thread (\S+)", errors.decode())

    assert process.returncode == 130
    assert said is not None, errors
    with closing(sqlite3.connect(tmp_path / "lor3.db")) as database:
        rows = database.execute("select thread_id, role, status from messages").fetchall()
    assert {(said[1], "user", "complete"), (said[1], "assistant", "incomplete")} == {
        (str(uuid.UUID(thread)), role, status) for thread, role, status in rows
    }


def test_dead_database_fails_before_anything_is_asked(tmp_path: Path) -> None:
    """The answer could not be stored, so none is bought."""
    done = lor3(
        tmp_path, "run", "hi", environ={"LOR3_DATABASE__URL": "postgresql://u:hunter2CANARY@127.0.0.1:9/d"}
    )

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"database" in done.stderr
    assert b"hunter2CANARY" not in done.stderr
    assert b"Traceback" not in done.stderr


def test_reader_that_leaves_is_no_error_report(tmp_path: Path) -> None:
    """`lor3 config show | head -1` ends quietly."""
    shell = f"{sys.executable} -m lor3 config show | head -1"
    done = subprocess.run(shell, shell=True, cwd=tmp_path, capture_output=True, check=False)  # noqa: S602 - our own

    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_database_is_migrated_and_checked(tmp_path: Path) -> None:
    """Behind, upgraded, up to date; each says so by its exit code."""
    before = lor3(tmp_path, "db", "check", "--json")
    upgraded = lor3(tmp_path, "db", "upgrade", "--json")
    again = lor3(tmp_path, "db", "upgrade", "--json")
    after = lor3(tmp_path, "db", "check")
    current = json.loads(lor3(tmp_path, "db", "current", "--json").stdout)

    assert (before.returncode, json.loads(before.stdout)["ok"]) == (1, False)
    assert "lor3 db upgrade" in json.loads(before.stdout)["problem"]
    assert json.loads(upgraded.stdout)["applied"]
    assert json.loads(again.stdout)["applied"] == []
    assert (after.returncode, after.stdout) == (0, b"ok\n")
    assert current["up_to_date"]


@pytest.mark.parametrize("command", ["check", "current", "upgrade"])
def test_dead_database_is_named_without_its_password(tmp_path: Path, command: str) -> None:
    """Exit 1 and a reason, soon."""
    done = lor3(
        tmp_path, "db", command, environ={"LOR3_DATABASE__URL": "postgresql://u:hunter2CANARY@127.0.0.1:9/d"}
    )

    assert done.returncode == 1
    assert b"database" in done.stdout + done.stderr
    assert b"hunter2CANARY" not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr


_AGENT = b"""\
template: |
  You talk to {{name}} about {{#topics}}{{.}} {{/topics}}.
variables:
  name: string
  topics: {type: list, default: [orders]}
"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose database has a prompt of two versions, the older of them in production."""
    folder = tmp_path_factory.mktemp("agent")
    for text in (_AGENT, _AGENT.replace(b"talk", b"write")):
        done = lor3(folder, "prompt", "edit", "agent", "--from-file", "-", stdin=text)
        assert done.returncode == 0, done.stderr
    lor3(folder, "prompt", "label", "agent", "production", "v1")
    return folder


@pytest.mark.parametrize(
    ("reference", "version", "system"),
    [
        ("agent", "agent:v1", "You talk to 12 about refunds ."),
        ("agent:v2", "agent:v2", "You write to 12 about refunds ."),
        ("agent@latest", "agent:v2", "You write to 12 about refunds ."),
    ],
)
def test_system_prompt_is_filled_in(agent: Path, reference: str, version: str, system: str) -> None:
    """By the types that the prompt declares: a string that looks like a number, and a list as JSON."""
    variables = ("--var", "name=12", "--var", 'topics=["refunds"]')
    explained = json.loads(
        lor3(agent, "run", "--explain", "--json", "hi", "--system", reference, *variables).stdout
    )
    answered = lor3(agent, "run", "hi", "--json", "--system", reference, *variables)

    assert explained["prompt_version"] == version
    assert explained["compiled"]["system"].strip() == system
    assert json.loads(answered.stdout)["prompt_version"] == version
    assert version.encode() in answered.stderr


def test_configured_prompt_takes_variables_too(agent: Path, tmp_path: Path) -> None:
    """`--system` is not needed where the configuration names one."""
    (tmp_path / "lor3.yaml").write_text("system_prompt: agent@latest\n")
    done = lor3(agent, "run", "hi", "--json", "--var", "name=Ada", "--config", str(tmp_path / "lor3.yaml"))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["prompt_version"] == "agent:v2"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--system", "agnet", "--var", "name=Ada"), 1, "did you mean `agent`"),
        (("--system", "agent:v9", "--var", "name=Ada"), 1, "no version v9"),
        (("--system", "agent@nope", "--var", "name=Ada"), 1, "nope"),
        (("--system", "a b"), 2, "write `name`, `name:v3` or `name@label`"),
        (("--system", "agent"), 1, "variables.name"),
        (("--system", "agent", "--var", "name=A", "--var", "topics=x"), 1, "write it as JSON"),
        (("--system", "agent", "--var", "nmae=A"), 1, "variables.nmae"),
        (("--var", "name=Ada"), 2, "name one with --system"),
        (
            ("--system", "agent", "--var", "name=A", "--thread", "0190a6d8-0000-7000-8000-000000000000"),
            1,
            "leave `--thread` out",
        ),
    ],
)
def test_wrong_prompt_or_variable_is_named(
    agent: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """Nothing is sent, and the fault is the one that was made."""
    done = lor3(agent, "run", "hi", "--json", *arguments)

    assert (done.returncode, done.stdout) == (code, b"")
    assert says in json.loads(done.stderr)["detail"]
