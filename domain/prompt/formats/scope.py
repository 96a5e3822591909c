"""What a Handlebars name means where it stands, and how lor3 names the same value.

Handlebars looks a name up in the innermost `each` or `with` alone; lor3, like Mustache, in every section around it,
from the inside out, and a section over a plain value is one too. Where the two could find different values, the name
has no equivalent.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from domain.prompt.formats.imported import printed
from domain.prompt.formats.plain_variables import IDENTIFIER
from domain.prompt.formats.shape import Shape, inside, may_have
from domain.values import frozen

BlockKind: TypeAlias = Literal["each", "with", "if"]
_THIS: Final = (".", "this")
_MAX_STEPS: Final = 32
"""As many names as a path of lor3 has at most."""
_MAX_PATH: Final = 64 * _MAX_STEPS + 3 * 32
"""Characters: names of 64, and a `../` for each block that can be open."""


@frozen(kw_only=True)
class Frame:
    """A section around a name."""

    kind: BlockKind
    path: str
    """Of its value, as lor3 has it."""
    shape: Shape | None
    """Of what the names inside are looked up in."""


@frozen(kw_only=True)
class Found:
    path: str
    """As lor3 has it: `user.name`, `.` for the item of a list."""
    shape: Shape | None
    root: str | None
    """The variable it is, or is in; None inside an item."""


class NoEquivalent(Exception):
    """`str()` says what a name can't be, and what to do."""


def look_up(written: str, frames: tuple[Frame, ...], declared: Mapping[str, Shape | None]) -> Found:
    """
    Args:
        written: a Handlebars path: `name`, `this.name`, `../name`.
        frames: outermost first.
        declared: the variables and what is known of them.

    Raises:
        NoEquivalent: lor3 can't say the same.
    """
    if len(written) > _MAX_PATH:
        raise NoEquivalent(
            f"`{printed(written)}` is too long; a path has at most {_MAX_STEPS} names of 64 characters"
        )
    ups, rest = 0, written
    while rest.startswith("../"):
        ups, rest = ups + 1, rest[3:]
    rest = rest.removeprefix("./")
    if rest in _THIS:
        return _this(written, frames, ups)
    rest = rest.removeprefix("this.")
    steps = tuple(rest.split("."))
    if len(steps) > _MAX_STEPS:
        raise NoEquivalent(
            f"`{printed(written)}` has more than {_MAX_STEPS} names; give the value inside as a variable"
        )
    if rest.startswith("@"):
        raise NoEquivalent(
            f"`{written}` has no equivalent: lor3 knows no index, key or state; give it as a variable"
        )
    if not all(IDENTIFIER.match(step) for step in steps):
        raise NoEquivalent(
            f"`{written}` has no equivalent; names are letters, digits and `_`, with dots between them"
        )
    scopes = [index for index, frame in enumerate(frames) if frame.kind != "if"]
    if ups > len(scopes):
        raise NoEquivalent(f"`{written}` goes above the whole input; take out a `../`")
    target = scopes[len(scopes) - 1 - ups] if ups < len(scopes) else None
    head = steps[0]
    for index in range(len(frames) - 1, -1 if target is None else target, -1):
        if _can_hide(frames[index], head):
            raise NoEquivalent(
                f"`{written}` could be another value in lor3, which looks `{head}` up in `{frames[index].path}` "
                "first; declare the fields of that in `input.schema`, or rename one"
            )
    if target is None:
        return Found(path=rest, shape=inside(declared.get(head), steps[1:]), root=head)
    frame = frames[target]
    if not may_have(frame.shape, head):
        raise NoEquivalent(
            f"`{frame.path}` has no field `{head}`; for the variable of that name write `../{rest}`"
            if head in declared
            else f"`{frame.path}` has no field `{head}`; declare it in `input.schema`"
        )
    return Found(path=rest, shape=inside(frame.shape, steps), root=None)


def _can_hide(frame: Frame, head: str) -> bool:
    """Whether lor3 could find `head` in the section, where Handlebars looks further out."""
    if frame.kind == "if" and (frame.shape is None or frame.shape.fields is None):
        return False  # nearly all that is asked for with `if` are plain values
    return may_have(frame.shape, head)


def _this(written: str, frames: tuple[Frame, ...], ups: int) -> Found:
    innermost = frames[-1] if frames else None
    if innermost is None:
        raise NoEquivalent(f"`{written}` is the whole input here, which has no name; name the variables")
    if ups or (innermost.kind == "if" and innermost.path != "."):
        raise NoEquivalent(
            f"`{written}` has no equivalent inside `{innermost.path}`; give the items fields and name one"
        )
    return Found(path=".", shape=innermost.shape, root=None)
