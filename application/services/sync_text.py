"""What both sides of a diverged prompt say, one beside the other."""

import difflib
import json
import shlex
from typing import Final

from application.services.prompt_writing import Checked
from domain.errors import Diverged
from domain.prompt.reference import PromptName
from domain.prompt.source import PromptSource
from domain.prompt.version import Pin, PromptVersion

_MAX_LINES: Final = 400


class SidesDiverged(Diverged):
    """Both sides changed; `diff` is what separates them, in unified form."""

    def __init__(self, detail: str, *, diff: str) -> None:
        super().__init__(detail)
        self.diff = diff


def unified(local: str, remote: str, *, local_name: str, remote_name: str) -> str:
    """From the local text to the other one; empty where they are the same."""
    lines = list(
        difflib.unified_diff(
            local.splitlines(), remote.splitlines(), fromfile=local_name, tofile=remote_name, lineterm=""
        )
    )
    if len(lines) > _MAX_LINES:
        lines[_MAX_LINES:] = [f"… and {len(lines) - _MAX_LINES} more lines"]
    return "\n".join(lines)


def sync_command(
    name: PromptName, *options: str, assistant_id: str | None = None, base_url: str | None = None
) -> str:
    """What a person has to run to sync a prompt with an assistant."""
    words = ["lor3", "prompt", "sync", name, "--to", "openai", *options]
    if assistant_id is not None:
        words += ["--assistant-id", assistant_id]
    if base_url is not None:
        words += ["--base-url", base_url]
    return shlex.join(words)


def source_text(source: PromptSource, pins: tuple[Pin, ...]) -> str:
    """A source as lines for a diff: what is declared, the fragments' versions, and the text of each turn."""
    lines = [] if source.description is None else [f"description: {source.description}"]
    for variable in source.variables:
        facts: dict[str, object] = {"type": variable.type}
        if not variable.required:
            facts["default"] = variable.default
        if variable.values:
            facts["values"] = variable.values
        if variable.description is not None:
            facts["description"] = variable.description
        lines.append(f"variable {variable.name}: {json.dumps(facts, ensure_ascii=False)}")
    lines += [f"fragment {pin.written}: {pin.ref.name} {pin.hash[:12]}" for pin in pins]
    for turn in source.turns:
        lines += [f"{turn.role}:"] if source.is_chat else [""] if lines else []
        lines += turn.template.splitlines()
    return "\n".join(lines)


def other_fragments(version: PromptVersion, in_folder: Checked | None) -> tuple[str, ...]:
    """A note where the fragments that a version was made with are not those of its file's folder."""
    ours = {pin.written: pin for pin in version.pins}
    theirs = () if in_folder is None else in_folder.version.pins
    differing = [
        f"{ours[pin.written].ref}, in the folder {pin.ref}"
        for pin in theirs
        if pin.written in ours and ours[pin.written].hash != pin.hash
    ]
    if not differing:
        return ()
    return (
        f"{version.ref} was made with {'; '.join(differing)}: `lor3 prompt edit {version.name} --refresh` makes a "
        "version with its fragments as they are now",
    )
