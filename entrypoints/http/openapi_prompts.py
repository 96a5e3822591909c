"""The part of the OpenAPI document that is about prompts."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONValue
from domain.prompt.reference import LABEL_PATTERN, NAME_PATTERN
from entrypoints.http.checks import Schemas
from entrypoints.http.openapi_operations import (
    header_parameter,
    json_answer,
    json_body,
    operation,
    path_parameter,
)
from entrypoints.http.prompt_body import LABEL, RENDER, VERSION
from entrypoints.http.prompt_path import PageQuery, ShowQuery
from entrypoints.http.query import parameters_of
from entrypoints.http.routes.prompt_labels import TakeAwayQuery
from entrypoints.http.schema_parts import ref

_VERSION_PATTERN: Final = "v[1-9][0-9]{0,9}"
_NAME: Final = path_parameter("name", "The prompt.", NAME_PATTERN, "support_agent")
_REFERENCE: Final = path_parameter(
    "name",
    "The prompt, or a reference: `support_agent`, `support_agent:v3`, `support_agent@staging`. A bare name means "
    "the label `production`, else the newest version.",
    f"{NAME_PATTERN}(:{_VERSION_PATTERN}|@{LABEL_PATTERN})?",
    "support_agent",
)
_VERSION: Final = path_parameter("version", "The version.", _VERSION_PATTERN, "v1")
_LABEL: Final = path_parameter("label", "The label.", LABEL_PATTERN, "staging")
_IF_MATCH: Final = header_parameter(
    "If-Match",
    "ETags, one of which the prompt must still have, or `*`; else 412 `precondition_failed`. So two editors can't "
    "overwrite each other.",
)
_IF_NONE_MATCH: Final = header_parameter(
    "If-None-Match", "`*`: only where there is no such prompt yet; else 412 `precondition_failed`."
)
_ETAG: Final = {"ETag": "The prompt's; it changes with each version and each move of a label."}
_MADE: Final = {**_ETAG, "Location": "The version's path."}
_VERSION_EXAMPLES: Final[Mapping[str, tuple[str, JSONValue]]] = {
    "text": (
        "A system text with a variable",
        {
            "template": "You help {{name}} with a broken order.",
            "variables": {"name": {"type": "string", "default": "the customer"}},
            "message": "A first try.",
        },
    ),
    "chat": (
        "A chat template",
        {
            "messages": [
                {"role": "system", "content": "You answer in {{language}}."},
                {"role": "user", "content": "What is a port?"},
            ],
            "variables": {
                "language": {"type": "enum", "values": ["English", "French"], "default": "English"}
            },
        },
    ),
}
_LABEL_EXAMPLES: Final[Mapping[str, tuple[str, JSONValue]]] = {
    "version": ("One version", {"version": "v1", "message": "It did well."}),
    "rollout": ("A rollout", {"weights": {"v1": 90, "v2": 10}}),
    "protected": ("From now on it moves by force only", {"protected": True}),
}
_RENDER_EXAMPLES: Final[Mapping[str, tuple[str, JSONValue]]] = {
    "defaults": ("With its defaults", {}),
    "variables": ("A version, with a variable", {"variables": {"language": "French"}, "version": "v2"}),
    "draft": (
        "A draft",
        {
            "draft": {"template": "Hi {{name}}.", "variables": {"name": "string"}},
            "variables": {"name": "Ada"},
        },
    ),
}


def prompt_paths(schemas: Schemas) -> dict[str, JSONValue]:
    """The routes of prompts; the schemas of their bodies are added to `schemas`."""
    version, label, render = (body.schema(schemas) for body in (VERSION, LABEL, RENDER))
    return {
        "/prompts": {
            "get": operation(
                "listPrompts",
                "List the prompts",
                "By name, each with its labels and the version that its bare name means.",
                "prompts",
                json_answer("A page.", ref("PromptPage")),
                parameters=parameters_of(PageQuery),
            )
        },
        "/prompts/{name}": {
            "get": operation(
                "getPrompt",
                "Show a prompt",
                "The prompt, and the version that the reference means; of a rollout, the one with most weight.",
                "prompts",
                json_answer("The prompt and one version.", ref("PromptDetail"), headers=_ETAG),
                parameters=[_REFERENCE, *parameters_of(ShowQuery)],
            )
        },
        "/prompts/{name}/render": {
            "post": operation(
                "renderPrompt",
                "Fill a prompt in",
                "A dry run: no provider is asked, nothing is stored. Every variable that is missing, undeclared or "
                "of the wrong type is named, at `variables.<name>`. An editor tries a text as `draft` before it makes a "
                "version of it.",
                "prompts",
                json_answer("The texts.", ref("RenderedPrompt")),
                parameters=[_REFERENCE],
                request_body=json_body(render, _RENDER_EXAMPLES),
            )
        },
        "/prompts/{name}/versions": {
            "get": operation(
                "listPromptVersions",
                "List a prompt's versions",
                "Whole snapshots, newest first.",
                "prompts",
                json_answer("A page.", ref("PromptVersionPage"), headers=_ETAG),
                parameters=[_NAME, *parameters_of(PageQuery)],
            ),
            "post": operation(
                "createPromptVersion",
                "Make a version",
                "Checks and compiles the text, pins the versions of its fragments, and stores an immutable snapshot; "
                "the first one makes the prompt. No label moves. Faults of a template point at line and column.",
                "prompts",
                json_answer("The newest version has this very content.", ref("MadeVersion"), headers=_MADE),
                parameters=[_NAME, _IF_MATCH, _IF_NONE_MATCH],
                request_body=json_body(version, _VERSION_EXAMPLES),
                others={
                    "201": json_answer(
                        "The version is made.",
                        ref("MadeVersion"),
                        headers=_MADE,
                    )
                },
            ),
        },
        "/prompts/{name}/versions/{version}": {
            "get": operation(
                "getPromptVersion",
                "Show a version",
                "An immutable snapshot.",
                "prompts",
                json_answer("The snapshot.", ref("PromptVersion"), headers=_ETAG),
                parameters=[_NAME, _VERSION],
            ),
            "delete": operation(
                "deletePromptVersion",
                "Delete a version",
                "409 `version_in_use` where a chat used it, a label points to it or another version includes it. "
                "The prompt goes with its last version. Numbers are never given again, not even where the prompt "
                "is made anew.",
                "prompts",
                {},
                parameters=[_NAME, _VERSION, _IF_MATCH],
                others={"204": {"description": "It is gone."}},
            ),
        },
        "/prompts/{name}/labels/{label}": {
            "get": operation(
                "getPromptLabel",
                "Show a label",
                "Where it points, and its last 100 moves, newest first.",
                "prompts",
                json_answer("The label.", ref("PromptLabelDetail"), headers=_ETAG),
                parameters=[_NAME, _LABEL],
            ),
            "put": operation(
                "putPromptLabel",
                "Move a label",
                "Makes it where there is none. Atomic, and kept in its history. 409 `label_protected` without `force` "
                "where it is protected.",
                "prompts",
                json_answer("Where it points now.", ref("MovedLabel"), headers=_ETAG),
                parameters=[_NAME, _LABEL, _IF_MATCH],
                request_body=json_body(label, _LABEL_EXAMPLES),
            ),
            "delete": operation(
                "deletePromptLabel",
                "Take a label away",
                "Its history stays.",
                "prompts",
                {},
                parameters=[_NAME, _LABEL, *parameters_of(TakeAwayQuery), _IF_MATCH],
                others={"204": {"description": "It is gone."}},
            ),
        },
    }
