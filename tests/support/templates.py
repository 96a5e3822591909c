"""Prompts made in a line, and another reading of Mustache to hold the compiler to."""

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt, included
from domain.prompt.content_hash import content_hash
from domain.prompt.document import read_source
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource, Turn
from domain.prompt.version import Pin, PromptVersion

NOW: Final = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
Document = Mapping[str, Any] | str
"""A prompt's document, or the text of a plain fragment."""


def source_of(document: Document) -> PromptSource:
    if isinstance(document, str):
        return PromptSource(turns=(Turn(role="system", template=document),), declares=False)
    if str(document.get("template", "x")).strip():
        return read_source(document)
    # Nobody may write an empty template, but a flat text may be one.
    source = read_source({**document, "template": "x"})
    return attrs.evolve(source, turns=(Turn(role="system", template=document["template"]),))


def version(
    name: str, document: Document, library: Mapping[str, PromptVersion] | None = None, *, number: int = 1
) -> PromptVersion:
    """Pins what `library` has by the name as written; a template that can't be read pins nothing."""
    source = source_of(document)
    try:
        names = included(source)
    except InvalidRequest:
        names = ()
    known = library or {}
    pins = tuple(
        Pin(written=written, ref=known[written].ref, hash=known[written].hash)
        for written in names
        if written in known
    )
    return PromptVersion(
        tenant=DEFAULT_TENANT,
        name=PromptName(name),
        number=number,
        hash=content_hash(source, pins),
        source=source,
        pins=pins,
        made_by="api",
        created_at=NOW,
    )


def family(
    document: Document, **fragments: Document
) -> tuple[PromptVersion, dict[VersionRef, PromptVersion]]:
    """The version `main:v1` and its library; a fragment may include those named before it."""
    library: dict[str, PromptVersion] = {}
    for name, each in fragments.items():
        library[name] = version(name, each, library)
    return version("main", document, library), {each.ref: each for each in library.values()}


def compiled(document: Document, **fragments: Document) -> CompiledPrompt:
    main, library = family(document, **fragments)
    return compile_prompt(main, library)


def rendered(template: str, variables: Mapping[str, Any] | None = None, **values: Any) -> str | None:
    """The system text of `template`, its variables declared by what they are given."""
    declared = (
        variables if variables is not None else {name: type_of(value) for name, value in values.items()}
    )
    return compiled({"template": template, "variables": declared}).render(values).system


def faults(error: InvalidRequest) -> dict[str, str]:
    """Path to message; several of one path are joined by newlines."""
    found: dict[str, str] = {}
    for fault in error.faults:
        found[fault.path] = f"{found[fault.path]}\n{fault.message}" if fault.path in found else fault.message
    return found


def first_line(fault: Fault) -> str:
    return fault.message.partition("\n")[0]


def type_of(value: Any) -> dict[str, Any]:
    """A declaration that `value` fits; null is the default of an optional text."""
    if value is None:
        return {"type": "string", "default": None}
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "list", dict: "object"}
    return {"type": names[type(value)]}


class Missing(Exception):
    """The oracle found nothing to print."""


class Parameters(dict[str, Any]):
    """What a macro was given: names, but no item."""


_STANDALONE = re.compile(r"(?m)^([ \t]*)\{\{([#^/!>])((?:[^}]|\}(?!\}))*)\}\}[ \t]*(?:\r?\n|\Z)")
_TAG = re.compile(r"\{\{(\{[^}]*\}|[^}]*)\}\}")
_ARGUMENT = re.compile(r"(\w+)=(\"[^\"]*\"|\S+)")


def oracle(template: str, stack: Sequence[Any], partials: Mapping[str, str]) -> str:
    """Mustache by the book and by recursion over text: nothing is kept, nothing is shared with the compiler.

    Strings in parameters must hold no `}` and no white space before the next `=`.

    Raises:
        Missing: nothing has the name that is to be printed.
    """

    def alone(match: re.Match[str]) -> str:
        indent, sigil, rest = match.groups()
        return f"{{{{>\t{len(indent)}\t{indent}{rest}}}}}" if sigil == ">" else f"{{{{{sigil}{rest}}}}}"

    return _oracle(_STANDALONE.sub(alone, template), list(stack), partials)


def _oracle(template: str, stack: list[Any], partials: Mapping[str, str]) -> str:
    match = _TAG.search(template)
    if match is None:
        return template
    before, tag, rest = template[: match.start()], match[1], template[match.end() :]
    if tag.startswith("!"):
        return before + _oracle(rest, stack, partials)
    if tag.startswith(("#", "^")):
        name = tag[1:].strip()
        inner, rest = _until_close(rest, name)
        value = _find(name, stack)
        falsy = value is Missing or (not value and not isinstance(value, dict))
        if tag.startswith("^"):
            middle = _oracle(inner, stack, partials) if falsy else ""
        elif falsy:
            middle = ""
        else:
            items = value if isinstance(value, list) else [value]
            middle = "".join(_oracle(inner, [*stack, item], partials) for item in items)
        return before + middle + _oracle(rest, stack, partials)
    if tag.startswith(">"):
        return before + _partial(tag[1:], stack, partials) + _oracle(rest, stack, partials)
    value = _find(tag.strip("{}& "), stack)
    if value is Missing:
        raise Missing(tag)
    return before + _printed(value) + _oracle(rest, stack, partials)


def _partial(tag: str, stack: list[Any], partials: Mapping[str, str]) -> str:
    indent = ""
    if tag.startswith("\t"):
        _, length, tag = tag.split("\t", 2)
        indent, tag = tag[: int(length)], tag[int(length) :]
    name, _, written = tag.strip().partition(" ")
    text = re.sub(r"(?m)^(?!\Z)", indent, partials[name])
    given = Parameters()
    for key, value in _ARGUMENT.findall(written):
        given[key] = value[1:-1] if value.startswith('"') else _find(value, stack)
    return oracle(text, [*stack, given], partials)


def _until_close(text: str, name: str) -> tuple[str, str]:
    depth = 1
    for match in re.finditer(r"\{\{([#^/])([^}]*)\}\}", text):
        if match[2].strip() == name:
            depth += -1 if match[1] == "/" else 1
            if depth == 0:
                return text[: match.start()], text[match.end() :]
    raise AssertionError(name)


def _find(path: str, stack: list[Any]) -> Any:
    if path == ".":
        return next(each for each in reversed(stack) if not isinstance(each, Parameters))
    first, *rest = path.split(".")
    value = next(
        (each[first] for each in reversed(stack) if isinstance(each, dict) and first in each), Missing
    )
    for part in rest:
        value = value.get(part, Missing) if isinstance(value, dict) else Missing
    return value


def _printed(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
