"""Cursors come back as they went out, and as nothing else."""

import base64
import datetime

import pytest

from domain.errors import Fault
from domain.prompt.reference import PromptName
from entrypoints.http.cursors import (
    read_activity_cursor,
    read_id_cursor,
    read_name_cursor,
    read_position_cursor,
    read_version_cursor,
    write_activity_cursor,
    write_cursor,
)

ID = "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01"


def test_a_cursor_comes_back() -> None:
    """Of both lists; without one the first page begins."""
    faults: list[Fault] = []

    assert read_name_cursor(write_cursor("prompts", "a.b-c_d"), faults) == PromptName("a.b-c_d")
    assert read_version_cursor(write_cursor("versions", "v17"), faults) == 17
    assert (read_name_cursor(None, faults), read_version_cursor(None, faults)) == (None, None)
    assert faults == []


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "====", "é", "\0", "a b", "x" * 512,
        write_cursor("versions", "v0"),
        write_cursor("versions", "v99999999999"),
        write_cursor("prompts", "../x"),
        write_cursor("prompts", ""),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"prompts").decode(),
        base64.urlsafe_b64encode(b"other:v1").decode(),
    ],
)  # fmt: skip
def test_anything_else_is_refused(cursor: str) -> None:
    """Once, at `cursor`, for either list."""
    names: list[Fault] = []
    versions: list[Fault] = []

    assert (read_name_cursor(cursor, names), read_version_cursor(cursor, versions)) == (None, None)
    assert [["cursor"], ["cursor"]] == [[fault.path for fault in faults] for faults in (names, versions)]


def test_a_cursor_of_activity_comes_back() -> None:
    """To the microsecond."""
    faults: list[Fault] = []
    at = datetime.datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=datetime.UTC)

    assert (at, ID) == read_activity_cursor(write_activity_cursor(at, ID), faults)
    assert read_activity_cursor(None, faults) is None
    assert faults == []


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        write_cursor("threads", ID),
        write_cursor("threads-updated", ID),
        write_cursor("threads-updated", f".{ID}"),
        write_cursor("threads-updated", f"-1.{ID}"),
        write_cursor("threads-updated", f"{'9' * 18}.{ID}"),
        write_cursor("threads-updated", f"1.{ID.upper()}"),
        write_cursor("threads-updated", "1."),
    ],
)
def test_any_other_cursor_of_activity_is_refused(cursor: str) -> None:
    """Once, at `cursor`."""
    faults: list[Fault] = []

    assert read_activity_cursor(cursor, faults) is None
    assert ["cursor"] == [fault.path for fault in faults]


def test_a_cursor_of_ids_or_positions_comes_back() -> None:
    """Of its own list; without one the first page begins."""
    faults: list[Fault] = []

    assert ID == read_id_cursor(write_cursor("threads", ID), "threads", faults)
    assert 0 == read_position_cursor(write_cursor("messages-asc", "0"), "messages-asc", faults)
    assert 999_999_999 == read_position_cursor(
        write_cursor("messages-desc", "999999999"), "messages-desc", faults
    )
    assert (None, None) == (
        read_id_cursor(None, "threads", faults),
        read_position_cursor(None, "messages-asc", faults),
    )
    assert [] == faults


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "", "é",
        write_cursor("sessions", ID),
        write_cursor("threads", ID.upper()),
        write_cursor("threads", ID.replace("-", "")),
        write_cursor("threads", ""),
        write_cursor("threads", "5"),
        write_cursor("messages-desc", "5"),
        write_cursor("messages-asc", "-1"),
        write_cursor("messages-asc", "1.0"),
        write_cursor("messages-asc", ""),
        write_cursor("messages-asc", "²"),
        write_cursor("messages-asc", "9999999999"),
        write_cursor("messages-asc", ID),
    ],
)  # fmt: skip
def test_another_lists_cursor_is_refused(cursor: str) -> None:
    """Once, at `cursor`."""
    ids: list[Fault] = []
    positions: list[Fault] = []

    assert read_id_cursor(cursor, "threads", ids) is None
    assert read_position_cursor(cursor, "messages-asc", positions) is None
    assert [["cursor"], ["cursor"]] == [[fault.path for fault in faults] for faults in (ids, positions)]
