"""A prompt as it is kept ready: flat, checked, with all its fragments in place."""

from collections.abc import Mapping
from typing import Final

import attrs

from domain.json_value import JSONValue
from domain.message import Message
from domain.prompt.reference import VersionRef
from domain.prompt.source import TurnRole, Variable

MAX_OUTPUT_BYTES: Final = 256 * 1024
"""Of a rendered prompt, all turns together, in UTF-8."""


@attrs.frozen(kw_only=True)
class RenderedPrompt:
    """A prompt with its variables filled in."""

    ref: VersionRef
    hash: str
    system: str | None
    """All system turns, joined by blank lines."""
    turns: tuple[Message, ...] = ()
    """The user and assistant turns of a chat template, in order."""
    fragments: tuple[VersionRef, ...] = ()
    """Every fragment in it, in order of first use."""


@attrs.frozen(kw_only=True)
class CompiledTurn:
    role: TurnRole
    program: tuple[object, ...]


@attrs.frozen(kw_only=True)
class CompiledPrompt:
    """What `compile_prompt` makes of a version and its fragments."""

    ref: VersionRef
    hash: str
    turns: tuple[CompiledTurn, ...]
    variables: tuple[Variable, ...]
    """All it needs, its fragments' included."""
    fragments: tuple[VersionRef, ...]

    @property
    def text(self) -> str:
        """The flat template, for a person: one text, or each turn under its role."""
        raise NotImplementedError

    def render(
        self, variables: Mapping[str, JSONValue], *, defaults: Mapping[str, JSONValue] | None = None
    ) -> RenderedPrompt:
        """
        Args:
            variables: the caller's; each must be declared.
            defaults: stand in for what the caller left out; those that the prompt does not declare are ignored.

        Raises:
            InvalidRequest: naming every variable that is undeclared, missing or of the wrong type, at
                `variables.<name>`; or the output is beyond `MAX_OUTPUT_BYTES`.
        """
        raise NotImplementedError
