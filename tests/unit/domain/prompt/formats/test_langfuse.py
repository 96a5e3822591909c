"""Langfuse's prompts, as `GET /api/public/v2/prompts/{name}` gives them."""

from typing import Any

import pytest

from domain.errors import InvalidRequest
from domain.prompt.formats.langfuse import read_langfuse
from domain.prompt.source import Variable
from tests.support.importing import rendered

TEXT: dict[str, Any] = {
    "id": "clx1",
    "createdAt": "2026-01-02T03:04:05.678Z",
    "updatedAt": "2026-01-02T03:04:05.678Z",
    "projectId": "p1",
    "createdBy": "API",
    "name": "movie-critic",
    "version": 3,
    "type": "text",
    "prompt": 'As a {{ criticlevel }} critic, do you like {{movie}}? Answer {"yes": true}.',
    "config": {"model": "gpt-4o", "temperature": 0.7},
    "labels": ["production", "latest"],
    "tags": ["movies"],
    "commitMessage": "Ask for JSON",
    "resolutionGraph": None,
}


def test_text_prompt_becomes_a_system_text() -> None:
    """Variables are strings that must be given; single braces are text."""
    prompt = read_langfuse(TEXT)

    assert (Variable(name="criticlevel"), Variable(name="movie")) == prompt.source.variables
    assert (
        'As a harsh critic, do you like Dune? Answer {"yes": true}.'
        == rendered(prompt, criticlevel="harsh", movie="Dune").system
    )
    assert ("movie-critic", "Ask for JSON", False) == (prompt.name, prompt.message, prompt.source.is_chat)


def test_what_has_no_place_is_noted() -> None:
    """Config, labels, tags and the number; nothing that says nothing."""
    assert ["version", "config", "labels", "tags"] == [
        note.split("`")[1] for note in read_langfuse(TEXT).notes
    ]


def test_chat_prompt_keeps_its_turns() -> None:
    """Developer is system."""
    prompt = read_langfuse(
        TEXT
        | {
            "type": "chat",
            "prompt": [
                {"type": "chatmessage", "role": "developer", "content": "Be {{mood}}."},
                {"role": "user", "content": "{{question}}"},
                {"role": "assistant", "content": "Yes."},
            ],
        }
    )
    made = rendered(prompt, mood="kind", question="Why?")

    assert ("Be kind.", ["user", "assistant"]) == (made.system, [turn.role for turn in made.turns])


@pytest.mark.parametrize(
    ("tag", "template"),
    [
        ("@@@langfusePrompt:name=tone|label=production@@@", "{{> tone}}"),
        ("@@@langfusePrompt:name=tone|label=staging@@@", "{{> tone@staging}}"),
        ("@@@langfusePrompt:name=tone|label=latest@@@", "{{> tone@latest}}"),
        ("@@@langfusePrompt:name=House Tone|version=2@@@", "{{> house_tone}}"),
    ],
)
def test_included_prompt_becomes_a_fragment(tag: str, template: str) -> None:
    """Labels carry over; numbers are Langfuse's own, and that is said."""
    prompt = read_langfuse(TEXT | {"prompt": f"Before {tag} after"})

    assert f"Before {template} after" == prompt.source.turns[0].template
    assert ("version=2" in tag) is any("is a number of Langfuse's" in note for note in prompt.notes)


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"prompt": "{{#if x}}a{{/if}}"}, "template", "no plain `{{name}}`"),
        ({"prompt": "{{{x}}}"}, "template", "no plain `{{name}}`"),
        ({"prompt": "a {{ b"}, "template", "without a name"),
        ({"prompt": "{{}}"}, "template", "no plain"),
        ({"prompt": "@@@langfusePrompt:name=@@@"}, "template", "is no inclusion"),
        ({"prompt": "@@@langfusePrompt:name=x|label=A B@@@"}, "template", "no label"),
        ({"prompt": "@@@langfusePrompt:name=x|label=v3@@@"}, "template", "no label"),
        ({"prompt": 7}, "prompt", "must be a text"),
        ({"prompt": []}, "prompt", "must be a text"),
        ({"type": "chat", "prompt": []}, "prompt", "at least one"),
        ({"type": "chat"}, "prompt", "must be a text"),
        ({"type": "image"}, "type", "neither"),
        ({"name": 7}, "name", "no text"),
    ],
)
def test_what_lor3_can_not_say_is_refused(changes: dict[str, Any], path: str, words: str) -> None:
    """With its path."""
    with pytest.raises(InvalidRequest) as caught:
        read_langfuse(TEXT | changes)

    assert path.replace("template", "prompt") in [fault.path for fault in caught.value.faults]
    assert words in caught.value.detail


def test_placeholders_roles_and_parts_are_refused_by_name() -> None:
    """All of them at once, each with its message."""
    messages = [
        {"type": "placeholder", "name": "history"},
        {"role": "tool", "content": "x"},
        {"role": "user", "content": [{"type": "text"}]},
        "hello",
    ]
    with pytest.raises(InvalidRequest) as caught:
        read_langfuse(TEXT | {"type": "chat", "prompt": messages})

    assert ["prompt[0]", "prompt[1].role", "prompt[2].content", "prompt[3]"] == [
        fault.path for fault in caught.value.faults
    ]
    assert "`history`" in caught.value.detail
