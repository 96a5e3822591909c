"""lor3 running for one command about conversations, whose errors speak of commands and options."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.errors import Absent, AbsentKind
    from entrypoints.application import Application
    from entrypoints.reading import Reading

_T = TypeVar("_T")

_WORDS: Final = (
    (re.compile(r"`to`"), "`--until`"),
    (re.compile(r"`at_most`"), "`--max-rating`"),
    (
        re.compile(r"leave it out, or give null to take it away"),
        "leave it out, or take it away with --no-title",
    ),
)
_REMEDIES: "Final[Mapping[AbsentKind, str]]" = {
    "session": "leave `--session` out",
    "thread": "`lor3 thread list` lists those there are",
    "message": "`lor3 thread show THREAD_ID --json` has the whole ids of those there are",
}
_OPTIONS: Final[Mapping[str, str]] = {
    "message_id": "MESSAGE_ID",
    "thread_id": "THREAD_ID",
    "tags": "--tag",
    "at_least": "--min-rating",
    "at_most": "--max-rating",
    "from": "--since",
    "to": "--until",
}
"""Where a field of the API has another name here than `--field`."""


def on_threads(config_path: Path | None, action: "Callable[[Application], Awaitable[_T]]") -> _T:
    """Runs `action` on lor3 as the server is wired, on its database. Prompt files are not looked at.

    Raises:
        LorError: the configuration's faults, or what `action` raises.
    """
    from entrypoints.cli.prompt_store import on_lor3

    with thread_words():
        return on_lor3(config_path, action, import_files=False)


def reading_threads(config_path: Path | None, action: "Callable[[Reading], Awaitable[_T]]") -> _T:
    """Runs `action` on the database alone, which is not made where there is none. For what changes nothing.

    Raises:
        LorError: the configuration's faults, that there is no database yet, or what `action` raises.
    """
    import asyncio

    from entrypoints.cli.options import quiet, settings_from

    settings = quiet(settings_from(config_path))

    async def run() -> _T:
        from entrypoints.bootstrap import reading

        async with reading(settings) as opened:
            return await action(opened)

    with thread_words():
        return asyncio.run(run())


@contextmanager
def thread_words() -> "Iterator[None]":
    """Raises what is raised inside, with commands and options in place of routes and fields."""
    from domain.errors import Absent, InvalidRequest
    from entrypoints.cli.misuse import Misused

    try:
        yield
    except Absent as error:
        raise absent(error, _REMEDIES[error.kind]) from error
    except InvalidRequest as error:
        if not error.faults or isinstance(error, Misused):
            raise
        faults = [
            attrs.evolve(fault, path=_option(fault.path), message=_reworded(fault.message))
            for fault in error.faults
        ]
        # What is wrong with an argument, such as a message that is no answer, only the database knew.
        are_options = type(error) is InvalidRequest and all(each.path.startswith("--") for each in faults)
        raise (Misused if are_options else type(error)).of(*faults) from error


def absent(error: "Absent", remedy: str) -> "Absent":
    """`error` with what to do about it here."""
    from domain.errors import Absent

    return Absent(f"there is no {error.kind} {error.name}; {remedy}", kind=error.kind, name=error.name)


def _option(path: str) -> str:
    """`tags[3]` is `--tag`, `comment` is `--comment`; what is an option or an argument already stays."""
    field = re.split(r"[.\[]", path, maxsplit=1)[0]
    if not field or field.startswith("-") or field.isupper():
        return path
    return _OPTIONS.get(field, f"--{field.replace('_', '-')}")


def _reworded(sentence: str) -> str:
    for pattern, words in _WORDS:
        sentence = pattern.sub(words, sentence)
    return sentence
