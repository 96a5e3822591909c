"""A text in the user's own editor, kept in a private file until it is of no more use."""

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import click

_USUAL: Final = ("vi", "nano")
_MARK: Final = "#! "
"""Begins the lines that say what was wrong. YAML takes them for comments."""


def editor_command(environ: Mapping[str, str]) -> str:
    """`$VISUAL`, else `$EDITOR`, else the first of vi and nano that there is.

    Raises:
        click.UsageError: there is none, or it can't be found.
    """
    for variable in ("VISUAL", "EDITOR"):
        command = environ.get(variable, "").strip()
        if command:
            _demand_found(command, variable)
            return command
    for usual in _USUAL:
        if shutil.which(usual) is not None:
            return usual
    raise click.UsageError(
        "there is no editor; set EDITOR, such as EDITOR=nano, or save a file with --from-file"
    )


def _demand_found(command: str, variable: str) -> None:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise click.UsageError(f"${variable} can't be read as a command: {error}") from error
    if not words or shutil.which(words[0]) is None:
        raise click.UsageError(
            f"${variable} is `{command}`, and there is no such program; set it to your editor"
        )


@attrs.define
class Sheet:
    """The file that is edited, which only its owner may read."""

    path: Path

    @classmethod
    def of(cls, text: str, *, name: str) -> "Sheet":
        """
        Args:
            name: begins the file's name.
        """
        descriptor, path = tempfile.mkstemp(prefix=f"lor3-{name}-", suffix=".yaml")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return cls(Path(path))

    def edited(self, command: str) -> str:
        """What the editor left.

        Raises:
            click.ClickException: the editor failed, or what it left is not UTF-8 text, no file or not there.
        """
        click.edit(editor=command, filename=str(self.path))
        if self.path.exists() and not self.path.is_file():
            raise click.ClickException(
                f"{self.path} is no file after editing, and is left as it is; the editor has to save the text in that file"
            )
        try:
            return self.path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise click.ClickException(f"{self.path} can't be read as UTF-8 text after editing") from error

    def write(self, text: str) -> None:
        self.path.write_text(text, "utf-8")

    def is_changed_from(self, text: str) -> bool:
        """False too where there is no file, and so no text of anybody's."""
        return self.path.is_file() and self.path.read_text("utf-8", "replace") != text

    def discard(self) -> None:
        if self.path.is_file():
            self.path.unlink(missing_ok=True)


def with_faults(text: str, faults: Sequence[str]) -> str:
    """`text` with `faults` as comments on top, in place of those of an earlier try."""
    lines = [f"{_MARK}refused, and not saved; these lines go by themselves:"]
    for fault in faults:
        lines += fault.splitlines()
    marked = "".join(f"{line if line.startswith(_MARK) else _MARK + line}\n" for line in lines)
    return marked + without_faults(text)


def without_faults(text: str) -> str:
    lines = text.splitlines(keepends=True)
    while lines and lines[0].startswith(_MARK.rstrip()):
        del lines[0]
    return "".join(lines)
