"""An assistant of OpenAI's Assistants API as a prompt: its instructions, which that API took as plain text."""

from collections.abc import Mapping
from typing import Final

from domain.errors import Fault, InvalidRequest
from domain.json_value import JSONObject, JSONValue
from domain.prompt.formats.imported import ImportedPrompt, printed
from domain.prompt.formats.literal import literal
from domain.prompt.formats.plain_variables import declared, with_variables
from domain.prompt.source import PromptSource, Turn

_CARRIED: Final = frozenset(("id", "object", "created_at", "name", "description", "instructions"))
_DEFAULTS: Final[Mapping[str, tuple[JSONValue, ...]]] = {
    # What the API itself filled in says nothing that could be lost.
    "tools": ([], None), "tool_resources": ({}, None), "metadata": ({}, None), "temperature": (1, None),
    "top_p": (1, None), "response_format": ("auto", None), "reasoning_effort": (None,),
}  # fmt: skip
_PLACES: Final[Mapping[str, str]] = {
    "model": "choose it as `model` of a chat or as `primary` of the configuration",
    "tools": "send them as `tools` of a chat",
    "tool_resources": "their files stay with OpenAI",
    "temperature": "send it with a chat, or set it in the configuration",
    "top_p": "send it with a chat, or set it in the configuration",
    "response_format": "send `format` and `schema` with a chat",
}


def assistant_source(instructions: str, *, description: str | None, variables: bool) -> PromptSource:
    """The prompt of an assistant's instructions.

    Args:
        variables: `{{name}}` is a variable, a string; else it stays text, as the Assistants API had it.
    """
    template, names = with_variables(instructions) if variables else (literal(instructions), ())
    return PromptSource(
        turns=(Turn(role="system", template=template),),
        variables=declared(names),
        description=description or None,
    )


def read_assistant(document: JSONObject, *, variables: bool = False) -> ImportedPrompt:
    """The prompt in an assistant's JSON as the API gave it.

    Raises:
        InvalidRequest: naming every field that can't be what the API gives.
    """
    faults: list[Fault] = []
    if document.get("object") != "assistant":
        faults.append(
            Fault(path="object", message="is not `assistant`; save what `GET /v1/assistants/{id}` answers")
        )
    instructions = document.get("instructions")
    if not isinstance(instructions, str) or not instructions.strip():
        faults.append(
            Fault(
                path="instructions",
                message="is missing or empty, so there is no prompt; write the text there",
            )
        )
    faults.extend(
        Fault(path=field, message="is no text")
        for field in ("id", "name", "description")
        if not isinstance(document.get(field), str | None)
    )
    if faults or not isinstance(instructions, str):
        raise InvalidRequest.of(*faults)
    name = document.get("name") or document.get("id")
    description = document.get("description")
    return ImportedPrompt(
        name=name if isinstance(name, str) else None,
        source=assistant_source(
            instructions,
            description=description if isinstance(description, str) else None,
            variables=variables,
        ),
        notes=left_over(document) + (() if variables else braces_note(instructions)),
    )


def left_over(document: JSONObject) -> tuple[str, ...]:
    """What of an assistant no prompt has a place for, and is not just what the API fills in: a sentence each."""
    notes = []
    for field, value in document.items():
        if field in _CARRIED or any(value == default for default in _DEFAULTS.get(field, (None,))):
            continue
        place = _PLACES.get(field)
        shown = f" ({printed(value)})" if field == "model" and isinstance(value, str) else ""
        notes.append(f"`{printed(field)}`{shown} is not carried over" + (f": {place}" if place else ""))
    return tuple(notes)


def braces_note(instructions: str) -> tuple[str, ...]:
    """What to know of instructions that look like a template and are taken as text."""
    _, names = with_variables(instructions)
    if not names:
        return ()
    return (
        f"`{{{{{printed(names[0])}}}}}` stays text, as it was for the assistant; `--variables` makes it a variable",
    )
