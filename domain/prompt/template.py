"""From text to nodes: Mustache's syntax, with parameters for partials and without what would run code.

`{{x}}` `{{a.b}}` `{{.}}` print a value; `{{{x}}}` and `{{&x}}` mean the same, for nothing is ever escaped.
`{{#x}}…{{/x}}` and `{{^x}}…{{/x}}` are sections, `{{! …}}` a comment, `{{> name key=value}}` a fragment with
parameters, `{{#with key=value}}…{{/with}}` names values for the text inside, and `{{"{{"}}` prints what is in the
quotes. As in https://github.com/mustache/spec a section tag, comment or fragment that has a line to itself takes
the line with it, and a fragment's lines are then indented as its tag is.

Takes time linear in the text, whatever the text, and stops at `MAX_FAULTS`. Longer than other files: one reader, a
method for each tag.
"""

import json
import re
from typing import Final

import attrs

from domain.errors import InvalidRequest
from domain.prompt.nodes import Close, Include, Node, Open, OpenKind, Parameter, Path, Quoted, Text, Value
from domain.prompt.program import MAX_NODES
from domain.prompt.reference import PromptReference
from domain.prompt.template_fault import MAX_FAULTS
from domain.suggestion import shown
from domain.values import frozen

MAX_SECTION_DEPTH: Final = 32
MAX_TEMPLATE_BYTES: Final = 256 * 1024
BLANK: Final = "is empty; write its text"
"""The message for a template that `is_blank`."""
_MAX_PARAMETERS: Final = 100
_MAX_PATH_PARTS: Final = 32

# All quantifiers that could backtrack are possessive: no text takes more than linear time.
_SPACE: Final = re.compile(r"[ \t\r\n]*+")
_LINE_END: Final = re.compile(r"[ \t]*+(?:\r?\n|\Z)")
_DOUBLE_QUOTED: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SINGLE_QUOTED: Final = re.compile(r"'(?:[^'\\]++|\\.)*+'", re.DOTALL)
_WORD: Final = re.compile(r"[^ \t\r\n{}\"'=]++")
_EQUALS: Final = re.compile(r"[ \t\r\n]*+=[ \t\r\n]*+")
VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}+\Z")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?\Z")
VALUE_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]{0,63}+(?:\.[A-Za-z0-9_\-]{1,64}+)*+\Z")
_HELPER: Final = re.compile(r"(?P<helper>if|unless|each)[ \t]++(?P<name>[A-Za-z_][A-Za-z0-9_.]{0,63}+)\Z")

_REFUSED: Final = {
    "=": 'the delimiters can\'t be changed; print braces with `{{"{{"}}`',
    "<": "templates can't inherit; include a fragment with parameters: `{{> name key=value}}`",
    "$": "there are no blocks to override; give the fragment a parameter: `{{> name key=value}}`",
    "%": "there are no pragmas; take the tag out",
    "@": "there are no data variables; declare a variable and write `{{name}}`",
}


@frozen(kw_only=True)
class Template:
    """A template as read; where there are `faults`, `nodes` are not to be used."""

    nodes: tuple[Node, ...]
    faults: tuple[tuple[int, str], ...]
    """(offset, what is wrong and what to do)."""


def parse(text: str) -> Template:
    """Raises nothing: whatever is wrong is in `faults`, in the order of the text."""
    return _Parser(text).parse()


def is_blank(text: str) -> bool:
    """Whether nothing but white space is in it: no prompt, nor a turn of one."""
    return not text or text.isspace()


class _Bad(Exception):
    """A tag that can't be read; parsing goes on behind it, or at `resume`."""

    def __init__(self, at: int, message: str, resume: int | None = None) -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.resume = resume


@attrs.define
class _Parser:
    text: str
    nodes: list[Node] = attrs.field(factory=list)
    faults: list[tuple[int, str]] = attrs.field(factory=list)
    opened: list[tuple[str, int]] = attrs.field(factory=list)
    """Names and offsets of the sections that are open."""
    pending: int = 0
    """Where the text begins that no node holds yet."""
    gave_up: bool = False

    def parse(self) -> Template:
        position = 0
        while len(self.faults) < MAX_FAULTS and not self.gave_up:
            start = self.text.find("{{", position)
            if start < 0:
                break
            if len(self.nodes) > MAX_NODES:
                self._give_up(
                    start, f"the template has more than {MAX_NODES} texts and tags; split or shorten it"
                )
            try:
                position = self._tag(start)
            except _Bad as bad:
                self.faults.append((bad.at, bad.message))
                position = self.pending = bad.resume or self._behind(bad.at)
        else:
            self.opened.clear()
        self._flush(len(self.text))
        for name, at in self.opened:
            self.faults.append(
                (at, f"`{{{{#{shown(name)}}}}}` is never closed; add `{{{{/{shown(name)}}}}}`")
            )
        self.faults.sort()
        return Template(nodes=tuple(self.nodes), faults=tuple(self.faults[:MAX_FAULTS]))

    def _give_up(self, at: int, message: str) -> None:
        """What comes behind is not looked at: in a text of this kind it would be thousands of faults of one kind."""
        self.gave_up = True
        self.faults.append((at, message))

    def _behind(self, at: int) -> int:
        """Where to go on after a fault at `at`."""
        close = self.text.find("}}", at)
        return close + 2 if close >= 0 else len(self.text)

    def _tag(self, start: int) -> int:
        """Reads the tag at `start`; returns where to look for the next."""
        text = self.text
        if text.startswith("{{{", start):
            return self._value(start, start + 3, "}}}")
        at = _space(text, start + 2)
        match text[at : at + 1]:
            case "":
                raise self._unclosed(start)
            case '"':
                return self._quoted(start, at)
            case "!":
                return self._comment(start, at)
            case ">":
                return self._include(start, at)
            case "#":
                return self._open(start, at, "section")
            case "^":
                return self._open(start, at, "inverted")
            case "/":
                return self._close(start, at)
            case "&":
                return self._value(start, at + 1, "}}")
            case sigil if sigil in _REFUSED:
                raise _Bad(start, _REFUSED[sigil])
            case _:
                return self._value(start, start + 2, "}}")

    def _value(self, start: int, inner: int, closing: str) -> int:
        content, end = self._content(start, inner, closing)
        path = self._path(start, content)
        self._flush(start)
        self.nodes.append(Value(path, start, self._starts_line(start)))
        self.pending = end
        return end

    def _quoted(self, start: int, at: int) -> int:
        match = _DOUBLE_QUOTED.match(self.text, at)
        if match is None:
            raise _Bad(at, 'the text in quotes does not end; close it with `"}}`')
        literal = self._string(match[0], at)
        end = _space(self.text, match.end())
        if not self.text.startswith("}}", end):
            raise _Bad(
                start,
                "a tag that begins with a quote holds one JSON string and `}}`; "
                'for two braces as text write `{{"{{"}}`',
            )
        self._flush(start)
        self.nodes.append(Quoted(literal, self._starts_line(start)))
        self.pending = end + 2
        return self.pending

    def _comment(self, start: int, at: int) -> int:
        close = self.text.find("}}", at)
        if close < 0:
            raise self._unclosed(start)
        if self._block_tag(start, close + 2) is None and self._starts_line(start):
            self.nodes.append(Text("", starts_line=True))
        return self.pending

    def _include(self, start: int, at: int) -> int:
        at = _space(self.text, at + 1)
        word = _WORD.match(self.text, at)
        if word is None:
            if _WORD.match(self.text, start + 2) is None or self.text.find("}}", at) < 0:
                raise self._unclosed(start)
            raise _Bad(start, "the fragment's name is missing; write `{{> name}}`")
        written = word[0]
        if written.startswith("*"):
            raise _Bad(
                start,
                "a fragment's name can't come from a variable; name it, or choose by sections around it",
            )
        try:
            PromptReference.parse(written)
        except InvalidRequest:
            raise _Bad(
                start, f"`{shown(written)}` names no fragment; write `name`, `name:v3` or `name@label`"
            ) from None
        parameters, end = self._parameters(start, word.end())
        indent = self._block_tag(start, end)
        self.nodes.append(
            Include(written, parameters, indent, start, indent is None and self._starts_line(start))
        )
        return self.pending

    def _open(self, start: int, at: int, kind: OpenKind) -> int:
        at = _space(self.text, at + 1)
        word = _WORD.match(self.text, at)
        parameters: tuple[Parameter, ...] = ()
        if kind == "section" and word is not None and word[0] == "with" and not self._ends(word.end()):
            kind, path = "with", ""
            parameters, end = self._parameters(start, word.end())
        else:
            content, end = self._content(start, at, "}}")
            path = self._path(start, content)
        if len(self.opened) >= MAX_SECTION_DEPTH:
            self._give_up(start, f"sections are nested deeper than {MAX_SECTION_DEPTH}; use a fragment")
        self.opened.append((path or "with", start))
        standalone = self._block_tag(start, end) is not None
        self.nodes.append(Open(kind, path, parameters, start, not standalone and self._starts_line(start)))
        return self.pending

    def _close(self, start: int, at: int) -> int:
        content, end = self._content(start, at + 1, "}}")
        name = self._path(start, content)
        if all(name != each for each, _ in self.opened):
            what = (
                f"; `{{{{#{shown(self.opened[-1][0])}}}}}` is what is open here"
                if self.opened
                else "; take it out, or open the section before it"
            )
            raise _Bad(start, f"`{{{{/{shown(name)}}}}}` closes nothing{what}")
        while (opened := self.opened.pop())[0] != name:
            self.faults.append(
                (
                    opened[1],
                    f"`{{{{#{shown(opened[0])}}}}}` is not closed before `{{{{/{shown(name)}}}}}`; "
                    f"add `{{{{/{shown(opened[0])}}}}}`",
                )
            )
        standalone = self._block_tag(start, end) is not None
        self.nodes.append(Close(not standalone and self._starts_line(start)))
        return self.pending

    def _block_tag(self, start: int, end: int) -> str | None:
        """Puts the text before the tag into a node. For a tag that has its line to itself, takes the line away and
        returns what the tag was indented with; None for any other."""
        text = self.text[self.pending : start]
        newline = text.rfind("\n")
        lead = text[newline + 1 :]
        begins = newline >= 0 or self._starts_line(self.pending)
        if begins and not lead.strip(" \t") and (line_end := _LINE_END.match(self.text, end)):
            self._flush(start - len(lead))
            self.pending = line_end.end()
            return lead
        self._flush(start)
        self.pending = end
        return None

    def _flush(self, end: int) -> None:
        if end > self.pending:
            self.nodes.append(Text(self.text[self.pending : end], self._starts_line(self.pending)))

    def _starts_line(self, at: int) -> bool:
        return at == 0 or self.text[at - 1] == "\n"

    def _content(self, start: int, inner: int, closing: str) -> tuple[str, int]:
        """What stands in a tag without quotes, and where the tag ends."""
        close = self.text.find(closing, inner)
        nested = self.text.find("{{", inner, close if close >= 0 else len(self.text))
        if close < 0 or nested >= 0:
            raise self._unclosed(start, closing, nested)
        return self.text[inner:close].strip(" \t\r\n"), close + len(closing)

    def _unclosed(self, start: int, closing: str = "}}", resume: int = -1) -> _Bad:
        # Without another tag behind it there is nothing left to read.
        return _Bad(
            start,
            f'this tag is not closed; add `{closing}`, or for two braces as text write `{{{{"{{{{"}}}}`',
            resume=resume if resume >= 0 else len(self.text),
        )

    def _path(self, start: int, content: str) -> str:
        if content == ".":
            return content
        if len(content) > 64 * _MAX_PATH_PARTS or not VALUE_PATH.match(content):
            raise _Bad(start, _bad_name(content))
        if content.count(".") >= _MAX_PATH_PARTS:
            raise _Bad(start, f"a path has at most {_MAX_PATH_PARTS} names")
        return content

    def _ends(self, at: int) -> bool:
        return self.text.startswith("}}", _space(self.text, at))

    def _parameters(self, start: int, at: int) -> tuple[tuple[Parameter, ...], int]:
        """`key=value …` up to the end of the tag, and where the tag ends."""
        found: dict[str, Parameter] = {}
        while True:
            at = _space(self.text, at)
            if self.text.startswith("}}", at):
                return tuple(found.values()), at + 2
            word = _WORD.match(self.text, at)
            if word is None:
                nested = self.text.find("{{", at)
                close = self.text.find("}}", at)
                if close < 0 or 0 <= nested < close:
                    raise self._unclosed(start, resume=nested)
                raise _Bad(at, "parameters are written `key=value`, with white space between them")
            equals = _EQUALS.match(self.text, word.end())
            if equals is None:
                raise _Bad(
                    at, f'`{shown(word[0])}` has no value; parameters are written `key=value`: `key="text"`'
                )
            if not VARIABLE_NAME.match(word[0]):
                raise _Bad(at, f"`{shown(word[0])}` is no parameter; letters, digits and `_`, at most 64")
            if word[0] in found:
                raise _Bad(at, f"the parameter `{word[0]}` is given twice; keep one")
            if len(found) >= _MAX_PARAMETERS:
                raise _Bad(at, f"at most {_MAX_PARAMETERS} parameters; pass an object instead")
            value, end = self._parameter_value(equals.end())
            found[word[0]] = Parameter(word[0], value, at)
            at = end

    def _parameter_value(self, at: int) -> tuple[Path | str | int | float | bool, int]:
        quote = self.text[at : at + 1]
        if quote in ('"', "'") and quote:
            match = (_DOUBLE_QUOTED if quote == '"' else _SINGLE_QUOTED).match(self.text, at)
            if match is None:
                raise _Bad(at, f"the text in quotes does not end; close it with {quote}")
            return self._string(match[0], at), match.end()
        word = _WORD.match(self.text, at)
        if word is None:
            raise _Bad(
                at, "a value is missing; write a text in quotes, a number, true, false or a variable's name"
            )
        if word[0] in ("true", "false"):
            return word[0] == "true", word.end()
        if _NUMBER.match(word[0]):
            number = json.loads(word[0])
            if isinstance(number, float) and number in (float("inf"), float("-inf")):
                raise _Bad(at, f"`{word[0]}` is too large for a number")
            return number, word.end()
        if word[0] != "." and not VALUE_PATH.match(word[0]):
            raise _Bad(
                at,
                f"`{shown(word[0])}` is no value; write a text in quotes, a number, true, false or a variable's name",
            )
        return Path(word[0]), word.end()

    def _string(self, literal: str, at: int) -> str:
        if literal.startswith("'"):
            inner = re.sub(r"\\(.)|(\")", _requoted, literal[1:-1], flags=re.DOTALL)
            literal = f'"{inner}"'
        try:
            # Raw newlines are welcome in the quotes.
            return str(json.loads(literal, strict=False))
        except ValueError:
            raise _Bad(
                at,
                "an escape in the quotes is none of JSON's; write `\\\\` for a backslash, `\\n` for a new line",
            ) from None


def _requoted(match: re.Match[str]) -> str:
    """One piece of a single-quoted text, as JSON has it."""
    if match[2]:
        return '\\"'
    return "'" if match[1] == "'" else match[0]


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None  # noqa: S101 - the pattern matches the empty text too
    return match.end()


def _bad_name(content: str) -> str:
    if not content:
        return 'the tag is empty; write a variable\'s name, or for two braces as text `{{"{{"}}`'
    if helper := _HELPER.match(content):
        sign = "^" if helper["helper"] == "unless" else "#"
        name = helper["name"]
        return f"there are no helpers; write `{{{{{sign}{name}}}}}…{{{{/{name}}}}}`"
    if content.startswith(".."):
        return "there are no parent paths; names that the item lacks are found further out by themselves"
    if "|" in content or "(" in content:
        return (
            f"`{shown(content)}` is no name, and templates have no filters and no calls; "
            "compute the value before, and pass it as a variable"
        )
    return (
        f"`{shown(content)}` is no name; letters, digits, `_` and `-`, not a digit first, at most 64, "
        'joined by `.`; for two braces as text write `{{"{{"}}`'
    )
