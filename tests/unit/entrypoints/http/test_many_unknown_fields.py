"""What unknown fields are told, and what a body of nothing but them costs."""

import difflib

import pytest
from pytest_mock import MockerFixture

from domain.errors import InvalidRequest
from entrypoints.http.chat_body import read_command
from entrypoints.http.checks import MAX_FAULTS


def test_near_names_are_looked_for_no_oftener_than_they_are_told(mocker: MockerFixture) -> None:
    """Hundreds of thousands of unknown fields fit into a body; each look-up costs some 30 µs."""
    look_up = mocker.spy(difflib, "get_close_matches")
    with pytest.raises(InvalidRequest) as refused:
        read_command({f"promt{number}": 1 for number in range(10_000)}, request_id="r", accepts_stream=False)

    assert len(refused.value.faults) == MAX_FAULTS
    assert look_up.call_count <= MAX_FAULTS


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("system", "system_prompt"),
        ("message", "messages"),
        ("max", "max_tokens"),
        ("promt", "prompt"),
        ("sytem_prompt", "system_prompt"),
        ("t" * 5000, None),
        ("", None),
    ],
)
def test_unknown_field_is_told_which_one_was_meant(given: str, meant: str | None) -> None:
    """One that begins with it comes before one that looks like it: `system` is nearer to `stream`."""
    with pytest.raises(InvalidRequest) as refused:
        read_command({"prompt": "hi", given: 1}, request_id="r", accepts_stream=False)

    (fault,) = refused.value.faults
    expected = "unknown field; known are " if meant is None else f"unknown field; did you mean `{meant}`?"
    assert fault.message.startswith(expected)
