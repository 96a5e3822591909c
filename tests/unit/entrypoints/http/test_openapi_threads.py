"""The documented routes of conversations are those that read requests."""

from typing import Any

import attrs
import jsonschema
import pytest

from domain.thread_words import MAX_TAG, MAX_TAGS, MAX_TITLE
from entrypoints.http.openapi import document
from entrypoints.http.thread_body import (
    DeleteQuery,
    ExportQuery,
    ForkBody,
    MessagePatchBody,
    MessagesQuery,
    SessionBody,
    SessionsQuery,
    SessionThreadsQuery,
    ThreadBody,
    ThreadPatchBody,
    ThreadsQuery,
)

API: Any = document()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/sessions", SessionBody),
        ("post", "/threads", ThreadBody),
        ("patch", "/threads/{id}", ThreadPatchBody),
        ("post", "/threads/{id}/fork", ForkBody),
        ("patch", "/messages/{id}", MessagePatchBody),
    ],
)
def test_bodies_are_documented_by_the_class_that_reads_them(
    method: str, path: str, body: type[attrs.AttrsInstance]
) -> None:
    """With every field; their examples fit, but for null, which takes away."""
    content = API["paths"][path][method]["requestBody"]["content"]["application/json"]
    schema = API["components"]["schemas"][body.__name__]

    assert {"$ref": f"#/components/schemas/{body.__name__}"} == content["schema"]
    assert [each.name for each in attrs.fields(body)] == list(schema["properties"])
    for example in content["examples"].values():
        told = {name: value for name, value in example["value"].items() if value is not None}
        jsonschema.validate(told, {**content["schema"], "components": API["components"]})


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("get", "/sessions", SessionsQuery),
        ("get", "/sessions/{id}/threads", SessionThreadsQuery),
        ("get", "/threads", ThreadsQuery),
        ("delete", "/threads/{id}", DeleteQuery),
        ("get", "/threads/{id}/messages", MessagesQuery),
        ("get", "/threads/{id}/export", ExportQuery),
    ],
)
def test_queries_are_documented_by_the_class_that_reads_them(
    method: str, path: str, query: type[attrs.AttrsInstance]
) -> None:
    """Every parameter, and no other; lists say how many items they give by themselves."""
    parameters = [each for each in API["paths"][path][method]["parameters"] if each.get("in") == "query"]

    assert [each.name for each in attrs.fields(query)] == [each["name"] for each in parameters]
    assert all(each["description"] for each in parameters)
    limits = [each["schema"] for each in parameters if each["name"] == "limit"]
    assert all((each["maximum"], each["default"]) == (100, 50) for each in limits)


def test_the_limits_of_words_are_documented() -> None:
    """As the domain has them."""
    properties = API["components"]["schemas"]["ThreadBody"]["properties"]

    assert MAX_TITLE == properties["title"]["maxLength"]
    assert (MAX_TAGS, MAX_TAG) == (properties["tags"]["maxItems"], properties["tags"]["items"]["maxLength"])
