"""A value whose type is not known yet: text from the environment, read as its field wants it."""

from typing import Final, TypeAlias

import yaml

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int | float | bool | object | None"
"""A configuration as a file or the environment gives it."""


class Raw(str):
    """Text that stands for a value. A text field takes it as it is, any other reads it as YAML."""

    __slots__ = ()


# Besides its own errors PyYAML lets these out of `!!bool x`, `!!int ""` and `!!timestamp x`.
YAML_ERRORS: Final = (yaml.YAMLError, ValueError, KeyError, IndexError, AttributeError, RecursionError)
