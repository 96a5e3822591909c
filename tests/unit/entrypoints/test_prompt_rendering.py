"""What callers read of prompts fits what is documented."""

import datetime
from typing import Any

import attrs
import jsonschema
import pytest

from application.use_cases.label_prompt import LabelledPrompt
from application.use_cases.read_prompts import PromptView
from application.use_cases.version_prompt import VersionedPrompt
from domain.ids import DEFAULT_TENANT
from domain.message import Message
from domain.prompt.compiled import RenderedPrompt
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource, Turn, Variable
from domain.prompt.version import FileLink, Label, LabelMove, Pin, Prompt, PromptVersion, RemoteLink
from entrypoints.http.openapi import document
from entrypoints.prompt_rendering import (
    label_detail_json,
    labelled_json,
    prompt_detail_json,
    prompt_json,
    rendered_json,
    rendered_text,
    source_json,
    time_text,
    variables_json,
    version_json,
    versioned_json,
)

AT = datetime.datetime(2026, 11, 20, 9, 30, tzinfo=datetime.UTC)
NAME = PromptName("support_agent")
TONE = VersionRef(PromptName("tone"), 2)
ROLLOUT = Label(name="trial", weights=((3, 90), (4, 10)), moved_at=AT)
PRODUCTION = Label(name="production", weights=((3, 1),), protected=True, moved_at=AT, moved_by="ada")
PROMPT = Prompt(
    tenant=DEFAULT_TENANT,
    name=NAME,
    latest=4,
    next_number=5,
    revision=7,
    labels=(PRODUCTION, ROLLOUT),
    file=FileLink(path="config/prompts/support_agent.yaml", hash="f"),
    assistant=RemoteLink(id="asst_1", hash="r"),
    created_at=AT,
    updated_at=AT,
)
VERSION = PromptVersion(
    tenant=DEFAULT_TENANT,
    name=NAME,
    number=3,
    hash="a" * 64,
    source=PromptSource(
        turns=(Turn(role="system", template="{{> tone}} Hi {{name}}."),),
        variables=(Variable(name="name", required=False, default=None, description="Who."),),
        description="Greets.",
    ),
    pins=(Pin(written="tone", ref=TONE, hash="b" * 64),),
    made_by="api",
    author="ada",
    message="why",
    created_at=AT,
)
CHAT = attrs.evolve(
    VERSION,
    source=PromptSource(
        turns=(Turn(role="system", template="Hi."), Turn(role="user", template="Ask.")), is_chat=True
    ),
    pins=(),
    author=None,
    message=None,
)
PLAIN = attrs.evolve(
    VERSION, source=PromptSource(turns=(Turn(role="system", template="Hi {{name}}."),), declares=False)
)
RENDERED = RenderedPrompt(
    ref=VERSION.ref, hash="a", system="Zoë", turns=(Message.of("user", "Hi"),), fragments=(TONE,)
)
MOVES = (
    LabelMove(name=NAME, label="trial", weights=((3, 90), (4, 10)), moved_at=AT),
    LabelMove(name=NAME, label="trial", weights=(), author="bob", message="no", moved_at=AT),
    LabelMove(name=NAME, label="trial", weights=((3, 1),), moved_at=AT),
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Prompt", prompt_json(PromptView(prompt=PROMPT, version=VERSION))),
        ("PromptDetail", prompt_detail_json(PromptView(prompt=PROMPT, version=VERSION))),
        (
            "PromptDetail",
            prompt_detail_json(
                PromptView(prompt=attrs.evolve(PROMPT, file=None, assistant=None, labels=()), version=CHAT)
            ),
        ),
        ("PromptVersion", version_json(VERSION)),
        ("PromptVersion", version_json(CHAT)),
        ("PromptVersion", version_json(PLAIN)),
        (
            "MadeVersion",
            versioned_json(VersionedPrompt(version=VERSION, prompt=PROMPT, created=True, kept_by=(TONE,))),
        ),
        (
            "MovedLabel",
            labelled_json(LabelledPrompt(prompt=PROMPT, label=PRODUCTION, before=()), "production"),
        ),
        (
            "MovedLabel",
            labelled_json(LabelledPrompt(prompt=PROMPT, label=ROLLOUT, before=ROLLOUT.weights), "trial"),
        ),
        ("PromptLabelDetail", label_detail_json(PROMPT, ROLLOUT, "trial", MOVES)),
        ("RenderedPrompt", rendered_json(RENDERED)),
    ],
)
def test_what_is_rendered_fits_its_schema(name: str, value: Any) -> None:
    """Nothing is missing and nothing is undocumented, at any depth."""
    components: Any = document()["components"]
    for schema in components["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False

    jsonschema.validate(value, {"$ref": f"#/components/schemas/{name}", "components": components})


def test_a_detail_is_of_the_version_that_was_asked_for() -> None:
    """The head's own facts beside it."""
    detail = prompt_detail_json(PromptView(prompt=PROMPT, version=VERSION))

    assert (detail["prompt_version"], detail["version"], detail["latest"]) == (
        "support_agent:v3",
        "v3",
        "v4",
    )
    assert (detail["etag"], detail["source"], detail["file"]) == (
        PROMPT.etag,
        "file",
        "config/prompts/support_agent.yaml",
    )
    assert detail["fragments"] == [{"written": "tone", "version": "tone:v2", "hash": "b" * 64}]


def test_a_source_has_either_a_template_or_messages() -> None:
    """As it is posted; a plain text declares nothing."""
    assert source_json(VERSION.source) == {
        "template": "{{> tone}} Hi {{name}}.",
        "variables": {"name": {"type": "string", "default": None, "description": "Who."}},
        "description": "Greets.",
    }
    assert source_json(CHAT.source)["messages"] == [
        {"role": "system", "content": "Hi."},
        {"role": "user", "content": "Ask."},
    ]
    assert source_json(PLAIN.source)["variables"] is None


def test_a_declaration_has_what_was_declared() -> None:
    """A default only where there is one, be it null."""
    declared = (
        Variable(name="a"),
        Variable(name="b", type="enum", values=("x", "y"), required=False, default="x"),
        Variable(name="c", required=False),
    )

    assert variables_json(declared) == {
        "a": {"type": "string"},
        "b": {"type": "enum", "default": "x", "values": ["x", "y"]},
        "c": {"type": "string", "default": None},
    }


def test_a_history_tells_moves_from_rollouts_and_removals() -> None:
    """`version` is null where the label was taken away."""
    history: Any = label_detail_json(PROMPT, None, "trial", MOVES)["history"]

    assert history[0]["weights"] == {"v3": 90, "v4": 10}
    assert "version" not in history[0]
    assert (history[1]["version"], history[2]["version"]) == (None, "v3")


def test_a_rendered_prompt_is_one_text_too() -> None:
    """The system text alone, or the turns under their roles; its size is that of the turns in UTF-8."""
    assert rendered_text(attrs.evolve(RENDERED, turns=())) == "Zoë"
    assert rendered_text(RENDERED) == "system:\nZoë\n\nuser:\nHi"
    assert rendered_text(attrs.evolve(RENDERED, system=None)) == "user:\nHi"
    assert rendered_json(RENDERED)["bytes"] == 6


def test_times_are_of_utc() -> None:
    """RFC 3339 with Z, whatever zone they came in."""
    east = datetime.timezone(datetime.timedelta(hours=5, minutes=30))

    assert time_text(AT) == "2026-11-20T09:30:00.000Z"
    assert time_text(AT.astimezone(east)) == "2026-11-20T09:30:00.000Z"
