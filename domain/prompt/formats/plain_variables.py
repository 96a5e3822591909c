"""Texts whose only tags are `{{name}}`: Langfuse's prompts, and instructions that were templates all along."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from domain.prompt.formats.literal import literal
from domain.prompt.source import Variable

_TAG: Final = re.compile(r"\{\{(?P<inside>[^{}]*)\}\}")
IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")


def tags(text: str) -> "Iterator[re.Match[str]]":
    """Every `{{…}}` without braces inside; `inside` is what stands between them."""
    return _TAG.finditer(text)


def with_variables(text: str) -> tuple[str, tuple[str, ...]]:
    """`text` as a template whose `{{name}}`s are variables and all else literal, and the names in order of use."""
    made: list[str] = []
    names: list[str] = []
    at = 0
    for tag in tags(text):
        name = tag["inside"].strip()
        if IDENTIFIER.match(name) is None:
            continue
        made.append(literal(text[at : tag.start()], before_tag=True))
        made.append("{{" + name + "}}")
        names.append(name)
        at = tag.end()
    made.append(literal(text[at:]))
    return "".join(made), tuple(dict.fromkeys(names))


def declared(names: Iterable[str]) -> tuple[Variable, ...]:
    """Each as a string that must be given: such formats declare nothing."""
    return tuple(Variable(name=name) for name in dict.fromkeys(names))
