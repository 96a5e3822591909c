"""The flat form of a template: a list of JSON values that `rendering.py` walks.

    "text"                                  prints itself
    ("value", how, path)                    prints a value
    ("section", how, path, end)             repeats what follows up to `end` for each item
    ("inverted", how, path, end)            goes on behind `end` unless the value is falsy
    ("with", ((name, how, value), …), end)  names values up to `end`
    ("end", start)                          closes the operation at `start`

`end` and `start` are indices into the program. `how` says where a path begins:

    "root"    a variable of the prompt: nothing around can hide it
    "name"    whatever names it first: the items of the sections around, `with`, then the variables
    "item"    the item of the innermost section; the path is `.`
    "const"   the value itself, in `with` only
"""

from typing import Final, Literal, TypeAlias

How: TypeAlias = Literal["root", "name", "item", "const"]
Program: TypeAlias = tuple[object, ...]

MAX_NODES: Final = 20_000
"""Operations, texts and included fragments of all turns together."""
MAX_TEXT_BYTES: Final = 256 * 1024
"""Of all turns' texts together, in UTF-8."""
