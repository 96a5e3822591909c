"""Entry points: how providers, passes, formatters and stores are found, built-in ones included."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any, Literal, TypeAlias, get_args

from domain.errors import ConfigurationError, Fault

Group: TypeAlias = Literal[
    "lor3.providers", "lor3.passes", "lor3.formatters", "lor3.stores", "lor3.stream_encoders"
]


@cache
def _installed() -> Mapping[str, EntryPoints]:
    """By group. Reading the metadata of all that is installed takes 20 ms or more, so once a process."""
    found = entry_points()
    return {group: found.select(group=group) for group in get_args(Group)}


def names(group: Group) -> tuple[str, ...]:
    """What is installed, sorted; nothing is imported."""
    return tuple(sorted(_installed()[group].names))


def load(group: Group, name: str, *, path: str) -> Any:
    """Imports what the entry point names. The caller knows the group's protocol.

    Args:
        path: where the settings name it, for the error.

    Raises:
        ConfigurationError: there is no such entry point, or it does not import.
    """
    found: EntryPoint | None = next(iter(_installed()[group].select(name=name)), None)
    if found is None:
        raise ConfigurationError.of(
            Fault(path=path, message=f"there is no `{name}`; installed: {', '.join(names(group)) or 'none'}")
        )
    try:
        return found.load()
    except ImportError as exc:
        raise ConfigurationError.of(
            Fault(
                path=path, message=f"`{name}` is installed, but does not import: {exc}; reinstall its package"
            )
        ) from exc
