"""The format pass."""

import json

import pytest

from domain.chat import OutputConstraint
from domain.json_value import JSONObject
from domain.output.raw import RawFormatter
from domain.passes.format_enforcement import FormatEnforcement
from tests.support.compiling import PlainFormatter, request, spec, target

JSON = PlainFormatter(name="json", wants_json=True, instruction="Answer with a single JSON value.")
MARKDOWN = PlainFormatter(name="markdown", instruction="Answer in Markdown.")
CLOSED: JSONObject = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
OPEN: JSONObject = {"type": "object", "properties": {"name": {"type": "string"}}}


def test_raw_does_nothing() -> None:
    """The request is passed on as it is."""
    asked = request(system="Be brief.")

    rewrite = FormatEnforcement().run(asked, target(formatter=RawFormatter()))

    assert asked is rewrite.request
    assert rewrite.notes


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (None, "Answer in Markdown."),
        ("", "Answer in Markdown."),
        ("Be kind.", "Be kind.\n\nAnswer in Markdown."),
    ],
)
def test_markdown_asks_in_the_system_prompt(system: str | None, expected: str) -> None:
    """Behind what is there already."""
    rewrite = FormatEnforcement().run(request(system=system, format="markdown"), target(formatter=MARKDOWN))

    assert expected == rewrite.request.system
    assert rewrite.request.format == "markdown"


def test_expressible_schema_is_sent_natively_without_instructions() -> None:
    """The vendor enforces it, so the prompt need not grow."""
    rewrite = FormatEnforcement().run(request(schema=CLOSED, format="json"), target(formatter=JSON))

    assert OutputConstraint(kind="json_schema", schema=CLOSED) == rewrite.request.output
    assert rewrite.request.system is None
    assert rewrite.request.schema == CLOSED


def test_narrowing_keywords_go_into_the_instructions() -> None:
    """Strict modes refuse `minLength`; the model still gets to know it."""
    schema: JSONObject = {**CLOSED, "properties": {"name": {"type": "string", "minLength": 3}}}

    rewrite = FormatEnforcement().run(request(schema=schema), target(formatter=JSON))

    assert rewrite.request.output is not None
    assert rewrite.request.output.schema == CLOSED
    assert '"minLength":3' in (rewrite.request.system or "")


def test_inexpressible_schema_falls_to_json_mode_and_instructions() -> None:
    """An open object is never closed behind the caller's back."""
    rewrite = FormatEnforcement().run(request(schema=OPEN), target(formatter=JSON))

    assert OutputConstraint(kind="json_object") == rewrite.request.output
    assert json.dumps(OPEN, separators=(",", ":")) in (rewrite.request.system or "")
    assert any("open object" in note for note in rewrite.notes)


def test_json_mode_always_says_json_in_the_prompt() -> None:
    """OpenAI answers 400 to JSON mode unless a message contains the word."""
    wordless = PlainFormatter(name="json", wants_json=True, instruction="Answer with data.")

    for formatter in (JSON, wordless, PlainFormatter(name="json", wants_json=True)):
        rewrite = FormatEnforcement().run(request(), target(formatter=formatter))

        assert OutputConstraint(kind="json_object") == rewrite.request.output
        assert "JSON" in (rewrite.request.system or "")


def test_json_mode_is_not_used_for_a_list() -> None:
    """JSON mode always makes an object."""
    rewrite = FormatEnforcement().run(request(schema={"type": "array", "items": {}}), target(formatter=JSON))

    assert rewrite.request.output is None
    assert '"array"' in (rewrite.request.system or "")


def test_model_without_native_modes_is_asked_in_words() -> None:
    """Instructions work everywhere."""
    rewrite = FormatEnforcement().run(
        request(schema=CLOSED), target(spec(without=("json_object", "json_schema")), JSON)
    )

    assert rewrite.request.output is None
    assert '"additionalProperties":false' in (rewrite.request.system or "")
    assert any("no native mode" in note for note in rewrite.notes)


def test_model_with_schemas_but_no_json_mode() -> None:
    """Claude has `json_schema` alone."""
    claude = spec(without=("json_object",))

    assert FormatEnforcement().run(request(), target(claude, JSON)).request.output is None
    assert FormatEnforcement().run(request(schema=CLOSED), target(claude, JSON)).request.output is not None


@pytest.mark.parametrize("schema", [None, CLOSED, OPEN])
@pytest.mark.parametrize("formatter", [JSON, MARKDOWN, RawFormatter()])
def test_running_twice_changes_nothing_more(schema: JSONObject | None, formatter: PlainFormatter) -> None:
    """A pass may be listed twice, and a fallback compiles anew."""
    once = (
        FormatEnforcement()
        .run(request(system="Be kind.", schema=schema), target(formatter=formatter))
        .request
    )
    twice = FormatEnforcement().run(once, target(formatter=formatter)).request

    assert once == twice
