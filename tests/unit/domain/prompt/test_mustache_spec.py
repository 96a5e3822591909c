"""The Mustache specification's own cases, escaping aside."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from domain.errors import InvalidRequest
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt
from domain.prompt.version import PromptVersion
from tests.support.templates import type_of, version

_FOLDER: Final = Path(__file__).parents[3] / "data" / "mustache"
_SUITES: Final = ("interpolation", "sections", "inverted", "partials", "comments")

_REFUSED: Final = {
    # What is not there is an error, never an empty text.
    "Basic Context Miss Interpolation": "`cannot` is not declared",
    "Triple Mustache Context Miss Interpolation": "`cannot` is not declared",
    "Ampersand Context Miss Interpolation": "`cannot` is not declared",
    "Dotted Names - Broken Chains": "`a.b.c` is missing",
    "Dotted Names - Broken Chain Resolution": "`a.b.c.name` is missing",
    "Dotted Names - Context Precedence": "`b.c` is missing",
    "Dotted Names are never single keys": "`a` is not declared",
    "Context Misses": "`missing` is not declared",
    "Failed Lookup": "there is no prompt `text`",
    # A prompt that includes itself is never finite by its text alone.
    "Recursion": "node → node",
    # The root is the set of variables, not a value.
    "Implicit Iterators - Basic Interpolation": "no section around it",
    "Implicit Iterators - HTML Escaping": "no section around it",
    "Implicit Iterators - Triple Mustache": "no section around it",
    "Implicit Iterators - Ampersand": "no section around it",
    "Implicit Iterators - Basic Integer Interpolation": "no section around it",
    "Implicit Iterator - Root-level": "no section around it",
}
"""Cases that differ by design, with the words of the refusal."""
_BROKEN_CHAIN_SECTIONS: Final = {
    ("sections", "Dotted Names - Broken Chains"),
    ("inverted", "Dotted Names - Broken Chains"),
}
"""The same name in another suite: a section over a missing key is falsy here too."""
_NAMED_INSIDE: Final = {("inverted", "Context"): "name", ("inverted", "List"): "n"}
"""Inside an inverted section there is no item, so the name printed there must be declared."""


def _cases() -> Iterator[Any]:
    for suite in _SUITES:
        for case in json.loads((_FOLDER / f"{suite}.json").read_text())["tests"]:
            yield pytest.param(suite, case, id=f"{suite}: {case['name']}")


def _compiled(suite: str, case: dict[str, Any]) -> CompiledPrompt:
    data = case["data"] if isinstance(case["data"], dict) else {}
    # A key with a dot or a blank can't be declared; each such case shows that it is not looked at.
    declared = {name: type_of(value) for name, value in data.items() if re.fullmatch(r"\w+", name)}
    if (suite, case["name"]) in _NAMED_INSIDE:
        declared[_NAMED_INSIDE[suite, case["name"]]] = {"default": None}
    library: dict[str, PromptVersion] = {}
    for _ in range(2):  # a partial may include a later one
        for name, text in case.get("partials", {}).items():
            library[name] = version(name, text, library)
    main = version("main", {"template": case["template"], "variables": declared}, library)
    return compile_prompt(main, {each.ref: each for each in library.values()})


def _values(prompt: CompiledPrompt, case: dict[str, Any]) -> dict[str, Any]:
    names = {variable.name for variable in prompt.variables}
    return {name: value for name, value in case["data"].items() if name in names}


def _is_refused(suite: str, name: str) -> bool:
    return name in _REFUSED and (suite, name) not in _BROKEN_CHAIN_SECTIONS


@pytest.mark.parametrize(("suite", "case"), list(_cases()))
def test_case_of_the_specification(suite: str, case: dict[str, Any]) -> None:
    """Each case prints what the specification expects, unescaped, or is in the table of refusals."""
    if _is_refused(suite, case["name"]):
        with pytest.raises(InvalidRequest, match=re.escape(_REFUSED[case["name"]])):
            (prompt := _compiled(suite, case)).render(_values(prompt, case))
        return

    prompt = _compiled(suite, case)

    assert html.unescape(case["expected"]) == prompt.render(_values(prompt, case)).system


def test_refusals_are_cases() -> None:
    """The table holds no case that the specification lacks."""
    names = {
        case["name"]
        for suite in _SUITES
        for case in json.loads((_FOLDER / f"{suite}.json").read_text())["tests"]
    }

    assert set() == _REFUSED.keys() - names
