"""Handlebars' text, cut into its tags (handlebarsjs.com/guide/expressions.html)."""

import re
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import attrs

from domain.prompt.template_fault import MAX_FAULTS
from domain.values import frozen

TagKind: TypeAlias = Literal["value", "open", "inverted", "else", "close", "partial", "comment", "unknown"]

_WORD: Final = re.compile(
    r"""\s*(?:(?P<key>[A-Za-z_][\w\-]*)=)?(?:(?P<text>"[^"]*"|'[^']*')|(?P<bare>\|[^|]*\||\([^)]*\)|[^\s"'|()=]+))"""
)


@frozen
class Text:
    text: str
    offset: int


@frozen(kw_only=True)
class Word:
    """One part of an expression: `name`, `"text"`, `key=name`."""

    key: str | None
    text: str
    """As written, without its quotes."""
    is_quoted: bool


@frozen(kw_only=True)
class Tag:
    kind: TagKind
    raw: str
    """As written, braces included."""
    inside: str
    """Without braces, `~` and the sign of its kind."""
    words: tuple[Word, ...]
    """Empty where it can't be cut into words."""
    offset: int
    trims_left: bool = False
    trims_right: bool = False


Piece: TypeAlias = Text | Tag


def pieces(text: str) -> "tuple[Piece, ...]":
    """`text` in order, with the whitespace taken away that `~` asks for."""
    found = list(_cut(text))
    for index, piece in enumerate(found):
        if not isinstance(piece, Tag):
            continue
        before = found[index - 1] if index else None
        after = found[index + 1] if index + 1 < len(found) else None
        if piece.trims_left and isinstance(before, Text):
            found[index - 1] = attrs.evolve(before, text=before.text.rstrip())
        if piece.trims_right and isinstance(after, Text):
            stripped = after.text.lstrip()
            found[index + 1] = Text(stripped, after.offset + len(after.text) - len(stripped))
    return tuple(found)


def _cut(text: str) -> "Iterator[Piece]":
    at = endless = 0
    while at < len(text):
        start = text.find("{{", at)
        if start < 0:
            yield Text(text[at:], at)
            return
        if text[at:start].endswith("\\") and not text[at:start].endswith("\\\\"):
            # `\{{x}}` is the text `{{x}}`, up to the next tag.
            end = text.find("{{", start + 2)
            end = len(text) if end < 0 else end
            yield Text(text[at : start - 1] + text[start:end], at)
            at = end
            continue
        if text[at:start].endswith("\\\\"):  # an escaped backslash before a tag
            yield Text(text[at : start - 1], at)
        elif start > at:
            yield Text(text[at:start], at)
        tag = _tag(text, start)
        yield tag
        at = start + len(tag.raw)
        endless += tag.raw == "{{"
        if endless >= MAX_FAULTS:
            # Each was looked for up to the end of the text, and there are faults enough to show.
            return


def _tag(text: str, start: int) -> Tag:
    """The tag that begins at `start`; one that never ends takes in its opening braces alone."""
    comment = re.compile(r"\{\{~?!--").match(text, start)
    triple = text.startswith("{{{", start)
    closing = "--" if comment else "}}}" if triple else "}}"
    end = text.find(closing, comment.end() if comment else start + 2)
    if comment and end >= 0:
        end = text.find("}}", end)
    if end < 0 or text.startswith("{{{{", start):
        return Tag(kind="unknown", raw="{{", inside="", words=(), offset=start)
    end += 3 if triple else 2
    raw = text[start:end]
    inside = raw[3:-3] if triple else raw[2:-2]
    trims_left, trims_right = inside.startswith("~"), inside.endswith("~")
    inside = inside.removeprefix("~").removesuffix("~").strip()
    kind, inside = _kind(inside)
    return Tag(
        kind=kind,
        raw=raw,
        inside=inside,
        words=() if kind == "comment" else _words(inside),
        offset=start,
        trims_left=trims_left,
        trims_right=trims_right,
    )


def _kind(inside: str) -> tuple[TagKind, str]:
    if inside.startswith("!"):
        return "comment", inside[1:].strip("- \n\t")
    if inside.startswith(("#>", "#*", "*")):
        return "unknown", inside
    if inside.startswith("#"):
        return "open", inside[1:].strip()
    if inside == "^" or re.match(r"else\b", inside):
        return "else", inside.removeprefix("else").removeprefix("^").strip()
    if inside.startswith("^"):
        return "inverted", inside[1:].strip()
    if inside.startswith("/"):
        return "close", inside[1:].strip()
    if inside.startswith(">"):
        return "partial", inside[1:].strip()
    return "value", inside.removeprefix("&").strip()


def _words(inside: str) -> tuple[Word, ...]:
    found: list[Word] = []
    at = 0
    while at < len(inside):
        match = _WORD.match(inside, at)
        if match is None or match.end() == at:
            return ()
        text = match["text"]
        found.append(
            Word(
                key=match["key"],
                text=text[1:-1] if text is not None else match["bare"],
                is_quoted=text is not None,
            )
        )
        at = match.end()
        while at < len(inside) and inside[at].isspace():
            at += 1
    return tuple(found)
