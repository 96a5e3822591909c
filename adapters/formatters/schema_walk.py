"""Every subschema that a validation can reach, each checked once.

A place is a schema because of its keyword or because a `$ref` points at it, wherever that is. So the walk starts at
the root, goes where the keywords lead and then where the references lead, until nothing new turns up.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from adapters.formatters.patterns import PatternRefused, compiled
from domain.errors import Fault

MAX_FAULTS: Final = 10
_MAX_NODES: Final = 2_000
"""Keywords, subschemas and names in lists; bounds the check to about half a second."""
_MAX_PATTERNS: Final = 100
_ONE: Final = frozenset(
    (
        "additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
        "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
    )
)  # fmt: skip
_LISTED: Final = frozenset(("allOf", "anyOf", "items", "oneOf", "prefixItems"))
_NAMED: Final = frozenset(
    ("$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties")
)
_IN_PLACE: Final = frozenset(
    ("allOf", "anyOf", "dependencies", "dependentSchemas", "else", "if", "not", "oneOf", "then")
)
"""Keywords that apply a subschema to the same value: a loop of them never ends."""
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")

LookUp = Callable[[str], Any]
"""What a reference points at, as the validator will see it; raises whatever it likes where that is nothing."""
Check = Callable[[dict[str, Any]], Iterator[tuple[str, str]]]
"""What the dialect says against one subschema, those below it left out: where, beginning with a dot, and what."""


class TooMuch(Exception):
    """The walk has found enough faults, or too many nodes."""


@attrs.define
class Walk:
    _check: Check
    faults: list[Fault] = attrs.field(factory=list)
    _nodes: int = 0
    _patterns: set[str] = attrs.field(factory=set)
    _seen: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    """Subschemas by identity."""
    _references: list[tuple[dict[str, Any], str, str]] = attrs.field(factory=list)
    """Not followed yet: where from, to what, and the path for faults."""
    _same_value: dict[int, list[int]] = attrs.field(factory=dict)
    """For each subschema those that apply to the same value."""

    def from_root(self, root: dict[str, Any]) -> None:
        """Raises TooMuch."""
        self._visit(root, "schema", is_root=True)

    def along_references(self, look_up: LookUp) -> None:
        """Raises TooMuch."""
        while self._references:
            node, reference, path = self._references.pop()
            try:
                target = look_up(reference)
            except Exception:  # the look-up raises of all kinds for pointers into what is no schema
                self._fault(path, f"points to nothing: `{reference[:100]}` is not in this schema")
                continue
            if isinstance(target, dict):
                self._same_value[id(node)].append(id(target))
                self._visit(target, "schema" + reference[1:].replace("/", ".")[:200])
            elif not isinstance(target, bool):
                self._fault(path, f"points at something that is no schema: `{reference[:100]}`")

    def never_ends(self) -> bool:
        """Whether any subschema reaches itself without going into the value."""
        done: set[int] = set()
        for start in self._same_value:
            open_: set[int] = set()
            stack = [(start, False)]
            while stack:
                node, leaving = stack.pop()
                if leaving:
                    open_.discard(node)
                    done.add(node)
                elif node in open_:
                    return True
                elif node not in done:
                    open_.add(node)
                    stack.append((node, True))
                    stack.extend((each, False) for each in self._same_value.get(node, ()))
        return False

    def _visit(self, schema: dict[str, Any], path: str, *, is_root: bool = False) -> None:
        pending = [(schema, path)]
        while pending:
            node, where = pending.pop()
            if id(node) in self._seen:
                continue
            self._seen[id(node)] = node
            self._same_value[id(node)] = []
            self._nodes += 1 + len(node)
            self._nodes += sum(len(each) for each in node.values() if type(each) is list)
            self._nodes -= len(node["enum"]) if type(node.get("enum")) is list else 0
            self._nodes += sum(len(node[name]) for name in _NAMED if isinstance(node.get(name), dict))
            if self._nodes > _MAX_NODES:
                self.faults = [
                    Fault(path="schema", message=f"holds more than {_MAX_NODES} keywords; make it smaller")
                ]
                raise TooMuch
            for place, message in self._check(node):
                self._fault(f"{where}{place}", message)
            self._own_rules(node, where, is_root=is_root and node is schema)
            for keyword, place, below in subschemas(node):
                if keyword in _IN_PLACE:
                    self._same_value[id(node)].append(id(below))
                pending.append((below, f"{where}{place}"))

    def _own_rules(self, node: dict[str, Any], path: str, *, is_root: bool) -> None:
        for name in _REFERENCES:
            reference = node.get(name)
            if name not in node:
                continue
            if not isinstance(reference, str) or not reference.startswith("#"):
                self._fault(
                    f"{path}.{name}",
                    "points outside this schema, and nothing is ever fetched; put it under `$defs`",
                )
            else:
                # Whatever a $recursiveRef says, the root is meant.
                followed = "#" if name == "$recursiveRef" else reference
                self._references.append((node, followed, f"{path}.{name}"))
        if not is_root:
            for name in ("$schema", "$id"):
                if name in node:
                    self._fault(f"{path}.{name}", "is read at the root only; leave it out here")
        pattern = node.get("pattern")
        if isinstance(pattern, str):
            self._pattern(pattern, f"{path}.pattern")
        named = node.get("patternProperties")
        if isinstance(named, dict):
            for each in named:
                self._pattern(each, f"{path}.patternProperties")

    def _pattern(self, pattern: str, path: str) -> None:
        if pattern in self._patterns:
            return
        self._patterns.add(pattern)
        if len(self._patterns) > _MAX_PATTERNS:
            self.faults = [
                Fault(path="schema", message=f"holds more than {_MAX_PATTERNS} patterns; use fewer")
            ]
            raise TooMuch
        try:
            compiled(pattern)
        except PatternRefused as refusal:
            self._fault(path, str(refusal))

    def _fault(self, path: str, message: str) -> None:
        self.faults.append(Fault(path=path[:300], message=message))
        if len(self.faults) >= MAX_FAULTS:
            raise TooMuch


def subschemas(node: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The subschemas of `node`, none from inside another: the keyword, the place as in `.items[0]`, and itself."""
    for keyword, value in node.items():
        if isinstance(value, dict):
            if keyword in _ONE:
                yield keyword, f".{keyword}", value
            elif keyword in _NAMED:
                for name, each in value.items():
                    if isinstance(each, dict):
                        yield keyword, f".{keyword}.{name}", each
        elif isinstance(value, list) and keyword in _LISTED:
            for index, each in enumerate(value):
                if isinstance(each, dict):
                    yield keyword, f".{keyword}[{index}]", each


def alone(node: dict[str, Any]) -> dict[str, Any]:
    """`node` with everything below it made empty: what the metaschema can say of it without going on to others."""
    result: dict[str, Any] = {}
    for keyword, value in node.items():
        if keyword == "enum" and isinstance(value, list):
            result[keyword] = value[:1]
        elif keyword in ("const", "default"):
            result[keyword] = None
        elif keyword == "examples" and isinstance(value, list):
            result[keyword] = []
        elif isinstance(value, dict) and keyword in _ONE:
            result[keyword] = {}
        elif isinstance(value, dict) and keyword in _NAMED:
            result[keyword] = {name: _empty(each) for name, each in value.items()}
        elif isinstance(value, list) and keyword in _LISTED:
            result[keyword] = [_empty(each) for each in value]
        else:
            result[keyword] = value
    return result


def _empty(value: Any) -> Any:
    return {} if isinstance(value, dict) else value
