"""Every converter takes time linear in its text and stops at a few faults, whatever the text."""

from collections.abc import Callable
from typing import Final

import pytest

from domain.errors import InvalidRequest
from domain.prompt.formats.assistant import read_assistant
from domain.prompt.formats.dotprompt import read_dotprompt
from domain.prompt.formats.imported import ImportedPrompt, name_from
from domain.prompt.formats.langfuse import read_langfuse
from domain.prompt.template_fault import MAX_FAULTS
from tests.support.spent import cpu_below

_BYTES: Final = 1024 * 1024
_LIMIT_S: Final = 20.0
"""Of the processor, for what takes a second or two. What is quadratic in a text of this size takes many minutes."""

_FORMATS: Final[dict[str, Callable[[str], ImportedPrompt]]] = {
    "dotprompt": lambda text: read_dotprompt({}, text),
    "closed dotprompt": lambda text: read_dotprompt({}, f"{{{{#if {text}}}}}{text}{{{{/if}}}}"),
    "langfuse": lambda text: read_langfuse({"prompt": text}),
    "assistant": lambda text: read_assistant({"object": "assistant", "instructions": text}, variables=True),
}
_REPEATED: Final = (
    "{{", '{{"', '{{role "', "{{#if a}}", "{{#if a}}{{else}}", "{{!--", "{{{", "\\{{", "{{a |", "{{a=", "{{}}",
    "{{v}}", "\n{{#if a}}\n{{else}}\n{{/if}}\n", "@@@langfusePrompt:", "@@@langfusePrompt:name=a@@@", "../", " ",
)  # fmt: skip


def _faults(read: Callable[[str], ImportedPrompt], text: str) -> int:
    """How many there are, found in time."""
    with cpu_below(_LIMIT_S):
        try:
            read(text)
        except InvalidRequest as error:
            return len(error.faults)
    return 0


@pytest.mark.parametrize("form", _FORMATS)
@pytest.mark.parametrize("repeated", _REPEATED)
def test_repeated_opening_is_read_in_linear_time(form: str, repeated: str) -> None:
    """No tag is looked for again and again up to the end of the text."""
    faults = _faults(_FORMATS[form], repeated * (_BYTES // 2 // len(repeated)))

    assert faults <= MAX_FAULTS


@pytest.mark.parametrize(
    "text",
    [
        "{{#if " + "a." * (_BYTES // 4) + "a}}" + "{{else}}" * (_BYTES // 16) + "{{/if}}",
        "{{#if " + ".".join(["a" * 60] * 32) + "}}" + "{{else}}" * (_BYTES // 8) + "{{/if}}",
        "{{" + "../" * (_BYTES // 3) + "a}}",
        "".join(f"{{{{#if {'../' * 20000}a{index}}}}}" for index in range(16)),
    ],
    ids=["long name", "allowed name", "steps up", "steps up in blocks"],
)
def test_long_name_does_not_multiply(text: str) -> None:
    """Each `{{else}}` repeats the name of its block, and each error names what it refuses."""
    faults = _faults(_FORMATS["dotprompt"], text)

    assert 0 < faults <= MAX_FAULTS


def test_errors_of_long_names_are_short() -> None:
    """They show the beginning."""
    with pytest.raises(InvalidRequest) as raised:
        read_dotprompt({}, "{{" + "a." * 100_000 + "a}} {{" + ".".join("a" * 33) + "}}")

    assert "is too long" in raised.value.faults[0].message
    assert "has more than 32 names" in raised.value.faults[1].message
    assert all(len(each.message) < 500 for each in raised.value.faults)


def test_name_of_accents_alone_is_read_in_linear_time() -> None:
    """To bring accents in order takes quadratic time, so only a name's beginning is read."""
    with cpu_below(_LIMIT_S):
        assert name_from("Tutor " + "\u0301\u0316" * (_BYTES // 4)) == "tutor"


def test_keys_full_of_spaces_are_read_in_linear_time() -> None:
    """Picoschema's keys are cut once."""
    schema = {f"a{index}?{' ' * 980}x": "string" for index in range(1_000)}
    faults = _faults(lambda text: read_dotprompt({"input": {"schema": schema}}, text), "x")

    assert 0 < faults <= MAX_FAULTS


def test_faults_of_many_messages_stop() -> None:
    """A document of many small things has no more faults than one text."""
    with pytest.raises(InvalidRequest) as raised:
        read_langfuse({"type": "chat", "prompt": [{"role": "nobody", "content": "{{"}] * 1_000})

    assert len(raised.value.faults) == MAX_FAULTS
    with pytest.raises(InvalidRequest) as raised:
        read_dotprompt({"input": {f"key{index}": 1 for index in range(1_000)}}, "x")

    assert len(raised.value.faults) == MAX_FAULTS
