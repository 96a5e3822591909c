"""Cursors come back as they went out, and as nothing else."""

import base64

import pytest

from domain.errors import Fault
from domain.prompt.reference import PromptName
from entrypoints.http.cursors import read_name_cursor, read_version_cursor, write_cursor


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
