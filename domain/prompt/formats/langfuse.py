"""Langfuse's prompts, as its API and its export give them.

`{"name", "type": "text" | "chat", "prompt": "…" | [{"role", "content"}], "config", "labels", "tags", "version",
"commitMessage"}`; variables are `{{name}}` and undeclared; another prompt is included by
`@@@langfusePrompt:name=…|version=…@@@` or `…|label=…@@@` (langfuse.com/docs/prompt-management).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from domain.errors import Fault, InvalidRequest
from domain.json_value import JSONObject, JSONValue
from domain.prompt.formats.imported import ImportedPrompt, fault_in, name_from, printed
from domain.prompt.formats.literal import literal
from domain.prompt.formats.plain_variables import IDENTIFIER, declared, tags
from domain.prompt.reference import LABEL_PATTERN
from domain.prompt.source import PromptSource, Turn, TurnRole
from domain.prompt.template_fault import MAX_FAULTS

_INCLUDE: Final = re.compile(r"@@@langfusePrompt:(?P<what>[^@\n]*)@@@")
_LABEL: Final = re.compile(rf"(?!v[0-9]+\Z){LABEL_PATTERN}\Z")  # what looks like a version is no label
_ROLES: Final[Mapping[str, TurnRole]] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant"
}  # fmt: skip
_KEPT_BY_LANGFUSE: Final = frozenset((
    "id", "name", "prompt", "type", "createdAt", "updatedAt", "createdBy", "projectId", "isActive", "commitMessage",
    "object",
))  # fmt: skip
_PLACES: Final[Mapping[str, str]] = {
    "labels": "point them at a version with `lor3 prompt label`",
    "config": "what it says of models belongs to a chat or to the configuration",
    "version": "lor3 numbers the versions of its own",
}


def read_langfuse(document: JSONObject) -> ImportedPrompt:
    """
    Raises:
        InvalidRequest: naming everything in it that lor3 has no equivalent of.
    """
    reading = _Reading()
    kind, prompt = document.get("type"), document.get("prompt")
    name, message = document.get("name"), document.get("commitMessage")
    if not isinstance(name, str | None):
        reading.faults.append(Fault(path="name", message="is no text"))
    if kind not in (None, "text", "chat"):
        reading.faults.append(Fault(path="type", message="is neither `text` nor `chat`"))
    turns: tuple[Turn, ...] = ()
    if isinstance(prompt, str) and kind != "chat":
        turns = (Turn(role="system", template=reading.template(prompt, "prompt")),)
    elif isinstance(prompt, Sequence) and not isinstance(prompt, str) and kind != "text":
        turns = tuple(
            turn for index, each in enumerate(prompt) for turn in reading.turn(each, f"prompt[{index}]")
        )
        if not prompt:
            reading.faults.append(
                Fault(path="prompt", message="is empty; a chat prompt has at least one message")
            )
    else:
        reading.faults.append(
            Fault(
                path="prompt",
                message="must be a text, or with `type: chat` a list of messages with role and content",
            )
        )
    if reading.faults:
        raise InvalidRequest.of(*reading.faults[:MAX_FAULTS])
    return ImportedPrompt(
        name=name if isinstance(name, str) else None,
        source=PromptSource(
            turns=turns, is_chat=not isinstance(prompt, str), variables=declared(reading.names)
        ),
        message=message if isinstance(message, str) and message else None,
        notes=(*reading.notes, *_notes(document)),
    )


@attrs.define
class _Reading:
    faults: list[Fault] = attrs.field(factory=list)
    names: list[str] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)

    def turn(self, value: JSONValue, path: str) -> tuple[Turn, ...]:
        if not isinstance(value, Mapping):
            self.faults.append(Fault(path=path, message="is no message; write `role` and `content`"))
            return ()
        if value.get("type") == "placeholder":
            self.faults.append(
                Fault(
                    path=path,
                    message=f"the placeholder `{printed(str(value.get('name')))}` has no equivalent: lor3 puts a thread's "
                    "messages behind the prompt by itself; take it out",
                )
            )
            return ()
        role, content = value.get("role"), value.get("content")
        if not isinstance(role, str) or role not in _ROLES:
            self.faults.append(
                Fault(path=f"{path}.role", message="has no equivalent; use system, user or assistant")
            )
        if not isinstance(content, str):
            self.faults.append(Fault(path=f"{path}.content", message="is no text; lor3's turns are texts"))
        if not isinstance(role, str) or role not in _ROLES or not isinstance(content, str):
            return ()
        return (Turn(role=_ROLES[role], template=self.template(content, f"{path}.content")),)

    def template(self, text: str, path: str) -> str:
        made: list[str] = []
        at = 0
        found = sorted((*tags(text), *_INCLUDE.finditer(text)), key=lambda match: match.start())
        for match in found:
            if match.start() < at:
                continue  # braces inside the name of an included prompt
            if len(self.faults) >= MAX_FAULTS:
                return ""
            tag = self._tag(text, match, path)
            self._look_for_leftovers(text, at, match.start(), path)
            made.append(literal(text[at : match.start()], before_tag=True))
            made.append(tag)
            at = match.end()
        self._look_for_leftovers(text, at, len(text), path)
        made.append(literal(text[at:]))
        return "".join(made)

    def _tag(self, text: str, match: "re.Match[str]", path: str) -> str:
        if match.re is _INCLUDE:
            return self._include(text, match, path)
        name = match["inside"].strip()
        if IDENTIFIER.match(name) is None or text[match.start() - 1 : match.start()] == "{":
            self.faults.append(
                fault_in(
                    text,
                    match.start(),
                    f"`{printed(match.group())}` is no plain `{{{{name}}}}`; Langfuse's Python SDK prints it as it is, the one for "
                    "JavaScript takes it for Mustache; write `{{name}}`, or no double braces",
                    path=path,
                )
            )
            return ""
        self.names.append(name)
        return "{{" + name + "}}"

    def _include(self, text: str, match: "re.Match[str]", path: str) -> str:
        fields = dict(part.partition("=")[::2] for part in match["what"].split("|"))
        named = name_from(fields.get("name", ""))
        label = fields.get("label")
        if named is None or set(fields) - {"name", "version", "label"}:
            self.faults.append(
                fault_in(
                    text,
                    match.start(),
                    f"`{printed(match.group())}` is no inclusion; write `@@@langfusePrompt:name=tone|label=production@@@`",
                    path=path,
                )
            )
            return ""
        if label is not None and label not in ("production", "latest") and not _LABEL.match(label):
            self.faults.append(
                fault_in(
                    text, match.start(), f"`{printed(label)}` can be no label in lor3; rename it", path=path
                )
            )
            return ""
        if "version" in fields:
            self.notes.append(
                f"{path}: version {printed(fields['version'])} of `{printed(fields['name'])}` is a number of Langfuse's; "
                f"`{{{{> {named}}}}}` means what `{named}` means here"
            )
        suffix = f"@{label}" if label not in (None, "production") else ""
        return "{{> " + named + suffix + "}}"

    def _look_for_leftovers(self, text: str, start: int, end: int, path: str) -> None:
        """Braces that open nothing are text to one SDK and an error to the other."""
        at = text.find("{{", start, end)
        if at >= 0:
            self.faults.append(
                fault_in(
                    text,
                    at,
                    "`{{` without a name and `}}` behind it; write `{{name}}`, or no double braces",
                    path=path,
                )
            )


def _notes(document: JSONObject) -> tuple[str, ...]:
    notes = []
    for field, value in document.items():
        if field in _KEPT_BY_LANGFUSE or value in (None, [], {}, ""):
            continue
        place = _PLACES.get(field)
        notes.append(f"`{printed(field)}` is not carried over" + (f": {place}" if place else ""))
    return tuple(notes)
