"""From the decoded bodies of the routes of prompts to commands."""

import string
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.use_cases.label_prompt import LabelPromptCommand
from application.use_cases.version_prompt import VersionPromptCommand
from domain.errors import InvalidRequest
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.source import PromptSource, Turn, Variable
from entrypoints.http.checks import MAX_FAULTS, Faults
from entrypoints.http.prompt_body import (
    RENDER,
    DraftBody,
    LabelBody,
    RenderBody,
    TurnBody,
    VariableBody,
    VersionBody,
    read_label,
    read_render,
    read_version,
)

NAME = PromptName("p")


def version(body: dict[str, Any]) -> VersionPromptCommand:
    return read_version(body, name=NAME, if_match=None, if_none_match=False, faults=[])


def label(body: dict[str, Any]) -> LabelPromptCommand:
    return read_label(body, name=NAME, label="staging", if_match=None, faults=[])


def test_a_version_is_read_with_all_it_says() -> None:
    """A declaration that is a type alone is one with nothing else."""
    body = {
        "template": "{{a}}{{b}}",
        "variables": {"a": "integer", "b": {"default": None, "description": "A b."}},
        "description": "d",
        "message": "m",
        "author": "ada",
    }

    assert version(body) == VersionPromptCommand(
        name=NAME,
        source=PromptSource(
            turns=(Turn(role="system", template="{{a}}{{b}}"),),
            variables=(
                Variable(name="a", type="integer"),
                Variable(name="b", required=False, description="A b."),
            ),
            description="d",
        ),
        made_by="api",
        author="ada",
        message="m",
    )


def test_null_counts_as_left_out() -> None:
    """In every field that may be; a default of null is one."""
    body = dict.fromkeys(("messages", "variables", "description", "message", "author"))

    assert version({"template": "x", **body}) == version({"template": "x"})
    assert label({"version": "v1", "weights": None, "protected": None, "force": None}) == label(
        {"version": "v1"}
    )


@pytest.mark.parametrize(
    ("body", "weights", "protected"),
    [
        ({"version": "v3"}, ((3, 1),), None),
        ({"weights": {"v4": 10, "v3": 90}, "protected": True}, ((3, 90), (4, 10)), True),
        ({"protected": False}, None, False),
    ],
)
def test_a_label_is_read(body: dict[str, Any], weights: object, protected: bool | None) -> None:
    """Weights by number; without a place only its protection changes."""
    command = label(body)

    assert (command.weights, command.protected, command.force) == (weights, protected, False)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"user": "u", "thread_id": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e02"}, "u"),
        ({"thread_id": "01990F3E7A7C7C3E9F0A5A2B6C1D8E02"}, "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e02"),
        ({}, ""),
    ],
)
def test_a_rollout_is_chosen_in_by_user_then_by_thread(body: dict[str, Any], key: str) -> None:
    """As in a chat."""
    faults: Faults = []
    given_body = RENDER.read(body, "", faults)
    assert given_body is not None

    assert read_render(given_body, PromptReference(name=NAME)).key == key


def test_faults_found_before_are_kept() -> None:
    """And come first."""
    faults: Faults = []
    RENDER.read({"usr": 1}, "", faults)
    with pytest.raises(InvalidRequest) as caught:
        read_version({"tmplate": 1}, name=NAME, if_match=None, if_none_match=False, faults=faults)

    assert [fault.path for fault in caught.value.faults] == ["usr", "tmplate", "template"]


FIELDS = sorted(
    {
        field.name
        for body in (VersionBody, DraftBody, LabelBody, RenderBody, TurnBody, VariableBody)
        for field in attrs.fields(body)
    }
)
texts = st.sampled_from(["", "v1", "v0", "string", "enum", "system", "{{a}}", "{{", "\0", "é"]) | st.text(
    string.printable, max_size=8
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
# Keys that can be shown: what can't looks alike in a path.
keys = st.sampled_from([*FIELDS, "v1", "v99999999999", "a"]) | st.text(
    string.ascii_letters + " .-", max_size=8
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
bodies = st.dictionaries(keys, trees, max_size=5)


@settings(max_examples=300)
@given(bodies)
def test_whatever_a_body_holds_it_is_read_or_refused(body: dict[str, Any]) -> None:
    """Never another error, each fault once, and no more faults than are shown."""
    for read in (version, label):
        try:
            read(body)
        except InvalidRequest as error:
            found = [(fault.path, fault.message) for fault in error.faults]
            assert 0 < len(found) <= MAX_FAULTS
            assert len(found) == len(set(found))
    faults: Faults = []
    assert (RENDER.read(body, "", faults) is None) == bool(faults)


def test_a_body_of_a_thousand_typos_is_refused_briefly() -> None:
    """The answer is not larger than the question."""
    body = {f"typo{number}": 1 for number in range(1000)}
    with pytest.raises(InvalidRequest) as caught:
        version({**body, "variables": body})

    assert len(caught.value.faults) <= MAX_FAULTS
