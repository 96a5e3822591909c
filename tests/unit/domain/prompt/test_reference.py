"""How prompts, versions and labels may be written."""

import pytest

from domain.errors import InvalidRequest
from domain.prompt.reference import (
    PromptName,
    PromptReference,
    VersionRef,
    label_name,
    prompt_name,
    version_number,
)


@pytest.mark.parametrize(
    ("text", "version", "label"),
    [
        ("support_agent", None, None),
        ("support_agent:v3", 3, None),
        ("support_agent@staging", None, "staging"),
    ],
)
def test_three_forms_are_read_and_written(text: str, version: int | None, label: str | None) -> None:
    """A reference prints as it was written."""
    reference = PromptReference.parse(text)

    assert reference == PromptReference(name=PromptName("support_agent"), version=version, label=label)
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a b", "a:3", "a:v", "a:v0", "a:v-1", "a:v1.5", "a:v99999999999", "a:v2147483648", "a@", "a@B",
        "a@x y", "a:v1@b", "@a", ":v1", "a/b", "../a", "a\n", "a:v1\n", "{{a}}", "a" * 129, "é", "a:v١",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    """The fault says which forms there are, and is short whatever came."""
    with pytest.raises(InvalidRequest) as raised:
        PromptReference.parse(text)

    (fault,) = raised.value.faults
    assert fault.path == "system_prompt"
    assert fault.message.endswith("is no prompt reference; write `name`, `name:v3` or `name@label`")
    assert len(fault.message) < 200


def test_version_is_written_with_its_name() -> None:
    """As every answer says it."""
    assert str(VersionRef(PromptName("a.b-c_1"), 12)) == "a.b-c_1:v12"


@pytest.mark.parametrize(
    "text", ["latest", "v3", "v0", "v01", "v007", "v99999999999", "Prod", "", "a b", "-a", "a" * 65]
)
def test_label_must_not_look_like_something_else(text: str) -> None:
    """`latest` and versions have meanings of their own."""
    with pytest.raises(InvalidRequest):
        label_name(text)


def test_names_of_prompts_and_versions_are_checked() -> None:
    """Good ones come back as they are."""
    assert prompt_name("Support.Agent-1") == "Support.Agent-1"
    assert version_number("v10") == 10
    assert [label_name(each) for each in ("canary-2", "v", "v2-beta")] == ["canary-2", "v", "v2-beta"]
    with pytest.raises(InvalidRequest):
        prompt_name("support agent")
    with pytest.raises(InvalidRequest):
        version_number("10")
