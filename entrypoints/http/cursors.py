"""The cursors of lists: opaque to callers, who send them back as they came."""

import base64
import binascii
import datetime
from typing import Final, Literal, TypeAlias

from application.services.thread_lookup import canonical_id
from domain.errors import InvalidRequest
from domain.prompt.reference import PromptName, prompt_name, version_number
from entrypoints.http.checks import Faults, fault

ListKind: TypeAlias = Literal[
    "prompts",
    "versions",
    "sessions",
    "threads",
    "threads-updated",
    "messages-asc",
    "messages-desc",
    "feedback",
    "ui-messages",
]
"""Written into each cursor, so that it serves its own list alone."""
_POSITION_DIGITS: Final = 10
"""The first number of so many may be beyond a position's 31 bits."""

_EPOCH: Final = datetime.datetime.fromtimestamp(0, datetime.UTC)
_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_MOMENT_DIGITS: Final = 17
"""Microseconds since 1970 have so many until the year 5138."""


def write_cursor(kind: ListKind, after: str) -> str:
    """The cursor of the page that begins behind `after`."""
    return base64.urlsafe_b64encode(f"{kind}:{after}".encode()).decode().rstrip("=")


def read_name_cursor(cursor: str | None, faults: Faults) -> PromptName | None:
    """The name after which the page begins."""
    after = _read_cursor(cursor, "prompts", faults)
    try:
        return None if after is None else prompt_name(after)
    except InvalidRequest:
        _refuse(faults)
        return None


def read_version_cursor(cursor: str | None, faults: Faults) -> int | None:
    """The number below which the page begins."""
    below = _read_cursor(cursor, "versions", faults)
    try:
        return None if below is None else version_number(below)
    except InvalidRequest:
        _refuse(faults)
        return None


def read_id_cursor(cursor: str | None, kind: ListKind, faults: Faults) -> str | None:
    """The id before which the page begins."""
    before = _read_cursor(cursor, kind, faults)
    if before is not None and canonical_id(before) != before:
        _refuse(faults)
        return None
    return before


def write_activity_cursor(updated_at: datetime.datetime, thread_id: str) -> str:
    """The cursor of the page that begins behind the thread that was last written to then."""
    microseconds = (updated_at - _EPOCH) // _MICROSECOND
    return write_cursor("threads-updated", f"{microseconds}.{thread_id}")


def read_activity_cursor(cursor: str | None, faults: Faults) -> tuple[datetime.datetime, str] | None:
    """The last activity and the id before which the page begins."""
    text = _read_cursor(cursor, "threads-updated", faults)
    if text is None:
        return None
    microseconds, _, before = text.partition(".")
    is_number = microseconds.isascii() and microseconds.isdigit() and len(microseconds) <= _MOMENT_DIGITS
    if not is_number or canonical_id(before) != before:
        _refuse(faults)
        return None
    return _EPOCH + int(microseconds) * _MICROSECOND, before


def read_position_cursor(cursor: str | None, kind: ListKind, faults: Faults) -> int | None:
    """The position beyond which the page begins."""
    beyond = _read_cursor(cursor, kind, faults)
    if beyond is None:
        return None
    if not (beyond.isascii() and beyond.isdigit() and len(beyond) < _POSITION_DIGITS):
        _refuse(faults)
        return None
    return int(beyond)


def _read_cursor(cursor: str | None, kind: ListKind, faults: Faults) -> str | None:
    if cursor is None:
        return None
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):  # ValueError: characters beyond ASCII, bytes that are no UTF-8
        text = ""
    written, _, after = text.partition(":")
    if written == kind:
        return after
    _refuse(faults)
    return None


def _refuse(faults: Faults) -> None:
    fault(faults, "cursor", "is no cursor of this list; send `next_cursor` as it came, or leave it out")
