"""The documented routes of prompts are those that read requests."""

import re
from typing import Any

import attrs
import jsonschema
import pytest

from entrypoints.http.openapi import document
from entrypoints.http.prompt_body import LabelBody, RenderBody, VersionBody
from entrypoints.http.prompt_path import PageQuery, ShowQuery
from entrypoints.http.routes.prompt_labels import TakeAwayQuery

API: Any = document()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/prompts/{name}/versions", VersionBody),
        ("put", "/prompts/{name}/labels/{label}", LabelBody),
        ("post", "/prompts/{name}/render", RenderBody),
    ],
)
def test_bodies_are_documented_by_the_class_that_reads_them(
    method: str, path: str, body: type[attrs.AttrsInstance]
) -> None:
    """With every field, and examples that fit."""
    content = API["paths"][path][method]["requestBody"]["content"]["application/json"]
    schema = API["components"]["schemas"][body.__name__]

    assert content["schema"] == {"$ref": f"#/components/schemas/{body.__name__}"}
    assert [each.name for each in attrs.fields(body)] == list(schema["properties"])
    for example in content["examples"].values():
        jsonschema.validate(example["value"], {**content["schema"], "components": API["components"]})


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("get", "/prompts", PageQuery),
        ("get", "/prompts/{name}", ShowQuery),
        ("get", "/prompts/{name}/versions", PageQuery),
        ("delete", "/prompts/{name}/labels/{label}", TakeAwayQuery),
    ],
)
def test_queries_are_documented_by_the_class_that_reads_them(
    method: str, path: str, query: type[attrs.AttrsInstance]
) -> None:
    """Each parameter with its meaning."""
    parameters = API["paths"][path][method]["parameters"]
    documented = [each for each in parameters if each.get("in") == "query"]

    assert [each.name for each in attrs.fields(query)] == [each["name"] for each in documented]
    assert all(each["description"] for each in documented)


def test_every_name_in_a_path_is_documented() -> None:
    """As required, with a pattern that its example matches."""
    for path, methods in API["paths"].items():
        for operation in methods.values():
            parameters = [each for each in operation["parameters"] if each.get("in") == "path"]

            assert re.findall(r"\{(\w+)\}", path) == [each["name"] for each in parameters]
            for each in parameters:
                assert each["required"] is True
                jsonschema.validate(each["example"], each["schema"])


def test_every_operation_has_its_own_id_and_an_answer() -> None:
    """No two share one, as generators of clients make functions of them."""
    operations = [each for methods in API["paths"].values() for each in methods.values()]
    ids = [each["operationId"] for each in operations]

    assert len(ids) == len(set(ids))
    for each in operations:
        assert [status for status in each["responses"] if status.startswith("2")], each["operationId"]
        assert "default" in each["responses"]
