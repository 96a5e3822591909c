"""A compiled prompt as JSON, for a cache that others can write to."""

import re
from collections.abc import Mapping
from typing import Any, Final, get_args

import attrs

from domain.errors import InvalidRequest
from domain.json_value import JSONObject, JSONValue, is_nested_deeper
from domain.prompt.compiled import CompiledPrompt, CompiledTurn
from domain.prompt.document import MAX_TURNS, read_variables, write_variable
from domain.prompt.program import MAX_NODES, Program
from domain.prompt.reference import MAX_VERSION, VersionRef, prompt_name
from domain.prompt.source import TurnRole, Variable
from domain.prompt.template import MAX_SECTION_DEPTH, VALUE_PATH, VARIABLE_NAME

SCHEMA: Final = 2
"""Grows with each change of the form; what has another number is no compiled prompt."""

_KEYS: Final = frozenset(
    {"schema", "name", "version", "hash", "is_chat", "turns", "variables", "fragments", "untyped", "deferred"}
)
_TURN_KEYS: Final = frozenset({"role", "program"})
_HASH: Final = re.compile(r"[0-9a-f]{64}\Z")
_ROLES: Final = frozenset(get_args(TurnRole))
_MAX_DEPTH: Final = 40
"""Of the whole: a default may be 32 deep."""


def to_json(compiled: CompiledPrompt) -> JSONObject:
    """What `from_json` reads as `compiled`; lists, texts and numbers only."""
    return {
        "schema": SCHEMA,
        "name": compiled.ref.name,
        "version": compiled.ref.number,
        "hash": compiled.hash,
        "is_chat": compiled.is_chat,
        "turns": [
            {"role": turn.role, "program": [_listed(each) for each in turn.program]}
            for turn in compiled.turns
        ],
        "variables": [[variable.name, write_variable(variable)] for variable in compiled.variables],
        "fragments": [[ref.name, ref.number] for ref in compiled.fragments],
        "untyped": list(compiled.untyped),
        "deferred": list(compiled.deferred),
    }


def from_json(value: JSONValue) -> CompiledPrompt | None:
    """None for anything but what `to_json` writes: garbage, another schema, a program that could not run.

    Raises nothing, whatever `value` is.
    """
    if not isinstance(value, Mapping) or value.keys() != _KEYS or value["schema"] != SCHEMA:
        return None
    if is_nested_deeper(value, _MAX_DEPTH):
        return None
    try:
        return _prompt(value)
    except (_NotOurs, InvalidRequest):
        return None


class _NotOurs(Exception):
    """It was not written by `to_json`."""


def _require(condition: bool) -> None:
    if not condition:
        raise _NotOurs


def _prompt(value: Mapping[str, Any]) -> CompiledPrompt:
    _require(type(value["hash"]) is str and _HASH.match(value["hash"]) is not None)
    _require(type(value["schema"]) is int and type(value["is_chat"]) is bool)
    pairs = [_list(each, 2) for each in _list(value["variables"])]
    variables = tuple(_variable(name, document) for name, document in pairs)
    names = frozenset(variable.name for variable in variables)
    _require(len(names) == len(variables))
    untyped, deferred = _names(value["untyped"], names), _names(value["deferred"], names)
    _require(1 <= len(_list(value["turns"])) <= MAX_TURNS)
    turns = tuple(_turn(each, names.difference(deferred)) for each in value["turns"])
    _require(sum(len(turn.program) for turn in turns) <= 2 * MAX_NODES)
    _require(value["is_chat"] or (len(turns) == 1 and turns[0].role == "system"))
    return CompiledPrompt(
        ref=_ref(value["name"], value["version"]),
        hash=value["hash"],
        turns=turns,
        variables=variables,
        fragments=tuple(_ref(*_list(each, 2)) for each in _list(value["fragments"])),
        is_chat=value["is_chat"],
        untyped=untyped,
        deferred=deferred,
    )


def _turn(value: object, roots: frozenset[str]) -> CompiledTurn:
    if not isinstance(value, Mapping) or value.keys() != _TURN_KEYS:
        raise _NotOurs
    _require(type(value["role"]) is str and value["role"] in _ROLES)
    program = _Program(roots=roots).read(_list(value["program"]))
    return CompiledTurn(role=value["role"], program=program)


@attrs.define(kw_only=True)
class _Program:
    """Checks that a program can run: its brackets match, and every name it begins with is a variable."""

    roots: frozenset[str]
    opened: list[tuple[int, str]] = attrs.field(factory=list)
    ends: dict[int, int] = attrs.field(factory=dict)

    def read(self, operations: list[Any]) -> Program:
        program = tuple(self._operation(index, each) for index, each in enumerate(operations))
        _require(not self.opened)
        return program

    def _operation(self, index: int, operation: object) -> object:
        if type(operation) is str:
            _require(operation != "")
            return operation
        match operation:
            case ["value", how, path]:
                self._path(how, path)
                return "value", how, path
            case ["section" | "inverted" as kind, how, path, end]:
                self._path(how, path)
                self._open(index, kind, end)
                return kind, how, path, end
            case ["with", list(bindings), end]:
                named = tuple(self._binding(_list(each, 3)) for each in bindings)
                _require(len({name for name, _, _ in named}) == len(named))
                self._open(index, "with", end)
                return "with", named, end
            case ["end", int(start)]:
                _require(bool(self.opened) and self.opened.pop()[0] == start)
                _require(type(start) is int and self.ends.pop(start) == index)
                return "end", start
            case _:
                raise _NotOurs

    def _open(self, index: int, kind: str, end: object) -> None:
        if type(end) is not int:
            raise _NotOurs
        self.opened.append((index, kind))
        self.ends[index] = end
        _require(len(self.opened) <= MAX_SECTION_DEPTH)

    def _binding(self, binding: list[Any]) -> tuple[str, str, object]:
        name, how, value = binding
        _require(type(name) is str and VARIABLE_NAME.match(name) is not None)
        if how == "const":
            _require(type(value) in (str, int, float, bool))
        else:
            self._path(how, value)
        return name, how, value

    def _path(self, how: object, path: object) -> None:
        if type(how) is not str or type(path) is not str:
            raise _NotOurs
        if how == "item":
            _require(path == "." and any(kind == "section" for _, kind in self.opened))
            return
        _require(how in ("root", "name") and VALUE_PATH.match(path) is not None)
        _require(how == "name" or path.partition(".")[0] in self.roots)


def _variable(name: object, document: object) -> Variable:
    if type(name) is not str or not isinstance(document, Mapping):
        raise _NotOurs
    (variable,) = read_variables({name: document})
    _require(write_variable(variable) == document)
    return variable


def _names(value: object, known: frozenset[str]) -> tuple[str, ...]:
    names = _list(value)
    _require(all(type(name) is str for name in names) and known.issuperset(names))
    return tuple(names)


def _ref(name: object, number: object) -> VersionRef:
    if type(name) is not str or type(number) is not int or not 1 <= number <= MAX_VERSION:
        raise _NotOurs
    return VersionRef(prompt_name(name), number)


def _list(value: object, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise _NotOurs
    return value


def _listed(operation: object) -> Any:
    """Tuples as lists, as JSON brings them back."""
    return [_listed(each) for each in operation] if isinstance(operation, tuple) else operation
