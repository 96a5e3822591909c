"""What is documented is what is answered."""

from typing import Any

import attrs
import jsonschema
import pytest

from domain.errors import Fault, InvalidRequest
from domain.message import ToolCall
from entrypoints.http.chat_body import ChatBody
from entrypoints.http.openapi import document
from entrypoints.http.openapi_answers import EXAMPLE_ANSWER
from entrypoints.http.problems import problem_json
from entrypoints.rendering import answer_json
from tests.support.http import an_answer

CALLED = an_answer(tool_calls=(ToolCall(id="c", name="f", arguments="{"),), cost_usd=None)
PROBLEM = problem_json(InvalidRequest.of(Fault(path="a", message="b")), request_id="r")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Answer", answer_json(an_answer())),
        ("Answer", answer_json(CALLED)),
        ("Answer", EXAMPLE_ANSWER),
        ("Problem", PROBLEM),
    ],
)
def test_what_is_rendered_fits_its_schema(name: str, value: Any) -> None:
    """Nothing is missing and nothing is undocumented."""
    schemas: Any = document()["components"]
    schema = {"$ref": f"#/components/schemas/{name}", "components": schemas}

    jsonschema.validate(value, schema)
    assert set(value) <= set(schemas["schemas"][name]["properties"])


def test_the_documented_body_has_exactly_the_fields_that_are_read() -> None:
    """Both come from one class."""
    schemas: Any = document()["components"]

    assert [each.name for each in attrs.fields(ChatBody)] == list(
        schemas["schemas"]["ChatBody"]["properties"]
    )
    assert schemas["schemas"]["ChatBody"]["additionalProperties"] is False


def test_every_documented_example_of_a_body_fits_it() -> None:
    """They can be sent as they are."""
    api: Any = document()
    examples = api["paths"]["/chat"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    schema = {"$ref": "#/components/schemas/ChatBody", "components": api["components"]}

    for example in examples.values():
        jsonschema.validate(example["value"], schema)
