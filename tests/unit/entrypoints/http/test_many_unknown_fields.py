"""A body that is nothing but faults."""

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
