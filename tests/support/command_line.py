"""The command line in this process, with pipes for streams, and conversations that are made by it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest

from entrypoints.cli.main import run_command

VARIABLES = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "OPENAI_BASE_URL",
    "DATABASE_URL",
    "REDIS_URL",
    "LOR3_CONFIG",
    "LOR3_TENANT",
    "VISUAL",
)


@attrs.frozen
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, of a command that went well."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The table that was printed."""
        assert self.code == 0, self.err
        return [line.split("\t") for line in self.out.splitlines()]


Run: TypeAlias = Callable[..., Done]


def in_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `lor3 …` in a folder with a database of its own; the demo answers."""
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        code = run_command(list(arguments))
        return Done(code, *capsys.readouterr())

    return run


def say(lor3: Run, text: str, *options: str) -> dict[str, Any]:
    """One chat; the answer object."""
    answer: dict[str, Any] = lor3("run", "--prompt", text, "--json", *options).json
    return answer


def talk(lor3: Run, *texts: str, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Chats of one thread, one after another."""
    answers = [say(lor3, texts[0], *options)]
    for text in texts[1:]:
        answers.append(say(lor3, text, "--thread", answers[0]["thread_id"], *options))
    return answers
