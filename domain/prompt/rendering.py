"""Runs a flat template: no recursion, no formatting language, and nothing of a value is ever parsed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from domain.errors import Fault, InvalidRequest
from domain.json_value import JSONValue
from domain.prompt.program import Program
from domain.prompt.variable_types import printed
from domain.values import frozen

MAX_OUTPUT_BYTES: Final = 256 * 1024
"""Of a rendered prompt, all turns together, in UTF-8."""
MAX_ITERATIONS: Final = 100_000
"""Items that the sections of a prompt go through, together."""
MAX_STEPS: Final = 1_000_000
"""Operations in the sections of a prompt, which may print nothing and so escape the other limits."""
_MAX_FAULTS: Final = 50
_MISSING: Final = object()
_VALUE, _SECTION, _INVERTED, _END, _PASS, _WITH = range(6)


class Budget:
    """What one rendering may still spend, over all of its turns."""

    __slots__ = ("characters", "iterations", "patience", "steps")

    def __init__(self, patience: int = MAX_STEPS) -> None:
        self.characters = MAX_OUTPUT_BYTES  # a character is at least a byte
        self.iterations = MAX_ITERATIONS
        self.steps = MAX_STEPS
        self.patience = MAX_STEPS - patience
        """How many steps must be left, or whoever waits gives up."""


class OutOfPatience(Exception):
    """The rendering takes more operations than its caller wants to wait for; nothing is wrong with it."""


class _Loop:
    """A section that is being repeated, or a `with`."""

    __slots__ = ("index", "items", "path", "source", "start")

    def __init__(self, start: int, path: str, source: Any, items: Sequence[Any] | None) -> None:
        self.start = start
        self.path = path
        self.source = source
        self.items = items
        """None for a `with`."""
        self.index = 0


def too_long() -> InvalidRequest:
    return InvalidRequest.of(
        Fault(
            path="variables",
            message=f"the rendered prompt is larger than {MAX_OUTPUT_BYTES} bytes; shorten the variables or the template",
        )
    )


@frozen
class Steps:
    """A program as `run` wants it, its paths taken apart."""

    steps: tuple[Any, ...]
    """A text, or (kind, how, first name, further names, path, end); what a kind has no use for is None. A `with` has
    (name, how, first name or value, further names) for each name in the place of `how`."""

    @classmethod
    def of(cls, program: Program) -> "Steps":
        return cls(tuple(_step(program, each) for each in program))


def _step(program: Program, operation: Any) -> Any:
    if isinstance(operation, str):
        return operation
    match operation[0]:
        case "value":
            _, how, path = operation
            return _VALUE, how, *_parts(path), path, None
        case "section" | "inverted":
            kind, how, path, end = operation
            return _SECTION if kind == "section" else _INVERTED, how, *_parts(path), path, end
        case "with":
            named = tuple(
                (name, how, value, ()) if how == "const" else (name, how, *_parts(value))
                for name, how, value in operation[1]
            )
            return _WITH, named, None, None, None, operation[2]
        case _:
            opened: Any = program[operation[1]]
            return _END if opened[0] != "inverted" else _PASS, None, None, None, None, operation[1]


def _parts(path: str) -> tuple[str, tuple[str, ...]]:
    first, *rest = path.split(".") if path != "." else (path,)
    return first, tuple(rest)


def run(program: Steps, values: Mapping[str, JSONValue], budget: Budget) -> str:
    """The text that `program` makes of `values`.

    Raises:
        InvalidRequest: a value that is printed is missing, or the budget is used up.
    """
    out: list[str] = []
    frames: list[Any] = []
    """The items of the sections around and the names of each `with`, innermost last."""
    loops: list[_Loop] = []
    faults: dict[str, Fault] = {}
    characters = budget.characters
    steps = program.steps
    at, length = 0, len(steps)
    while at < length:
        step: Any = steps[at]
        if type(step) is str:
            characters -= len(step)
            if characters < 0:
                raise too_long()
            out.append(step)
            at += 1
            continue
        kind, how, first, rest, path, end = step
        if kind <= _INVERTED:
            if how == "root" and not rest:
                value: Any = values.get(first, _MISSING)
            else:
                value = _look_up(how, first, rest, values, frames, loops)
            if kind == _VALUE:
                at += 1
                if value is _MISSING:
                    fault = _missing(path, loops)
                    faults[fault.path] = fault
                    if len(faults) >= _MAX_FAULTS:
                        break
                elif value is not None:
                    text = value if type(value) is str else printed(value)
                    characters -= len(text)
                    if characters < 0:
                        raise too_long()
                    out.append(text)
                continue
            falsy = value is _MISSING or (not value and not isinstance(value, Mapping))
            if kind == _INVERTED:
                at = at + 1 if falsy else end + 1
            elif falsy:
                at = end + 1
            else:
                items: Sequence[Any] = value if isinstance(value, list | tuple) else (value,)
                _spend(budget, end - at)
                loops.append(_Loop(at, path, value, items))
                frames.append(items[0])
                at += 1
        elif kind == _END:
            loop = loops[-1]
            loop.index += 1
            if loop.items is not None and loop.index < len(loop.items):
                _spend(budget, at - end)
                frames[-1] = loop.items[loop.index]
                at = end + 1
            else:
                loops.pop()
                frames.pop()
                at += 1
        else:
            if kind == _WITH:
                frames.append(
                    {
                        name: named
                        if source == "const"
                        else _look_up(source, named, parts, values, frames, loops)
                        for name, source, named, parts in how
                    }
                )
                loops.append(_Loop(at, "", None, None))
            at += 1
    budget.characters = characters
    if faults:
        raise InvalidRequest.of(*faults.values())
    return "".join(out)


def _look_up(
    how: str,
    first: str,
    rest: tuple[str, ...],
    values: Mapping[str, JSONValue],
    frames: list[Any],
    loops: list[_Loop],
) -> Any:
    if how == "item":
        for frame, loop in zip(reversed(frames), reversed(loops), strict=True):
            if loop.items is not None:
                return frame
        return _MISSING
    value: Any = _MISSING
    if how == "name":
        for frame in reversed(frames):
            if isinstance(frame, Mapping) and first in frame:
                value = frame[first]
                break
        else:
            value = values.get(first, _MISSING)
    else:
        value = values.get(first, _MISSING)
    for part in rest:
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _spend(budget: Budget, steps: int) -> None:
    budget.iterations -= 1
    budget.steps -= steps
    if budget.iterations < 0 or budget.steps < 0:
        raise InvalidRequest.of(
            Fault(
                path="variables",
                message=f"the sections of the prompt go through more than {MAX_ITERATIONS} items, or do more than "
                f"{MAX_STEPS} operations; pass shorter lists",
            )
        )
    if budget.steps < budget.patience:
        raise OutOfPatience


def _missing(path: str, loops: list[_Loop]) -> Fault:
    around = [loop for loop in loops if loop.items is not None]
    if not around:
        return Fault(
            path=f"variables.{path}",
            message=f"`{path}` is missing; the template prints it, so give it, or put it into `{{{{#{path}}}}}…"
            f"{{{{/{path}}}}}`",
        )
    where = ""
    for loop in reversed(around):
        if isinstance(loop.source, list | tuple):
            where = f"[{loop.index}]{where}"
        if loop.path != ".":
            where = f"{loop.path}{where}"
            break
    return Fault(
        path=f"variables.{where}.{path}",
        message=f"`{path}` is missing: `{where}` has no such key, and no variable has this name; add it, or put "
        f"it into `{{{{#{path}}}}}…{{{{/{path}}}}}`",
    )
