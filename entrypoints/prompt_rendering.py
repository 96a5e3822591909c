"""Prompts as callers read them, in the shapes of the public contract. Pure functions, shared by all faces."""

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from domain.json_value import JSONValue
from domain.prompt.version import VersionOutline

if TYPE_CHECKING:
    from application.use_cases.label_prompt import LabelledPrompt
    from application.use_cases.read_prompts import PromptEntry, PromptView
    from application.use_cases.version_prompt import VersionedPrompt
    from domain.prompt.compiled import CompiledPrompt, RenderedPrompt
    from domain.prompt.reference import VersionRef
    from domain.prompt.source import PromptSource, Variable
    from domain.prompt.version import Label, LabelMove, Prompt, PromptVersion, Weights


def prompt_json(view: "PromptEntry | PromptView") -> dict[str, JSONValue]:
    """An item of `GET /prompts` and of `lor3 prompt list --json`."""
    prompt, version = view.prompt, view.version
    description = version.description if isinstance(version, VersionOutline) else version.source.description
    return {
        "name": prompt.name,
        "prompt_version": str(version.ref),
        "latest": version_text(prompt.latest),
        "labels": {label.name: label_json(label) for label in prompt.labels},
        "description": description,
        "source": "database" if prompt.file is None else "file",
        "file": None if prompt.file is None else prompt.file.path,
        "assistant": None if prompt.assistant is None else prompt.assistant.id,
        "updated_at": time_text(prompt.updated_at),
    }


def prompt_detail_json(view: "PromptView", compiled: "CompiledPrompt | None" = None) -> dict[str, JSONValue]:
    """`GET /prompts/{name}` and `lor3 prompt show --json`: the prompt and the version that was asked for.

    Args:
        compiled: that version compiled, to show it flat, with all variables and fragments that it needs.
    """
    detail = {**prompt_json(view), **version_json(view.version), "etag": view.prompt.etag}
    if compiled is not None:
        detail["compiled"] = compiled.text
        detail["needs"] = needs_json(compiled)
        detail["includes"] = refs_json(compiled.fragments)
    return detail


def version_json(version: "PromptVersion") -> dict[str, JSONValue]:
    """A snapshot. What of it was posted can be posted again as it stands."""
    return {
        "name": version.name,
        "version": version_text(version.number),
        "prompt_version": str(version.ref),
        "hash": version.hash,
        **source_json(version.source),
        "fragments": [
            {"written": pin.written, "version": str(pin.ref), "hash": pin.hash} for pin in version.pins
        ],
        "made_by": version.made_by,
        "author": version.author,
        "message": version.message,
        "created_at": time_text(version.created_at),
    }


def source_json(source: "PromptSource") -> dict[str, JSONValue]:
    """`template` or `messages`, `variables` (null for a plain text, which has none of its own), `description`."""
    if source.is_chat:
        text: dict[str, JSONValue] = {
            "messages": [{"role": turn.role, "content": turn.template} for turn in source.turns]
        }
    else:
        text = {"template": source.turns[0].template}
    return {
        **text,
        "variables": variables_json(source.variables) if source.declares else None,
        "description": source.description,
    }


def variables_json(variables: Sequence["Variable"]) -> dict[str, JSONValue]:
    """Declarations by name, in the shape in which they are posted: one without `default` is required."""
    return {each.name: _variable(each) for each in variables}


def needs_json(compiled: "CompiledPrompt") -> dict[str, JSONValue]:
    """All variables that a prompt needs. One without a `type` is used by a plain text, and may be any value."""
    return {
        each.name: {} if each.name in compiled.untyped else _variable(each) for each in compiled.variables
    }


def versioned_json(versioned: "VersionedPrompt") -> dict[str, JSONValue]:
    """The answer of `POST /prompts/{name}/versions`."""
    version = versioned.version
    return {
        "name": version.name,
        "version": version_text(version.number),
        "prompt_version": str(version.ref),
        "hash": version.hash,
        "created": versioned.created,
        "kept_by": refs_json(versioned.kept_by),
        "warnings": list(versioned.warnings),
        "etag": versioned.prompt.etag,
    }


def label_json(label: "Label") -> dict[str, JSONValue]:
    """Where a label points: `version`, or `weights` where it is a rollout."""
    return {
        **weights_json(label.weights),
        "protected": label.protected,
        "moved_at": time_text(label.moved_at),
        "moved_by": label.moved_by,
    }


def labelled_json(labelled: "LabelledPrompt", label: str) -> dict[str, JSONValue]:
    """The answer of `PUT /prompts/{name}/labels/{label}`; `before` is null for a new label."""
    after = labelled.label
    return {
        "name": labelled.prompt.name,
        "label": label,
        **({"version": None} if after is None else label_json(after)),
        "before": weights_json(labelled.before) if labelled.before else None,
        "etag": labelled.prompt.etag,
    }


def label_detail_json(
    prompt: "Prompt", label: "Label | None", name: str, moves: Sequence["LabelMove"]
) -> dict[str, JSONValue]:
    """`GET /prompts/{name}/labels/{label}`: where it points, and its history, newest first."""
    return {
        "name": prompt.name,
        "label": name,
        **({"version": None} if label is None else label_json(label)),
        "etag": prompt.etag,
        "history": [move_json(move) for move in moves],
    }


def move_json(move: "LabelMove") -> dict[str, JSONValue]:
    """One entry of a label's history; `version` is null where the label was taken away."""
    return {
        **weights_json(move.weights),
        "author": move.author,
        "message": move.message,
        "moved_at": time_text(move.moved_at),
    }


def weights_json(weights: "Weights") -> dict[str, JSONValue]:
    """`{"version": "v3"}`, or `{"weights": {"v3": 90, "v4": 10}}` of a rollout; of nothing `{"version": null}`."""
    if len(weights) > 1:
        return {"weights": {version_text(number): weight for number, weight in weights}}
    return {"version": version_text(weights[0][0]) if weights else None}


def rendered_json(rendered: "RenderedPrompt") -> dict[str, JSONValue]:
    """`POST /prompts/{name}/render` and `lor3 prompt render --json`."""
    return {
        "prompt_version": str(rendered.ref),
        "hash": rendered.hash,
        "text": rendered_text(rendered),
        "system": rendered.system,
        "messages": [{"role": turn.role, "content": turn.text} for turn in rendered.turns],
        "fragments": refs_json(rendered.fragments),
        "bytes": sum(
            len(text.encode("utf-8", "surrogatepass"))
            for text in (rendered.system or "", *(turn.text for turn in rendered.turns))
        ),
    }


def rendered_text(rendered: "RenderedPrompt") -> str:
    """All in one, for a person: the system text alone, or each turn of a chat template under its role."""
    if not rendered.turns:
        return rendered.system or ""
    turns = [] if rendered.system is None else [("system", rendered.system)]
    turns.extend((turn.role, turn.text) for turn in rendered.turns)
    # One blank line between two of them, whether a turn ends in a new line or not.
    return "\n\n".join("\n".join((f"{role}:", text.rstrip("\r\n"))) for role, text in turns)


def refs_json(refs: Sequence["VersionRef"]) -> list[JSONValue]:
    return [str(ref) for ref in refs]


def version_text(number: int) -> str:
    return f"v{number}"


def time_text(at: datetime.datetime) -> str:
    """RFC 3339 in UTC, to the millisecond: `2026-11-20T09:30:00.000Z`."""
    return at.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _variable(variable: "Variable") -> dict[str, JSONValue]:
    declared: dict[str, JSONValue] = {"type": variable.type}
    if not variable.required:
        declared["default"] = variable.default
    if variable.values:
        declared["values"] = list(variable.values)
    if variable.description is not None:
        declared["description"] = variable.description
    return declared
