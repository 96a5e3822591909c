"""What the commands of `lor3 prompt` share: lor3 running for one of them, and how they name things."""

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, TypeVar

import click

from entrypoints.cli.options import quiet, settings_from, untold_files
from entrypoints.cli.output import say, warn

if TYPE_CHECKING:
    from application.use_cases.import_prompt_files import ImportReport
    from domain.prompt.reference import PromptReference
    from domain.prompt.version import Prompt, Weights
    from entrypoints.application import Application

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])


def on_lor3(
    config_path: Path | None,
    action: "Callable[[Application], Awaitable[_T]]",
    *,
    import_files: bool = True,
) -> _T:
    """Runs `action` on lor3 as the server is wired, on its database.

    Args:
        import_files: as in `bootstrap.running`.

    Raises:
        LorError: the configuration's faults, or what `action` raises, in the command line's own words.
    """
    from entrypoints.cli.own_words import own_words

    settings = quiet(settings_from(config_path))

    async def run() -> _T:
        from entrypoints.bootstrap import running

        async with running(settings, import_files=import_files) as application:
            return await action(application)

    with untold_files(settings), own_words():
        return asyncio.run(run())


def tell_files(report: "ImportReport | None", *, name: str | None = None) -> None:
    """Says on stderr which files can't be used, and what to do; of `name` alone where one is given."""
    if report is None:
        return
    for broken in report.broken:
        if name in {None, broken.name}:
            faults = "\n".join(f"{_place(fault.path)}{fault.message}" for fault in broken.faults)
            kept = "its prompt stays as it was" if broken.has_prompt else "nothing is made of it"
            warn([f"{broken.path} can't be used; {kept}:\n{indent(faults, '  ')}"])
    for diverged in report.diverged:
        if name in {None, diverged.name}:
            sync = f"lor3 prompt sync {diverged.name} --prefer"
            warn(
                [
                    f"{diverged.path} and the prompt `{diverged.name}` in the database both changed; the prompt "
                    f"stays as it is until you say which one counts:\n"
                    f"  {sync} local   for the database's\n  {sync} remote  for the file's"
                ]
            )


def authored(command: _F) -> _F:
    """Adds `--author` and `--message`."""
    command = click.option("--message", "-m", metavar="TEXT", help="Why, for the history.")(command)
    return click.option(
        "--author",
        default=_who,
        metavar="NAME",
        help="Who, for the history. [default: $GIT_AUTHOR_NAME, else the login name]",
    )(command)


def matching(command: _F) -> _F:
    """Adds `--if-match`."""
    return click.option(
        "--if-match",
        metavar="ETAG",
        help="Do it only if the prompt is still at this ETag, as `show --json` gave it.",
    )(command)


def etags(if_match: str | None) -> tuple[str, ...] | None:
    """`4`, `"4"` and `*` as the use cases take them."""
    if if_match is None:
        return None
    text = if_match.strip()
    return (text if text == "*" else f'"{text.strip(chr(34))}"',)


def reference_to(name: str, which: str | None, *, path: str = "version") -> "PromptReference":
    """`which` of the prompt `name`: `v3` or `3`, a label, `latest`, or a whole reference; None is what the name
    alone means.

    Raises:
        InvalidRequest: either is not one.
    """
    from domain.prompt.reference import LATEST, PromptReference, label_name, prompt_name, version_number

    if which is not None and (":" in which or "@" in which):
        return PromptReference.parse(which, path=path)
    named = prompt_name(name)
    if which is None:
        return PromptReference(name=named)
    digits = which.removeprefix("v")
    if digits.isascii() and digits.isdigit():
        return PromptReference(name=named, version=version_number(f"v{digits}", path=path))
    return PromptReference(name=named, label=which if which == LATEST else label_name(which, path=path))


def weights_text(weights: "Weights") -> str:
    """`v3`, or `v3 90%, v4 10%`; `nothing` where a label points nowhere."""
    if not weights:
        return "nothing"
    if len(weights) == 1:
        return f"v{weights[0][0]}"
    total = sum(weight for _, weight in weights)
    return ", ".join(f"v{number} {100 * weight / total:.4g}%" for number, weight in weights)


def served_text(prompt: "Prompt") -> str:
    """What the bare name means."""
    from domain.prompt.reference import PRODUCTION

    label = prompt.label(PRODUCTION)
    return f"v{prompt.latest}" if label is None else weights_text(label.weights)


def lines(cells: "Sequence[str]") -> str:
    """For one cell of a table: one a line on a terminal, else all on one."""
    return ("\n" if sys.stdout.isatty() else "; ").join(cells)


def footnote(*parts: str) -> None:
    say(" · ".join(parts), dim=True)


def _who() -> str | None:
    named = os.environ.get("GIT_AUTHOR_NAME", "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None  # a container's user id without a name


def _place(path: str) -> str:
    return f"{path}: " if path else ""
