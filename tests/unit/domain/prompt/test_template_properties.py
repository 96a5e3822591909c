"""What holds for every template."""

import json
import re
from typing import Any, Final

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.errors import Fault, InvalidRequest
from domain.prompt.compiled import MAX_OUTPUT_BYTES
from domain.prompt.compiled_codec import from_json, to_json
from domain.prompt.compiler import compile_prompt
from tests.support.templates import Missing, compiled, family, oracle

_DECLARED: Final = {
    "s": "string",
    "t": {"type": "string", "default": None},
    "n": "integer",
    "b": "boolean",
    "l": "list",
    "o": "list",
    "d": "object",
}
_TEXTS: Final = st.sampled_from(
    ["a", " ", "  ", "\n", "\t", "\r\n", "{ ", " }", "| ", "x\n", "\n\n", "é", " }}"]
)
_NAMES: Final = st.sampled_from(["s", "t", "n", "b", "l", "o", "d", "d.s", "d.k"])
_MACROS: Final = st.sampled_from(["", " t=s", ' s="lit"', " s=d.s b=b", " o=l l=o", ' t="x" n=n'])


_USES: Final = "\nend" + "".join(f"{{{{^{name}}}}}{{{{/{name}}}}}" for name in "stnblod")
"""Prints nothing but `end`; so a plain fragment may be given each of them."""


def _tag(sigil: str, name: str) -> str:
    return f"{{{{{sigil}{name}}}}}"


def _templates(fragments: list[str]) -> st.SearchStrategy[str]:
    value = st.builds(_tag, st.sampled_from(["", " ", "&"]), _NAMES)
    leaves = [_TEXTS, _TEXTS, value, st.just("{{! note }}"), st.just("{{!\n two lines\n}}")]
    if fragments:
        leaves.append(
            st.builds(lambda name, given: _tag("> ", name + given), st.sampled_from(fragments), _MACROS)
        )

    def section(children: st.SearchStrategy[list[str]]) -> st.SearchStrategy[str]:
        return st.builds(
            lambda sigil, name, inner, breaks: "".join(
                [breaks, _tag(sigil, name), breaks, *inner, breaks, _tag("/", name), breaks]
            ),
            st.sampled_from("##^"),
            _NAMES,
            children,
            st.sampled_from(["", "\n", "\n  ", " "]),
        )

    def with_item(children: st.SearchStrategy[list[str]]) -> st.SearchStrategy[str]:
        return st.builds(
            lambda name, inner: "".join([_tag("#", name), *inner, "{{.}}", _tag("/", name)]),
            st.sampled_from(["l", "s", "o"]),
            children,
        )

    node = st.recursive(
        st.one_of(leaves),
        lambda inner: section(st.lists(inner, max_size=4)) | with_item(st.lists(inner, max_size=3)),
    )
    return st.lists(node, max_size=8).map("".join)


def _fragments(fragments: list[str]) -> st.SearchStrategy[str]:
    return _templates(fragments).map(lambda text: text + _USES)


_OBJECTS: Final = st.fixed_dictionaries(
    {}, optional={"s": st.sampled_from(["", "in"]), "t": st.just(0), "k": st.just([1])}
)
_VALUES: Final = st.fixed_dictionaries(
    {
        "s": st.sampled_from(["", "Ada", "{{n}}", "x\ny\n"]),
        "t": st.sampled_from([None, "T"]),
        "n": st.sampled_from([0, 7]),
        "b": st.booleans(),
        "l": st.lists(st.sampled_from(["p", "", 3, None]), max_size=3),
        "o": st.lists(_OBJECTS, max_size=3),
        "d": _OBJECTS,
    }
)


@settings(max_examples=100)
@given(_templates(["one", "two"]), _fragments([]), _fragments(["one"]), _VALUES)
def test_rendering_is_what_the_oracle_says(main: str, one: str, two: str, values: dict[str, Any]) -> None:
    """Flattened, checked and run, a template prints what a naive reading of its text prints."""
    prompt = compiled({"template": main, "variables": _DECLARED}, one=one, two=two)
    try:
        expected = oracle(main, [values], {"one": one, "two": two})
    except Missing:
        with pytest.raises(InvalidRequest, match=r"is missing|larger than"):
            prompt.render(values)
        return
    assume(len(expected) < MAX_OUTPUT_BYTES // 4)

    text = prompt.render(values).system

    assert expected == text


@settings(max_examples=100)
@given(_templates(["one", "two"]), _fragments([]), _fragments(["one"]), _VALUES)
def test_flat_text_renders_the_same(main: str, one: str, two: str, values: dict[str, Any]) -> None:
    """The flat text is a template of its own, without fragments."""
    prompt = compiled({"template": main, "variables": _DECLARED}, one=one, two=two)
    flat = compiled({"template": prompt.text, "variables": _DECLARED})
    try:
        expected = prompt.render(values).system
    except InvalidRequest as error:
        with pytest.raises(InvalidRequest) as caught:
            flat.render(values)
        assert error.faults[0].path == caught.value.faults[0].path  # noqa: PT017 - either may happen
        return

    assert expected == flat.render(values).system
    assert () == flat.fragments


@settings(max_examples=40)
@given(_templates(["one"]), _fragments([]))
def test_compiling_is_deterministic_and_survives_json(main: str, one: str) -> None:
    """Two compilations are equal, and equal to what comes back from the cache."""
    version, library = family({"template": main, "variables": _DECLARED}, one=one)

    prompt = compile_prompt(version, library)

    assert prompt == compile_prompt(version, library)
    assert to_json(prompt) == json.loads(json.dumps(to_json(prompt)))
    assert prompt == from_json(json.loads(json.dumps(to_json(prompt))))


_NOISE: Final = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{{{",
                "}}}",
                "#",
                "^",
                "/",
                ">",
                "!",
                "&",
                "=",
                '"',
                "'",
                "\\",
                "a",
                "a.b",
                ".",
                " ",
                "\n",
                "with ",
            ]
        ),
        max_size=40,
    ).map("".join),
)


@settings(max_examples=300)
@given(_NOISE)
def test_any_text_compiles_or_says_where_it_is_wrong(text: str) -> None:
    """Every fault stands at a line and a column of the text."""
    found: tuple[Fault, ...] = ()
    try:
        prompt = compiled({"template": text, "variables": {"a": {"type": "object", "default": None}}})
        again = compiled({"template": prompt.text, "variables": {"a": {"type": "object", "default": None}}})

        assert prompt.text == again.text
    except InvalidRequest as error:
        found = error.faults

        assert found
    lines = text.split("\n")
    for fault in found:
        where = re.match(r"line (\d+), column (\d+): ", fault.message)

        assert where is not None
        assert "template" == fault.path
        assert int(where[2]) <= len(lines[int(where[1]) - 1]) + 1
