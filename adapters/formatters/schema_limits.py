"""What a caller's JSON Schema may not do, found without running it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import regex

from domain.errors import Fault
from domain.json_value import JSONObject

_MAX_DEPTH: Final = 32
_MAX_NODES: Final = 2_000
"""Keywords, subschemas and values; bounds the check against the metaschema to about 0.3 s."""
_MAX_FAULTS: Final = 10
_MAX_PATTERN: Final = 1_000
_IN_PLACE: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
"""Keywords that apply a subschema to the same value: a loop of them never ends."""
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_QUANTIFIER: Final = re.compile(r"(?<!\\)(?:[*+]|\{\d*,\d*\})")
_GROUP_OR_BACKREFERENCE: Final = re.compile(r"\\[1-9]|\(\?P=|\(\?R|\(\?\(")
_DATA: Final = frozenset(("const", "enum", "default", "examples"))
"""Their values are data, not schemas."""


@attrs.define
class _Walk:
    faults: list[Fault] = attrs.field(factory=list)
    nodes: int = 0

    def fault(self, path: str, message: str) -> None:
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(Fault(path=path, message=message))


def limit_faults(schema: JSONObject) -> tuple[Fault, ...]:
    """Everything that makes `schema` too large, endless or able to reach outside; at most ten faults."""
    walk = _Walk()
    _visit(schema, "schema", 1, walk, schema)
    if walk.nodes > _MAX_NODES:
        walk.faults = [Fault(path="schema", message=f"holds more than {_MAX_NODES} values; make it smaller")]
    if not walk.faults and _loops(schema):
        walk.fault("schema", "a `$ref` leads back to itself without going into the value; that never ends")
    return tuple(walk.faults)


def _visit(value: Any, path: str, depth: int, walk: _Walk, root: JSONObject) -> None:
    walk.nodes += 1
    if walk.nodes > _MAX_NODES:
        return
    if depth > _MAX_DEPTH:
        walk.fault(path[:200], f"is nested deeper than {_MAX_DEPTH} levels; make it flatter with `$defs`")
        return
    if isinstance(value, Mapping):
        for name, each in value.items():
            _check_keyword(name, each, f"{path}.{name}", walk, root)
            if name not in _DATA:
                _visit(each, f"{path}.{name}", depth + 1, walk, root)
            else:
                walk.nodes += len(each) if isinstance(each, list) else 1
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            _visit(each, f"{path}[{index}]", depth + 1, walk, root)


def _check_keyword(name: str, value: Any, path: str, walk: _Walk, root: JSONObject) -> None:
    # A property may be called `pattern`: what is not of the keyword's type is not the keyword.
    if name in _REFERENCES and isinstance(value, str):
        if not value.startswith("#"):
            walk.fault(path, "points outside this schema, and nothing is ever fetched; put it under `$defs`")
        elif value != "#" and _follow(root, value) is None:
            walk.fault(path, f"points to nothing: `{value[:100]}` is not in this schema")
    elif name == "pattern" and isinstance(value, str):
        _check_pattern(value, path, walk)
    elif name == "patternProperties" and isinstance(value, Mapping):
        for pattern in value:
            _check_pattern(pattern, path, walk)
            if len(_QUANTIFIER.findall(pattern)) > 1 or _GROUP_OR_BACKREFERENCE.search(pattern):
                walk.fault(
                    path, "a pattern of property names may repeat one thing only, such as `^x-[a-z]+$`"
                )


def _check_pattern(pattern: str, path: str, walk: _Walk) -> None:
    if len(pattern) > _MAX_PATTERN:
        walk.fault(path, f"is longer than {_MAX_PATTERN} characters; shorten the pattern")
        return
    try:
        re.compile(pattern)
        regex.compile(pattern)
    except (re.error, regex.error, RecursionError, OverflowError):
        walk.fault(path, "is not a regular expression that can be used; Python's syntax is meant")


def _follow(root: JSONObject, reference: str) -> Any:
    """What a local reference points to: a JSON pointer, or an anchor that is found somewhere. None for nothing."""
    pointer = reference[1:]
    if not pointer.startswith("/"):
        return root if pointer == "" else next(_anchored(root, pointer), None)
    value: Any = root
    for part in pointer[1:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list | tuple) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _anchored(value: Any, anchor: str) -> Iterator[Any]:
    if isinstance(value, Mapping):
        if anchor in (value.get("$anchor"), value.get("$dynamicAnchor")):
            yield value
        for each in value.values():
            yield from _anchored(each, anchor)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _anchored(each, anchor)


def _loops(root: JSONObject) -> bool:
    """Whether any subschema reaches itself through keywords that stay at the same value."""
    done: set[int] = set()
    pending: list[Any] = [root]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            if _reaches_itself(value, root, done):
                return True
            pending.extend(value.values())
        elif isinstance(value, list | tuple):
            pending.extend(value)
    return False


def _reaches_itself(start: JSONObject, root: JSONObject, done: set[int]) -> bool:
    open_: set[int] = set()
    stack: list[tuple[Any, bool]] = [(start, False)]
    while stack:
        node, leaving = stack.pop()
        if leaving:
            open_.discard(id(node))
            done.add(id(node))
        elif id(node) in open_:
            return True
        elif id(node) not in done:
            open_.add(id(node))
            stack.append((node, True))
            stack.extend((each, False) for each in _same_value(node, root))
    return False


def _same_value(node: JSONObject, root: JSONObject) -> Iterator[JSONObject]:
    for name in _REFERENCES:
        reference = node.get(name)
        if isinstance(reference, str):
            found = _follow(root, reference)
            if isinstance(found, Mapping):
                yield found
    for name in _IN_PLACE:
        value = node.get(name)
        nested = value.values() if name == "dependentSchemas" and isinstance(value, Mapping) else value
        if isinstance(nested, Mapping):
            yield nested
        elif nested is not None and not isinstance(nested, bool | str | int | float):
            yield from (each for each in nested if isinstance(each, Mapping))
