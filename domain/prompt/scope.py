"""What the names in a template mean while it is being flattened."""

from collections.abc import Mapping
from typing import Final

import attrs

from domain.prompt.nodes import Node, Open
from domain.prompt.program import How
from domain.prompt.source import PromptSource, Variable, VariableType
from domain.prompt.template_fault import Place
from domain.prompt.variable_types import SCALAR_TYPES
from domain.values import frozen

_LITERAL_TYPES: Final[Mapping[type, VariableType]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
}
Scalar = str | int | float | bool


@frozen
class Reference:
    """A value found while rendering."""

    how: How
    path: str
    type: Variable | None = None
    """None where only rendering can tell."""

    @property
    def is_scalar(self) -> bool:
        return self.type is not None and self.type.type in SCALAR_TYPES


@frozen
class Constant:
    """A literal parameter."""

    value: Scalar

    @property
    def type(self) -> Variable:
        return Variable(name="", type=_LITERAL_TYPES[type(self.value)])


Meaning = Reference | Constant


@attrs.define(kw_only=True)
class Scope:
    """One template, or one `with` in it. Names are looked up from the inside out."""

    place: Place
    outer: "Scope | None"
    bound: dict[str, Meaning] = attrs.field(factory=dict)
    """Parameters, or the names of a `with`."""
    declared: frozenset[str] | None = None
    """What may be used; None where that is for the scopes around to say."""
    sections: "list[Section]" = attrs.field(factory=list)
    """Those open in this template, shared by the scopes of its `with`s."""

    @property
    def binds(self) -> bool:
        """Whether any parameter is in sight."""
        scope: Scope | None = self
        while scope is not None:
            if scope.bound:
                return True
            scope = scope.outer
        return False

    def bound_to(self, name: str) -> Meaning | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bound:
                return scope.bound[name]
            scope = scope.outer
        return None

    def may_use(self, name: str) -> bool | None:
        """None where no scope declares anything."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bound:
                return True
            if scope.declared is not None:
                return name in scope.declared
            scope = scope.outer
        return None

    def known(self) -> list[str]:
        """All names that may be used."""
        names: dict[str, None] = {}
        scope: Scope | None = self
        while scope is not None:
            names.update(dict.fromkeys(scope.bound))
            if scope.declared is not None:
                return [*names, *sorted(scope.declared - names.keys())]
            scope = scope.outer
        return list(names)


@attrs.define(kw_only=True)
class Section:
    """A section or a `with` that is open."""

    index: int | None = None
    """Of its operation; None where there is none: a literal decided it."""
    has_item: bool = False
    constant: Constant | None = None
    """The item, where it is a literal."""
    is_open_ended: bool = False
    """Whether its items may be objects, which bring names of their own."""
    is_by_name: bool = False
    is_muted: bool = False
    """Whether what is inside can never be printed."""
    item_type: Variable | None = None
    repeats_from: int | None = None
    """`ProgramWriter.writes` where it began, for one that goes over a list."""


def may_bring_names(nodes: tuple[Node, ...], source: PromptSource) -> bool:
    """Whether a section of the template may go over objects, so that names inside mean what their keys mean."""
    scalars = {variable.name for variable in source.variables if variable.type in SCALAR_TYPES}
    return any(
        isinstance(node, Open)
        and (node.kind == "with" or (node.kind == "section" and node.path not in scalars))
        for node in nodes
    )
