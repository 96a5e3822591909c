"""What is documented is what is answered."""

from typing import Any

import attrs
import jsonschema
import pytest

from domain.answer import Reset, ToolCallGrew
from domain.errors import Fault, InvalidRequest
from domain.message import ToolCall
from entrypoints.http.chat_body import ChatBody
from entrypoints.http.openapi import document
from entrypoints.http.openapi_answers import EXAMPLE_ANSWER
from entrypoints.http.openapi_events import EVENTS
from entrypoints.http.problems import problem_json
from entrypoints.rendering import (
    answer_json,
    reset_json,
    started_json,
    tool_call_delta_json,
    tool_call_json,
)
from tests.support.http import MODEL, an_answer, started

CALLED = an_answer(tool_calls=(ToolCall(id="c", name="f", arguments="{"),), cost_usd=None)
PROBLEM = problem_json(InvalidRequest.of(Fault(path="a", message="b")), request_id="r")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Answer", answer_json(an_answer())),
        ("Answer", answer_json(CALLED)),
        ("Answer", EXAMPLE_ANSWER),
        ("Problem", PROBLEM),
        ("StartEvent", started_json(started())),
        ("DeltaEvent", {"text": ""}),
        (
            "ToolCallDeltaEvent",
            tool_call_delta_json(ToolCallGrew(index=0, id=None, name=None, arguments="{")),
        ),
        ("ToolCallBody", tool_call_json(ToolCall(id="c", name="f", arguments="{", complete=False))),
        ("ResetEvent", reset_json(Reset(reason="output_invalid", from_model=MODEL, to_model=MODEL))),
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


def test_every_event_has_a_schema_that_its_example_fits() -> None:
    """Those that `event_stream.py` writes, under `x-events`, and named components."""
    api: Any = document()
    content = api["paths"]["/chat"]["post"]["responses"]["200"]["content"]["text/event-stream"]

    assert [kind.name for kind in EVENTS] == list(content["x-events"])
    assert list(content["x-events"]) == [
        "start", "delta", "tool_call_delta", "tool_call", "reset", "done", "error",
    ]  # fmt: skip
    for name, kind in content["x-events"].items():
        jsonschema.validate(kind["example"], {**kind["schema"], "components": api["components"]})
        assert kind["description"], name
    assert "event: done\n" in content["example"]


def undescribed(schema: Any, path: str) -> list[str]:
    """The fields below `schema` without a meaning of their own or of the type that they refer to."""
    found = []
    if isinstance(schema, dict):
        for name, field in (schema.get("properties") or {}).items():
            if not str(field.get("description", "")).strip():
                found.append(f"{path}.{name}")
        for key, value in schema.items():
            found += undescribed(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            found += undescribed(value, f"{path}[{index}]")
    return found


def test_every_field_has_a_meaning() -> None:
    """No empty cell in the tables of `/docs`."""
    api: Any = document()
    schemas = api["components"]["schemas"]

    assert [path for name, schema in schemas.items() for path in undescribed(schema, name)] == []
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []
