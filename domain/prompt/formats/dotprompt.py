"""Dotprompt's `.prompt` files: a YAML front matter and a Handlebars body (google.github.io/dotprompt)."""

from collections.abc import Mapping
from typing import Final

import attrs

from domain.errors import Fault, InvalidRequest
from domain.json_value import JSONObject, JSONValue
from domain.prompt.formats.handlebars_template import Converted, convert
from domain.prompt.formats.imported import ImportedPrompt, printed
from domain.prompt.formats.picoschema import Declarations, read_declarations
from domain.prompt.formats.shape import Shape
from domain.prompt.source import Origin, PromptSource, Turn, Variable
from domain.prompt.template_fault import MAX_FAULTS

_CARRIED: Final = frozenset(("name", "description", "input"))
_PLACES: Final[Mapping[str, str]] = {
    "model": "choose it as `model` of a chat or as `primary` of the configuration",
    "config": "send its settings with a chat, or set them in the configuration",
    "output": "send `format` and `schema` with a chat",
    "tools": "send them as `tools` of a chat",
}


def read_dotprompt(
    front: JSONObject, body: str, *, origin: Origin | None = None, is_partial: bool = False
) -> ImportedPrompt:
    """
    Args:
        front: the front matter, parsed; empty where there is none.
        body: what stands behind it.
        origin: where the body stands in its file.
        is_partial: for a file whose name starts with `_`, which other prompts include: a system text.

    Raises:
        InvalidRequest: naming everything in it that lor3 has no equivalent of.
    """
    faults: list[Fault] = []
    declarations, may_infer = _declarations(front.get("input"), faults)
    shapes: dict[str, Shape | None] = dict(declarations.shapes)
    converted = convert(body, shapes, may_infer=may_infer, origin=origin)
    faults.extend(converted.faults)
    faults.extend(
        Fault(path=field, message="is no text")
        for field in ("name", "description")
        if not isinstance(front.get(field), str | None)
    )
    if not converted.turns and not faults:
        faults.append(Fault(path="", message="has no text behind the front matter, so there is no prompt"))
    if is_partial and converted.has_roles:
        faults.append(
            Fault(path="", message="is a partial with `{{role}}` in it; lor3 includes plain texts alone")
        )
    if faults:
        raise InvalidRequest.of(*faults[:MAX_FAULTS])
    name, description = front.get("name"), front.get("description")
    return ImportedPrompt(
        name=name if isinstance(name, str) else None,
        source=PromptSource(
            turns=_as_fragment(converted.turns) if is_partial else converted.turns,
            is_chat=not is_partial and not _is_system_text(converted.turns),
            variables=(*declarations.variables, *converted.inferred),
            description=description if isinstance(description, str) and description else None,
        ),
        notes=_notes(front, converted, is_partial=is_partial),
    )


def _as_fragment(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    return tuple(attrs.evolve(turn, role="system") for turn in turns)


def _is_system_text(turns: tuple[Turn, ...]) -> bool:
    return len(turns) == 1 and turns[0].role == "system"


def _declarations(value: JSONValue, faults: list[Fault]) -> tuple[Declarations, bool]:
    """What `input` declares, and whether what else the text uses may be inferred."""
    if value is None:
        return Declarations(), True
    if not isinstance(value, Mapping):
        faults.append(Fault(path="input", message="is no mapping; write `schema:` and `default:` under it"))
        return Declarations(), True
    faults.extend(
        Fault(path=f"input.{printed(key)}", message="has no equivalent; only schema and default have")
        for key in value
        if key not in ("schema", "default")
    )
    defaults = value.get("default")
    if not isinstance(defaults, Mapping | None):
        faults.append(Fault(path="input.default", message="is no mapping of names to values"))
        defaults = None
    defaults = defaults or {}
    schema = value.get("schema")
    if schema is None:
        return _from_defaults(defaults), True
    declarations = read_declarations(schema, defaults, path="input.schema")
    faults.extend(declarations.faults)
    faults.extend(
        Fault(path=f"input.default.{printed(name)}", message="is declared nowhere; add it to `input.schema`")
        for name in defaults
        if name not in declarations.shapes and not declarations.faults
    )
    return declarations, bool(declarations.faults)


def _from_defaults(defaults: JSONObject) -> Declarations:
    """Without a schema a default says what type its variable has."""
    shapes = {name: _shape_of(value) for name, value in defaults.items()}
    return Declarations(
        variables=tuple(
            Variable(name=name, type=shapes[name].type, required=False, default=value)
            for name, value in defaults.items()
        ),
        shapes=shapes,
    )


def _shape_of(value: JSONValue) -> Shape:
    if isinstance(value, bool):
        return Shape(type="boolean")
    if isinstance(value, int):
        return Shape(type="integer")
    if isinstance(value, float):
        return Shape(type="number")
    if isinstance(value, Mapping):
        return Shape(type="object")
    return Shape(type="string" if isinstance(value, str | None) else "list")


def _notes(front: JSONObject, converted: Converted, *, is_partial: bool) -> tuple[str, ...]:
    notes = []
    for field, value in front.items():
        if field in _CARRIED or value in (None, {}, [], ""):
            continue
        place = _PLACES.get(field)
        shown = f" ({value})" if field == "model" and isinstance(value, str) and len(value) <= 64 else ""
        notes.append(f"`{printed(field)}`{shown} is not carried over" + (f": {place}" if place else ""))
    if not is_partial and not converted.has_roles:
        notes.append("the text names no `{{role}}`, so it is one turn of the user, as dotprompt has it")
    notes.extend(
        f"`{variable.name}` is declared nowhere; taken as {variable.type}, and required"
        for variable in converted.inferred
    )
    return tuple(notes)
