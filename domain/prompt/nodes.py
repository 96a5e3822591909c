"""What a template consists of, in the order in which it stands there: sections are brackets, not subtrees, so
nothing that walks a template recurses."""

from typing import Literal, TypeAlias

from domain.values import frozen

OpenKind: TypeAlias = Literal["section", "inverted", "with"]


@frozen
class Path:
    """A value by name, such as `user.name`, or `.`, the item of the section around."""

    text: str


@frozen
class Parameter:
    """`name="Ada"` or `style=tone`."""

    name: str
    value: "Path | str | int | float | bool"
    at: int


@frozen
class Text:
    """`starts_line`, of this and all others: a line of the source begins right before what the node prints."""

    text: str
    starts_line: bool


@frozen
class Quoted:
    """`{{"…"}}`: text in which nothing is syntax, and whose lines a partial's indentation leaves alone."""

    text: str
    starts_line: bool


@frozen
class Value:
    path: str
    at: int
    """Offset of the tag in the source."""
    starts_line: bool


@frozen
class Open:
    kind: OpenKind
    path: str
    """Empty for `with`, which has `parameters` instead."""
    parameters: tuple[Parameter, ...]
    at: int
    starts_line: bool


@frozen
class Close:
    """Ends the innermost `Open`."""

    starts_line: bool


@frozen
class Include:
    written: str
    """The reference as in the template, such as `tone@staging`."""
    parameters: tuple[Parameter, ...]
    indent: str | None
    """What every line of the fragment starts with: the white space before a tag that has its line to itself. None
    where the tag stands in a line with others."""
    at: int
    starts_line: bool


Node: TypeAlias = Text | Quoted | Value | Open | Close | Include
