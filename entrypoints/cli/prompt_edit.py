"""`lor3 prompt edit`: a new version from the user's editor, or from a file."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.options import common, for_tenant
from entrypoints.cli.output import print_json, say, warn
from entrypoints.cli.prompt_file_state import tell_behind
from entrypoints.cli.prompt_store import authored, etags, matching, on_lor3, served_text

if TYPE_CHECKING:
    from application.use_cases.version_prompt import VersionedPrompt

_MAX_BYTES: Final = 1024 * 1024


@click.command(
    help="""Make a new version of a prompt, or a new prompt, in your editor ($VISUAL, $EDITOR, else vi or nano).

The text is checked before it is saved. A refused one is kept and opened again with its faults on top. If
somebody else changes the prompt meanwhile, yours is not saved over theirs, and its text is kept.

\b
Examples:
  lor3 prompt edit support_agent --message "Shorter greeting"
  lor3 prompt edit support_agent --from-file support_agent.yaml
  lor3 prompt edit support_agent --refresh
  lor3 prompt show support_agent --yaml | sed s/Hello/Hi/ | lor3 prompt edit support_agent --from-file -
"""
)
@click.argument("name")
@click.option(
    "--from-file",
    "from_file",
    metavar="FILE",
    help="Save this YAML or JSON document, and open no editor; - is stdin.",
)
@click.option(
    "--refresh",
    is_flag=True,
    help="Take up what the fragments are now, and leave the text as it is; opens no editor.",
)
@authored
@matching
@common
@for_tenant
def edit(
    name: str,
    from_file: str | None,
    refresh: bool,
    author: str | None,
    message: str | None,
    if_match: str | None,
    config_path: Path | None,
    as_json: bool,
) -> int:
    from domain.prompt.reference import prompt_name
    from entrypoints.cli.prompt_editing import Editing, Save, refreshed, store

    if ":" in name or "@" in name:
        raise click.UsageError("the newest version is edited, and a new one made of it: write the name alone")
    save = Save(name=prompt_name(name), author=author, message=message, if_match=etags(if_match))
    if refresh:
        if from_file is not None:
            raise click.UsageError("--refresh keeps the text as it is; leave out --from-file")
        _print(on_lor3(config_path, lambda application: refreshed(application, save)), as_json=as_json)
        return 0
    if from_file is None:
        from entrypoints.cli.editor import editor_command

        saved = Editing(
            save=save, command=editor_command(os.environ), config_path=config_path, as_json=as_json
        ).run()
        if not isinstance(saved, int):
            _print(saved, as_json=as_json)
        return saved if isinstance(saved, int) else 0
    text, file = _read(from_file), "stdin" if from_file == "-" else from_file
    stored = on_lor3(config_path, lambda application: store(application, save, text, file=file))
    if stored is not None:
        _print(stored, as_json=as_json)
    return 0


def _read(path: str) -> str:
    """
    Raises:
        click.UsageError: it can't be read, is too large or is not UTF-8 text.
    """
    shown = "stdin" if path == "-" else path
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"{path} can't be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise click.UsageError(f"{shown} is larger than 1 MiB; a prompt is at most 256 KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{shown} is not UTF-8 text; save it as UTF-8") from error


def _print(saved: "VersionedPrompt", *, as_json: bool) -> None:
    """The version on stdout; what it changes, and what not, on stderr."""
    from entrypoints.prompt_rendering import versioned_json

    ref, prompt = saved.version.ref, saved.prompt
    if as_json:
        print_json(versioned_json(saved))
    else:
        click.echo(str(ref))
    warn(saved.warnings)
    if not saved.created:
        say(f"{ref} says the same already, so nothing is saved")
        return
    serves = served_text(prompt)
    if serves != f"v{ref.number}":
        say(
            f"`{prompt.name}` still means {serves}; to serve this one:\n"
            f"  lor3 prompt label {prompt.name} production v{ref.number}"
        )
    if saved.kept_by:
        kept = ", ".join(map(str, saved.kept_by))
        say(
            f"these keep the version that they were made with: {kept}; to take up the new one:\n"
            f"  lor3 prompt edit {saved.kept_by[0].name} --refresh"
        )
    tell_behind(prompt, saved.version.hash)
