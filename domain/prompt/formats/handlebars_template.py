"""Dotprompt's Handlebars as lor3's templates, turn by turn.

Takes time linear in the text, whatever the text, and stops at `MAX_FAULTS`. Longer than other files: what a tag
becomes hangs on all blocks that are open around it, so the walk and its state are one; cutting the text into tags and
what names mean are files of their own.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

import attrs

from domain.errors import Fault
from domain.prompt.formats.handlebars import Piece, Tag, Text, Word, pieces
from domain.prompt.formats.imported import fault_in, name_from, printed
from domain.prompt.formats.literal import literal
from domain.prompt.formats.plain_variables import IDENTIFIER
from domain.prompt.formats.scope import BlockKind, Found, Frame, NoEquivalent, look_up
from domain.prompt.formats.shape import Shape
from domain.prompt.source import Origin, Turn, TurnRole, Variable, VariableType
from domain.prompt.template import MAX_TEMPLATE_BYTES
from domain.prompt.template_fault import MAX_FAULTS
from domain.values import frozen

_ROLES: Final[Mapping[str, TurnRole]] = {
    "system": "system", "user": "user", "model": "assistant", "assistant": "assistant"
}  # fmt: skip
_MAX_DEPTH: Final = 32
_MAX_WRITTEN: Final = 4 * MAX_TEMPLATE_BYTES
"""Characters of all templates: each `{{else}}` repeats the whole name of its block."""
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
_REMEDIES: Final[Mapping[str, str]] = {
    "media": "lor3's turns are texts; send images with the chat, as parts of a message",
    "history": "lor3 puts a thread's messages behind the prompt by itself; take it out",
    "section": "take it out",
    "json": "lor3 prints lists and objects as JSON by themselves, on one line; declare it as one and write `{{name}}`",
    "ifEquals": "give a boolean variable and write `{{#if name}}`",
    "unlessEquals": "give a boolean variable and write `{{#unless name}}`",
    "log": "take it out",
    "lookup": "name the field",
}


@frozen(kw_only=True)
class Converted:
    turns: tuple[Turn, ...]
    has_roles: bool
    """False where the text names no role, and is one turn of the user."""
    inferred: tuple[Variable, ...]
    """What the text uses and nothing declares, in order of use, with the type that its use asks for."""
    faults: tuple[Fault, ...]


def convert(
    text: str, declared: Mapping[str, Shape | None], *, may_infer: bool, origin: Origin | None = None
) -> Converted:
    """
    Args:
        may_infer: False where a schema declares the variables: then any other one is a fault.
        origin: where `text` stands in its file.
    """
    conversion = _Conversion(
        text=text, pieces=pieces(text), declared=declared, may_infer=may_infer, origin=origin
    )
    conversion.run()
    return Converted(
        turns=conversion.turns(),
        has_roles=conversion.has_roles,
        inferred=conversion.inferred(),
        faults=tuple(conversion.faults),
    )


@frozen(kw_only=True)
class _Open:
    """A block that was opened and not closed yet."""

    tag: Tag
    name: str
    """As its closing tag must have it."""
    frames: tuple[Frame, ...]
    """Around it."""
    path: str
    is_inverted: bool
    shape: Shape | None
    kind: BlockKind
    chained: bool = False
    """It came with `{{else if …}}`, and closes with the block it came in."""


@attrs.define(kw_only=True)
class _Conversion:
    text: str
    pieces: tuple[Piece, ...]
    declared: Mapping[str, Shape | None]
    may_infer: bool
    origin: Origin | None
    faults: list[Fault] = attrs.field(factory=list)
    has_roles: bool = False
    _written: int = 0
    _parts: list[tuple[TurnRole, list[str]]] = attrs.field(factory=lambda: [("user", [])])
    _blocks: list[_Open] = attrs.field(factory=list)
    _frames: tuple[Frame, ...] = ()
    _uses: dict[str, set[str]] = attrs.field(factory=dict)
    """Variable → the ways it is used: text, truth, list, object."""

    def run(self) -> None:
        for index, piece in enumerate(self.pieces):
            if len(self.faults) >= MAX_FAULTS:
                return
            if isinstance(piece, Text):
                following = self.pieces[index + 1] if index + 1 < len(self.pieces) else None
                self._write(literal(piece.text, before_tag=isinstance(following, Tag)))
                continue
            try:
                self._tag(index, piece)
            except NoEquivalent as error:
                self._fault(piece, str(error))
            if self._written > _MAX_WRITTEN:
                self._fault(
                    piece, "up to here the text comes to more than 1 MiB as a template of lor3; shorten it"
                )
                return
        for block in self._blocks:
            if not block.chained:
                self._fault(block.tag, f"is never closed; write `{{{{/{printed(block.name)}}}}}`")

    def turns(self) -> tuple[Turn, ...]:
        written = ((role, "".join(parts).strip()) for role, parts in self._parts)
        return tuple(Turn(role=role, template=template) for role, template in written if template)

    def inferred(self) -> tuple[Variable, ...]:
        return tuple(
            Variable(name=name, type=_type_for(uses))
            for name, uses in self._uses.items()
            if name not in self.declared
        )

    def _tag(self, index: int, tag: Tag) -> None:
        match tag.kind:
            case "comment":
                self._comment(tag)
            case "value":
                self._value(tag)
            case "open" | "inverted":
                self._open(tag)
            case "else":
                self._else(index, tag)
            case "close":
                self._close(index, tag)
            case "partial":
                self._partial(tag)
            case "unknown":
                raise NoEquivalent(
                    f"`{printed(tag.raw)}` is never closed, or a kind of tag that lor3 does not have"
                )

    def _comment(self, tag: Tag) -> None:
        if "}}" not in tag.inside and "{{" not in tag.inside:
            self._write("{{! " + tag.inside + " }}")

    def _value(self, tag: Tag) -> None:
        if not tag.words:
            raise NoEquivalent(f"`{printed(tag.raw)}` is nothing that can be read; write `{{{{name}}}}`")
        first, *others = tag.words
        if first.text == "role" and len(others) == 1:
            self._role(others[0])
        elif first.text == "json" and len(others) == 1 and others[0].key is None and not others[0].is_quoted:
            found = self._found(others[0].text, use="object")
            if found.shape is None or found.shape.type not in ("list", "object"):
                raise NoEquivalent(f"the helper `json` has no equivalent here: {_REMEDIES['json']}")
            self._write("{{" + found.path + "}}")
        elif others or (first.text in _REMEDIES and first.text not in self.declared):
            raise NoEquivalent(_no_helper(first.text))
        elif first.is_quoted:
            self._write(literal(first.text))
        else:
            self._write("{{" + self._found(first.text, use="text").path + "}}")

    def _role(self, word: Word) -> None:
        if self._blocks:
            raise NoEquivalent(
                "a `{{role}}` inside a block has no equivalent; give each turn a text of its own"
            )
        if not word.is_quoted or word.text not in _ROLES:
            raise NoEquivalent(
                f"the role `{printed(word.text)}` has no equivalent; use system, user or model"
            )
        self.has_roles = True
        self._parts.append((_ROLES[word.text], []))

    def _partial(self, tag: Tag) -> None:
        if not tag.words or tag.words[0].key is not None:
            raise NoEquivalent(
                f"`{printed(tag.raw)}` names no partial that lor3 could include; write `{{{{> name}}}}`"
            )
        name = name_from(tag.words[0].text)
        if name != tag.words[0].text:
            raise NoEquivalent(f"`{printed(tag.words[0].text)}` can be no prompt's name; rename the partial")
        parameters = [self._parameter(word) for word in tag.words[1:]]
        self._write("{{> " + " ".join((name, *parameters)) + "}}")

    def _parameter(self, word: Word) -> str:
        if word.key is None:
            raise NoEquivalent(
                "a partial's own context has no equivalent; give it what it needs as `name=value`"
            )
        if IDENTIFIER.match(word.key) is None:
            raise NoEquivalent(f"`{printed(word.key)}` can be no variable's name; rename it")
        if word.is_quoted:
            return f"{word.key}={json.dumps(word.text, ensure_ascii=False)}"
        if word.text in ("true", "false") or _NUMBER.match(word.text):
            return f"{word.key}={word.text}"
        return f"{word.key}={self._found(word.text, use='text').path}"

    def _open(self, tag: Tag) -> None:
        if len(self._blocks) >= _MAX_DEPTH:
            raise NoEquivalent(f"blocks are nested more than {_MAX_DEPTH} deep")
        block = self._block(tag, tag.words)
        self._begin(block)

    def _block(self, tag: Tag, words: tuple[Word, ...], *, chained: bool = False) -> _Open:
        if not words:
            raise self._unopened(tag, f"`{printed(tag.raw)}` is nothing that can be read")
        name = words[0].text
        is_builtin = name in ("if", "unless", "each", "with")
        if len(words) != (2 if is_builtin else 1) or words[-1].is_quoted or words[-1].key is not None:
            message = (
                _no_helper(name)
                if not is_builtin
                else f"`{printed(tag.raw)}` has no equivalent; give it one name"
            )
            raise self._unopened(tag, message)
        try:
            return self._sound_block(tag, name, words[-1].text, chained=chained)
        except NoEquivalent as error:
            raise self._unopened(tag, str(error)) from None

    def _sound_block(self, tag: Tag, name: str, written: str, *, chained: bool) -> _Open:
        found = self._found(written, use={"each": "list", "with": "object"}.get(name, "truth"))
        kind = found.shape.type if found.shape else None
        is_plain = name not in ("if", "unless", "each", "with")
        is_inverted = tag.kind == "inverted" or name == "unless"
        if name == "each" and kind not in (None, "list"):
            raise NoEquivalent(
                f"`{written}` is no list, and lor3 goes through lists alone; declare it as an array"
            )
        if name in ("if", "unless", "with") and kind == "list":
            raise NoEquivalent(
                f"`{{{{#{name} {written}}}}}` over a list has no equivalent, for a section of lor3 goes through it; give "
                "a boolean variable beside it, or use `{{#each}}…{{else}}…{{/each}}`"
            )
        is_list = name == "each" or (kind == "list" and not is_inverted)
        return _Open(
            tag=tag,
            name=name,
            frames=self._frames,
            path=found.path,
            is_inverted=is_inverted,
            shape=(found.shape.items if found.shape else None) if is_list else found.shape,
            # A section without a helper enters objects; where nothing is known of it, it is a plain condition.
            kind="each" if is_list else "with" if name == "with" or (is_plain and kind == "object") else "if",
            chained=chained,
        )

    def _begin(self, block: _Open) -> None:
        self._blocks.append(block)
        self._write("{{" + ("^" if block.is_inverted else "#") + block.path + "}}")
        if not block.is_inverted:
            self._frames = (*block.frames, Frame(kind=block.kind, path=block.path, shape=block.shape))

    def _else(self, index: int, tag: Tag) -> None:
        if not self._blocks:
            raise NoEquivalent("there is no block that this could be the other side of")
        block = self._blocks[-1]
        if not block.path:
            return  # of a block that was refused already
        if tag.words and tag.words[0].text == "if" and len(self._blocks) >= _MAX_DEPTH:
            raise NoEquivalent(f"blocks are nested more than {_MAX_DEPTH} deep")
        if block.is_inverted and block.shape is not None and block.shape.type == "list":
            raise NoEquivalent(
                "the other side of `unless` over a list has no equivalent; give a boolean variable"
            )
        self._frames = block.frames
        other = attrs.evolve(block, is_inverted=not block.is_inverted)
        self._blocks[-1] = other
        # On a line of its own Handlebars takes the whole line away; lor3 does so for a single tag.
        between = self._line_between(index)
        self._write(
            "{{/"
            + block.path
            + "}}"
            + between
            + "{{"
            + ("^" if other.is_inverted else "#")
            + block.path
            + "}}"
        )
        if not other.is_inverted:
            self._frames = (*block.frames, Frame(kind=block.kind, path=block.path, shape=block.shape))
        if tag.words:
            if tag.words[0].text not in ("if", "unless", "each", "with"):
                raise NoEquivalent(_no_helper(tag.words[0].text))
            self._write(between)
            self._begin(self._block(tag, tag.words, chained=True))

    def _close(self, index: int, tag: Tag) -> None:
        closed: list[_Open] = []
        while self._blocks and self._blocks[-1].chained:
            closed.append(self._blocks.pop())
        if not self._blocks or self._blocks[-1].name != tag.inside:
            self._blocks.extend(reversed(closed))
            opened = next((block.name for block in reversed(self._blocks) if not block.chained), None)
            remedy = f"; close `{printed(opened)}` first" if opened else "; take it out"
            raise NoEquivalent(f"`{printed(tag.raw)}` closes what is not open{remedy}")
        closed.append(self._blocks.pop())
        self._frames = closed[-1].frames
        between = self._line_between(index)
        self._write(between.join("{{/" + block.path + "}}" for block in closed if block.path))

    def _unopened(self, tag: Tag, message: str) -> NoEquivalent:
        """For a block that is refused: it is kept open without a path, so that its closing tag is no fault too."""
        name = tag.words[0].text if tag.words else tag.inside
        if tag.kind != "else":
            self._blocks.append(
                _Open(
                    tag=tag, name=name, frames=self._frames, path="", is_inverted=False, shape=None, kind="if"
                )
            )
        return NoEquivalent(message)

    def _found(self, written: str, *, use: str) -> Found:
        if any(not block.path for block in self._blocks):
            # Inside a refused block nobody knows what a name means; the block is the fault to mend first.
            return Found(path="x", shape=None, root=None)
        found = look_up(written, self._frames, self.declared)
        if found.root is not None and found.root not in self.declared:
            if not self.may_infer:
                raise NoEquivalent(f"`{printed(found.root)}` is declared nowhere; add it to `input.schema`")
            self._uses.setdefault(found.root, set()).add("object" if found.path != found.root else use)
        return found

    def _line_between(self, index: int) -> str:
        """A line break where the tag at `index` stands on a line of its own, so that each of two does."""
        before, after = self.pieces[index - 1] if index else None, self.pieces[index + 1 : index + 2]
        left = before.text.rpartition("\n") if isinstance(before, Text) else ("", "", "x")
        right = after[0].text.partition("\n") if after and isinstance(after[0], Text) else ("x", "", "")
        is_alone = not left[2].strip(" \t") and (left[1] or index <= 1) and not right[0].strip(" \t\r")
        return "\n" if is_alone and (right[1] or index + 2 >= len(self.pieces)) else ""

    def _write(self, text: str) -> None:
        self._parts[-1][1].append(text)
        self._written += len(text)

    def _fault(self, tag: Tag, message: str) -> None:
        self.faults.append(fault_in(self.text, tag.offset, message, path="", origin=self.origin))


def _type_for(uses: set[str]) -> VariableType:
    if "list" in uses:
        return "list"
    if "object" in uses:
        return "object"
    return "string" if "text" in uses else "boolean"


def _no_helper(name: str) -> str:
    remedy = _REMEDIES.get(
        name, "lor3's templates have no logic but sections; do it before, and give the result"
    )
    return f"the helper `{printed(name)}` has no equivalent: {remedy}"
