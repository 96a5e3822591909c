"""The variables of a prompt and its fragments, brought together."""

import attrs

from domain.prompt.source import Variable
from domain.prompt.variable_types import expected


@attrs.define
class _Entry:
    variable: Variable
    owner: str
    is_deferred: bool = False
    is_untyped: bool = False
    is_root: bool = False


@attrs.define
class Declarations:
    """The prompt's own declaration of a name wins over its fragments'. Among fragments the first one's default and
    description count, and a variable that one of them requires is required."""

    _entries: dict[str, _Entry] = attrs.field(factory=dict)

    def declare(self, variable: Variable, owner: str) -> None:
        """By the prompt itself."""
        self._entries[variable.name] = _Entry(variable, owner, is_root=True)

    def use_untyped(self, name: str, owner: str) -> None:
        """By a plain text, which can't declare it."""
        entry = self._entries.get(name)
        if entry is None:
            self._entries[name] = _Entry(Variable(name=name), owner, is_untyped=True)
        elif entry.is_deferred:
            # Here no section's item can have it.
            entry.variable = attrs.evolve(entry.variable, required=True)
            entry.is_deferred = False

    def need(self, variable: Variable, owner: str, *, deferred: bool) -> str | None:
        """By a fragment; returns what is wrong with it. With `deferred` the items of a section around may have it."""
        entry = self._entries.get(variable.name)
        if entry is None:
            deferred = deferred and variable.required
            optional = attrs.evolve(variable, required=False) if deferred else variable
            self._entries[variable.name] = _Entry(optional, owner, is_deferred=deferred)
            return None
        if entry.is_untyped:
            self._entries[variable.name] = _Entry(variable, owner)
            return None
        if (entry.variable.type, set(entry.variable.values)) != (variable.type, set(variable.values)):
            return (
                f"`{variable.name}` must be {expected(variable)} in `{owner}`, and {expected(entry.variable)} in "
                f"`{entry.owner}`; rename one of them, or pass it as a parameter: `{variable.name}=…`"
            )
        if not entry.is_root and variable.required and not deferred:
            entry.variable = attrs.evolve(entry.variable, required=True, default=None)
            entry.is_deferred = False
        elif entry.is_deferred and not variable.required:
            # With a default it is never missing.
            entry.variable = attrs.evolve(entry.variable, default=variable.default)
            entry.is_deferred = False
        return None

    def get(self, name: str) -> Variable | None:
        """None where its type is unknown."""
        entry = self._entries.get(name)
        return None if entry is None or entry.is_untyped else entry.variable

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(entry.variable for entry in self._entries.values())

    @property
    def deferred(self) -> tuple[str, ...]:
        return tuple(name for name, entry in self._entries.items() if entry.is_deferred)

    @property
    def untyped(self) -> tuple[str, ...]:
        return tuple(name for name, entry in self._entries.items() if entry.is_untyped)
