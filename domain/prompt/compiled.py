"""A prompt as it is kept ready: flat, checked, with all its fragments in place."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from domain.errors import Fault, InvalidRequest
from domain.json_value import JSONValue
from domain.message import Message
from domain.prompt.flat_text import flat_text
from domain.prompt.program import Program
from domain.prompt.reference import VersionRef
from domain.prompt.rendering import MAX_OUTPUT_BYTES, MAX_STEPS, Budget, Steps, run, too_long
from domain.prompt.source import TurnRole, Variable
from domain.prompt.variable_types import expected, misfit, printed, unprintable
from domain.suggestion import shown, suggestion
from domain.values import frozen

__all__ = ["MAX_OUTPUT_BYTES", "CompiledPrompt", "CompiledTurn", "RenderedPrompt"]

_PLAIN: Final[Mapping[str, type]] = {"string": str, "boolean": bool, "integer": int}
"""Types whose values of the Python type fit as they are; large integers are looked at twice."""
_SMALL: Final = 2**63
_MAX_FAULTS: Final = 50


@frozen(kw_only=True)
class RenderedPrompt:
    """A prompt with its variables filled in."""

    ref: VersionRef
    hash: str
    system: str | None
    """All system turns, one blank line between two of them; None without any."""
    turns: tuple[Message, ...] = ()
    """The user and assistant turns of a chat template, in order."""
    fragments: tuple[VersionRef, ...] = ()
    """Every fragment in it, in order of first use."""
    label: str | None = None
    """The label by which the version was chosen; None where it was named by number, or is the latest."""


@frozen(kw_only=True)
class CompiledTurn:
    role: TurnRole
    program: Program


@frozen(kw_only=True)
class CompiledPrompt:
    """What `compile_prompt` makes of a version and its fragments.

    Newlines are as the Mustache specification has them: what is written is what is rendered, at the end too.
    """

    ref: VersionRef
    hash: str
    turns: tuple[CompiledTurn, ...]
    variables: tuple[Variable, ...]
    """All it needs, its fragments' included."""
    fragments: tuple[VersionRef, ...]
    is_chat: bool = False
    untyped: tuple[str, ...] = ()
    """Variables that a plain text uses and nobody declares: any JSON value fits."""
    deferred: tuple[str, ...] = ()
    """Variables that a fragment inside a section declares: they may come from the section's items instead, so that
    they are missing only where one is printed and neither has it."""
    warnings: tuple[str, ...] = attrs.field(default=(), eq=False)
    """What compiles, and is hardly meant: a sentence each, with its place and a remedy. They are for whoever made
    the version; nothing that is kept has them."""

    _by_name: Mapping[str, Variable] = attrs.field(init=False, eq=False, repr=False)
    _checks: tuple[tuple[str, type | None, Variable], ...] = attrs.field(init=False, eq=False, repr=False)
    _straight: tuple[tuple[list[str], tuple[tuple[int, str], ...]] | None, ...] = attrs.field(
        init=False, eq=False, repr=False
    )
    """For each turn that only prints texts and variables: its pieces, and where which variable goes."""

    _steps: tuple[Steps, ...] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        put = object.__setattr__
        put(self, "_by_name", {variable.name: variable for variable in self.variables})
        put(
            self,
            "_checks",
            tuple((variable.name, _PLAIN.get(variable.type), variable) for variable in self.variables),
        )
        put(self, "_straight", tuple(_straight(turn) for turn in self.turns))
        put(self, "_steps", tuple(Steps.of(turn.program) for turn in self.turns))

    @property
    def text(self) -> str:
        """The flat template, for a person: one text, or each turn under its role.

        With the same variables declared, each text compiles to what renders the same.
        """
        if not self.is_chat:
            return flat_text(self.turns[0].program)
        return "\n".join(f"{turn.role}:\n{_as_lines(flat_text(turn.program))}" for turn in self.turns)

    def render(
        self,
        variables: Mapping[str, JSONValue],
        *,
        defaults: Mapping[str, JSONValue] | None = None,
        patience: int = MAX_STEPS,
        label: str | None = None,
    ) -> RenderedPrompt:
        """
        Args:
            variables: the caller's; each must be declared.
            defaults: stand in for what the caller left out; those that the prompt does not declare are ignored.
            patience: operations in sections after which it gives up, for a caller who has others waiting.
            label: by which this version was chosen.

        Raises:
            InvalidRequest: naming every variable that is undeclared, missing or of the wrong type, at
                `variables.<name>`; or the output is beyond `MAX_OUTPUT_BYTES`.
            OutOfPatience: with more of it, it would go on.
        """
        values = self._checked(variables, defaults)
        budget = Budget(patience)
        system: list[str] = []
        turns: list[Message] = []
        size = 0
        for turn, straight, steps in zip(self.turns, self._straight, self._steps, strict=True):
            if straight is None:
                text = run(steps, values, budget)
            else:
                template, holes = straight
                pieces = template.copy()
                for index, name in holes:
                    value = values[name]
                    pieces[index] = value if type(value) is str else printed(value)
                if holes:
                    budget.characters -= sum(map(len, pieces))
                    if budget.characters < 0:
                        raise too_long()
                text = "".join(pieces)
            size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
            if turn.role == "system":
                system.append(text)
            else:
                turns.append(Message.of(turn.role, text))
        if size > MAX_OUTPUT_BYTES:
            raise too_long()
        return RenderedPrompt(
            ref=self.ref,
            hash=self.hash,
            system=_joined(system),
            turns=tuple(turns),
            fragments=self.fragments,
            label=label,
        )

    def _checked(
        self, variables: Mapping[str, JSONValue], defaults: Mapping[str, JSONValue] | None
    ) -> dict[str, JSONValue]:
        """The value of every variable; a deferred one that nobody gave is left out."""
        values: dict[str, JSONValue] = {}
        faults: list[Fault] = []
        given = 0
        for name, plain, variable in self._checks:
            if name in variables:
                given += 1
                value = variables[name]
            elif defaults is not None and name in defaults:
                value = defaults[name]
            elif not variable.required:
                if name not in self.deferred:
                    values[name] = variable.default
                continue
            else:
                faults.append(_missing(variable))
                continue
            if type(value) is plain and (plain is not int or -_SMALL < value < _SMALL):  # type: ignore[operator]  # an int
                values[name] = value
            elif (wrong := self._misfit(variable, value)) is not None:
                faults.append(Fault(path=f"variables.{name}", message=wrong))
            else:
                values[name] = value
        if given != len(variables):
            faults.extend(self._undeclared(variables))
        if faults:
            raise InvalidRequest.of(*faults[:_MAX_FAULTS])
        return values

    def _misfit(self, variable: Variable, value: Any) -> str | None:
        return unprintable(value) if variable.name in self.untyped else misfit(variable, value)

    def _undeclared(self, variables: Mapping[str, JSONValue]) -> list[Fault]:
        found: list[Fault] = []
        for name in variables:
            if name not in self._by_name:
                declared = ", ".join(f"`{each}`" for each in list(self._by_name)[:20]) or "none"
                found.append(
                    Fault(
                        path=f"variables.{shown(str(name))}",
                        message=f"the prompt declares no such variable{suggestion(str(name), self._by_name)}"
                        f"; declared: {declared}",
                    )
                )
                if len(found) >= _MAX_FAULTS:
                    break
        return found


def _joined(texts: list[str]) -> str | None:
    """One text of several, between which exactly one blank line stands, whatever newlines they begin and end with;
    those that say nothing are left out. A single one stays as it is."""
    if len(texts) < 2:
        return texts[0] if texts else None
    said = [text for text in texts if text.strip("\r\n")] or texts[:1]
    first, *further = said
    return "\n\n".join(
        [
            *(text.strip("\r\n") if index else text.rstrip("\r\n") for index, text in enumerate(said[:-1])),
            said[-1].lstrip("\r\n") if further else first,
        ]
    )


def _as_lines(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _missing(variable: Variable) -> Fault:
    what = f": {variable.description}" if variable.description else ""
    return Fault(
        path=f"variables.{variable.name}", message=f"is missing; the prompt needs {expected(variable)}{what}"
    )


def _straight(turn: CompiledTurn) -> tuple[list[str], tuple[tuple[int, str], ...]] | None:
    pieces: list[str] = []
    holes: list[tuple[int, str]] = []
    for index, operation in enumerate(turn.program):
        if isinstance(operation, str):
            pieces.append(operation)
        elif isinstance(operation, tuple) and operation[:2] == ("value", "root") and "." not in operation[2]:
            pieces.append("")
            holes.append((index, operation[2]))
        else:
            return None
    return pieces, tuple(holes)
