"""A prompt's source as JSON: what files, the API and the database hold."""

import json
from collections.abc import Mapping
from typing import Any, Final, get_args

import attrs

from domain.errors import Fault, InvalidRequest
from domain.json_value import JSONObject, JSONValue
from domain.prompt.source import PromptSource, Turn, TurnRole, Variable
from domain.prompt.template import BLANK, MAX_TEMPLATE_BYTES, VARIABLE_NAME, is_blank
from domain.prompt.template_fault import MAX_FAULTS
from domain.prompt.variable_types import TYPE_NAMES, misfit
from domain.suggestion import shown, suggestion

MAX_TURNS: Final = 64
MAX_VARIABLES: Final = 100
MAX_ENUM_VALUES: Final = 1000
MAX_DESCRIPTION: Final = 10_000
"""Characters."""
MAX_SOURCE_BYTES: Final = 512 * 1024
"""In UTF-8, all templates of a prompt together."""
MAX_DOCUMENT_BYTES: Final = 1024 * 1024
"""In UTF-8, as JSON: templates, declarations with their defaults, and descriptions."""
_DESCRIPTION_FIRST: Final = '{"description":'
BEGINNING: Final = len(_DESCRIPTION_FIRST) + 2 + 6 * MAX_DESCRIPTION
"""Characters of a `document_text` in which its description ends, each escaped as `\\u001f` at worst."""
_ROLES: Final = get_args(TurnRole)
_KEYS: Final = ("template", "messages", "variables", "description")
_TURN_KEYS: Final = ("role", "content")
_VARIABLE_KEYS: Final = ("type", "default", "description", "values")


def read_source(value: JSONValue, *, path: str = "") -> PromptSource:
    """The source in a document: `{"template": "…" or "messages": [{"role", "content"}], "variables": {"name":
    {"type", "default", "description", "values"}}, "description": "…"}`.

    A variable may be written as its type alone (`name: string`), and `values` as `enum`. Unknown keys are faults.

    Args:
        path: put in front of the paths of faults.

    Raises:
        InvalidRequest: naming every fault of the document; templates are not looked into.
    """
    reader = _Reader()
    source = reader.source(value, path)
    if not reader.faults:
        reader.weigh(source, path)
    if reader.faults:
        raise InvalidRequest.of(*reader.faults[:MAX_FAULTS])
    return source


def read_variables(value: JSONValue, *, path: str = "variables") -> tuple[Variable, ...]:
    """What stands under `variables`, in its order.

    Raises:
        InvalidRequest: naming every fault.
    """
    reader = _Reader()
    variables = reader.variables(value, path)
    if reader.faults:
        raise InvalidRequest.of(*reader.faults[:MAX_FAULTS])
    return variables


def write_source(source: PromptSource) -> JSONObject:
    """The document that `read_source` reads as `source`; nothing that is a default is written."""
    document: dict[str, JSONValue] = {}
    if source.is_chat:
        document["messages"] = [{"role": turn.role, "content": turn.template} for turn in source.turns]
    else:
        document["template"] = source.turns[0].template
    if source.variables:
        document["variables"] = {variable.name: write_variable(variable) for variable in source.variables}
    if source.description is not None:
        document["description"] = source.description
    return document


def document_text(source: PromptSource) -> str:
    """The document as compact JSON. A description comes first: whoever lists prompts reads no further."""
    document = write_source(source)
    if source.description is not None:
        document = {"description": source.description} | dict(document)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=dict)


def description_in(beginning: str) -> str | None:
    """The description in the first `BEGINNING` characters of a `document_text`; None without one."""
    if not beginning.startswith(_DESCRIPTION_FIRST):
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(beginning, len(_DESCRIPTION_FIRST))
    except ValueError:
        return None
    return found if isinstance(found, str) else None


def bytes_of(text: str) -> int:
    """In UTF-8, which can't say half of a surrogate pair: that counts as what will stand in its place."""
    return len(text.encode("utf-8", "surrogatepass"))


def write_variable(variable: Variable) -> JSONObject:
    """What stands under the variable's name."""
    document: dict[str, JSONValue] = {"type": variable.type}
    if not variable.required:
        document["default"] = variable.default
    if variable.values:
        document["values"] = list(variable.values)
    if variable.description is not None:
        document["description"] = variable.description
    return document


@attrs.define
class _Reader:
    """Collects faults; what it returns counts only where there are none."""

    faults: list[Fault] = attrs.field(factory=list)

    def source(self, value: JSONValue, path: str) -> PromptSource:
        document = self._object(value, path, _KEYS, 'a prompt is an object: `{"template": "…"}`')
        is_chat = document.get("messages") is not None
        if is_chat and document.get("template") is not None:
            self._fault(_at(path, "messages"), "give either `template` or `messages`, not both")
        turns: tuple[Turn, ...] = ()
        if is_chat:
            turns = self._turns(document["messages"], _at(path, "messages"))
        elif document.get("template") is not None:
            text = self._template(document["template"], _at(path, "template"))
            turns = (Turn(role="system", template=text),)
        elif isinstance(value, Mapping):
            self._fault(_at(path, "template"), "is missing; give a text here, or turns in `messages`")
        return PromptSource(
            turns=turns,
            is_chat=is_chat,
            variables=self.variables(document.get("variables"), _at(path, "variables")),
            description=self._description(document.get("description"), _at(path, "description")),
        )

    def weigh(self, source: PromptSource, path: str) -> None:
        """Faults of a source that has no others: printing it is safe."""
        texts = sum(bytes_of(turn.template) for turn in source.turns)
        if texts > MAX_SOURCE_BYTES:
            self._fault(
                _at(path, "messages" if source.is_chat else "template"),
                f"the turns together must have at most {MAX_SOURCE_BYTES} bytes in UTF-8, and have {texts}; "
                "shorten them, or split the prompt",
            )
        elif (size := bytes_of(document_text(source))) > MAX_DOCUMENT_BYTES:
            self._fault(
                path,
                f"the prompt must have at most {MAX_DOCUMENT_BYTES} bytes as JSON, and has {size}; shorten its "
                "defaults and descriptions, or split it",
            )

    def _turns(self, value: JSONValue, path: str) -> tuple[Turn, ...]:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_TURNS:
            self._fault(path, f'must be a list of 1 to {MAX_TURNS} turns: `{{"role": …, "content": …}}`')
            return ()
        return tuple(self._turn(each, f"{path}[{number}]") for number, each in enumerate(value))

    def _turn(self, value: JSONValue, path: str) -> Turn:
        document = self._object(value, path, _TURN_KEYS, 'a turn is an object: `{"role": …, "content": …}`')
        role: Any = document.get("role")
        if isinstance(value, Mapping) and (not isinstance(role, str) or role not in _ROLES):
            named = f"{suggestion(role, _ROLES)}" if isinstance(role, str) else ""
            self._fault(_at(path, "role"), f"must be `system`, `user` or `assistant`{named}")
        text = ""
        if document.get("content") is not None:
            text = self._template(document["content"], _at(path, "content"))
        elif isinstance(value, Mapping):
            self._fault(_at(path, "content"), "is missing; give the text of the turn")
        return Turn(role=role, template=text)

    def _template(self, value: JSONValue, path: str) -> str:
        if not isinstance(value, str):
            self._fault(path, "must be a text")
            return ""
        if is_blank(value):
            self._fault(path, BLANK)
        if bytes_of(value) > MAX_TEMPLATE_BYTES:
            self._fault(
                path, f"must have at most {MAX_TEMPLATE_BYTES} bytes in UTF-8; shorten it, or split it"
            )
        return value

    def variables(self, value: JSONValue, path: str) -> tuple[Variable, ...]:
        if value is None:
            return ()
        if not isinstance(value, Mapping):
            self._fault(path, 'must be an object: `{"name": {"type": "string"}}`')
            return ()
        if len(value) > MAX_VARIABLES:
            self._fault(path, f"must have at most {MAX_VARIABLES} variables; pass some together as an object")
            return ()
        return tuple(self._variable(name, each, path) for name, each in value.items())

    def _variable(self, name: str, value: JSONValue, front: str) -> Variable:
        path = _at(front, shown(str(name)))
        if not VARIABLE_NAME.match(str(name)):  # YAML has keys that are no texts
            self._fault(
                path, "is no name of a variable; letters, digits and `_`, not a digit first, at most 64"
            )
        if isinstance(value, str):
            value = {"type": value}
        document = self._object(
            value,
            path,
            (*_VARIABLE_KEYS, "enum"),
            'must be a type, such as `string`, or an object: `{"type": "string"}`',
        )
        values = self._values(document, path)
        kind: Any = document.get("type") or ("enum" if values else "string")
        if not isinstance(kind, str) or kind not in TYPE_NAMES:
            close = suggestion(kind, TYPE_NAMES) if isinstance(kind, str) else ""
            self._fault(
                _at(path, "type"), f"must be one of {', '.join(f'`{each}`' for each in TYPE_NAMES)}{close}"
            )
            kind = "string"
        elif kind == "enum" and not values and "values" not in document and "enum" not in document:
            self._fault(_at(path, "values"), 'is missing; list what it may be: `["de", "en"]`')
        elif kind != "enum" and values:
            self._fault(_at(path, "values"), f"belongs to the type `enum`, not to `{kind}`")
        variable = Variable(
            name=name,
            type=kind,
            required="default" not in document,
            default=document.get("default"),
            values=values,
            description=self._description(document.get("description"), _at(path, "description")),
        )
        # The values of a broken enum are reported already.
        if (
            not variable.required
            and (kind != "enum" or values)
            and (wrong := misfit(variable, variable.default))
        ):
            self._fault(_at(path, "default"), wrong)
        return variable

    def _values(self, document: Mapping[str, JSONValue], path: str) -> tuple[str, ...]:
        if "values" in document and "enum" in document:
            self._fault(_at(path, "enum"), "means the same as `values`; keep one of them")
        key = "values" if "values" in document else "enum"
        value = document.get(key)
        if value is None and key not in document:
            return ()
        if (
            not isinstance(value, list | tuple)
            or not 1 <= len(value) <= MAX_ENUM_VALUES
            or not all(isinstance(each, str) for each in value)
        ):
            self._fault(_at(path, key), f"must be a list of 1 to {MAX_ENUM_VALUES} texts")
            return ()
        values = tuple(str(each) for each in value)
        if len(set(values)) != len(values):
            self._fault(_at(path, key), "names a value twice; keep one")
        return values

    def _description(self, value: JSONValue, path: str) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > MAX_DESCRIPTION:
            self._fault(path, f"must be a text of at most {MAX_DESCRIPTION} characters")
            return None
        return value

    def _object(
        self, value: JSONValue, path: str, keys: tuple[str, ...], remedy: str
    ) -> Mapping[str, JSONValue]:
        if not isinstance(value, Mapping):
            self._fault(path, remedy)
            return {}
        for key in value:
            if key not in keys:
                self._fault(
                    _at(path, shown(str(key))),
                    f"is unknown here{suggestion(str(key), keys)}; known: {', '.join(keys)}",
                )
                if len(self.faults) >= MAX_FAULTS:
                    break
        return value

    def _fault(self, path: str, message: str) -> None:
        self.faults.append(Fault(path=path, message=message))


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
