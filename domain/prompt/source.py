"""What an author writes: a system text or a chat template, with its variables."""

from typing import Literal, TypeAlias

import attrs

from domain.json_value import JSONValue
from domain.values import frozen

VariableType: TypeAlias = Literal["string", "integer", "number", "boolean", "list", "object", "enum"]
TurnRole: TypeAlias = Literal["system", "user", "assistant"]


@frozen(kw_only=True)
class Variable:
    """A declared variable."""

    name: str
    type: VariableType = "string"
    required: bool = True
    """False where a default is declared, be it null."""
    default: JSONValue = None
    values: tuple[str, ...] = ()
    """What an `enum` may be."""
    description: str | None = None


@frozen(kw_only=True)
class Origin:
    """Where the text of a template stands in a file, so that errors can point there."""

    file: str
    line: int
    """Of the template's first line, from 1."""
    column: int = 1
    """Of the first character of each of its lines, from 1."""


@frozen(kw_only=True)
class Turn:
    """One message of a chat template."""

    role: TurnRole
    template: str
    origin: Origin | None = attrs.field(default=None, eq=False)


@frozen(kw_only=True)
class PromptSource:
    """A prompt as written. Any prompt whose turns are one system text can be a fragment of another."""

    turns: tuple[Turn, ...]
    """At least one. A system text is a single system turn."""
    is_chat: bool = False
    """True where it was written as `messages`, not as `template`."""
    variables: tuple[Variable, ...] = ()
    """In the order of declaration."""
    declares: bool = True
    """False for a plain text file, which has no place for declarations: the prompts that include it declare
    what it uses."""
    description: str | None = None
