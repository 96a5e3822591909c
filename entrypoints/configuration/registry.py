"""What is installed: the names that plugins registered, without importing any of them."""

from domain.values import frozen
from entrypoints import plugins


@frozen(kw_only=True)
class Registry:
    """The names of each kind of plugin, as their entry points give them."""

    providers: frozenset[str]
    passes: frozenset[str]
    formatters: frozenset[str]
    stores: frozenset[str]

    @classmethod
    def installed(cls) -> "Registry":
        return cls(
            providers=frozenset(plugins.names("lor3.providers")),
            passes=frozenset(plugins.names("lor3.passes")),
            formatters=frozenset(plugins.names("lor3.formatters")),
            stores=frozenset(plugins.names("lor3.stores")),
        )
