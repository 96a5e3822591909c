"""What is installed: the names that plugins registered, without importing any of them."""

from importlib.metadata import entry_points

import attrs


@attrs.frozen(kw_only=True)
class Registry:
    """The names of each kind of plugin, as their entry points give them."""

    providers: frozenset[str]
    passes: frozenset[str]
    formatters: frozenset[str]
    stores: frozenset[str]

    @classmethod
    def installed(cls) -> "Registry":
        found = entry_points()
        return cls(
            providers=frozenset(found.select(group="lor3.providers").names),
            passes=frozenset(found.select(group="lor3.passes").names),
            formatters=frozenset(found.select(group="lor3.formatters").names),
            stores=frozenset(found.select(group="lor3.stores").names),
        )
