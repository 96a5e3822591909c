"""What a rating, a time, a prompt and a model in a request may be."""

import datetime
from typing import Any

import pytest

from domain.errors import InvalidRequest
from domain.ids import MessageId
from domain.json_value import JSONObject
from domain.model import ModelRef
from domain.prompt.reference import PromptName, PromptReference
from entrypoints.http.checks import Check, Faults
from entrypoints.http.feedback_body import (
    RATED,
    USAGE,
    ModelText,
    PromptText,
    RatingText,
    RatingValue,
    read_feedback,
)
from entrypoints.http.moments import MomentText

UTC = datetime.UTC


def _read(check: Check[Any], value: Any) -> tuple[Any, list[str]]:
    faults: Faults = []
    found = check.read(value, "x", faults)
    return found, [fault.message for fault in faults]


@pytest.mark.parametrize("rating", ["thumbs_up", "thumbs_down", 1, 2, 3, 4, 5])
def test_ratings_are_read_as_they_are(rating: Any) -> None:
    """In a body as in a query, where all are texts."""
    assert (rating, []) == _read(RatingValue(), rating)
    assert (rating, []) == _read(RatingText(), str(rating))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (True, "true"),
        (3.0, "3.0"),
        (1e300, "1e+300"),
        (0, "0"),
        (6, "6"),
        (-1, "-1"),
        (2**60, str(2**60)),
        ("3", '"3", a string; leave the quotes out'),
        ("up", '"up", a string'),
        ("\n", '"�", a string'),
        ([], "a list"),
        ({}, "an object"),
    ],
)
def test_other_ratings_are_refused_with_what_is_allowed(value: Any, told: str) -> None:
    """And with what was sent."""
    allowed = "must be `thumbs_up`, `thumbs_down` or an integer from 1 to 5"

    assert (None, [f"{allowed}; it is {told}"]) == _read(RatingValue(), value)


@pytest.mark.parametrize("text", ["", "3.0", "03", " 3", "٣", "true", "thumbs_up ", "6"])
def test_other_ratings_of_a_query_are_refused(text: str) -> None:
    """Digits of other scripts too."""
    found, told = _read(RatingText(), text)

    assert found is None
    assert "an integer from 1 to 5" in told[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", datetime.datetime(2026, 11, 1, tzinfo=UTC)),
        ("2024-02-29", datetime.datetime(2024, 2, 29, tzinfo=UTC)),
        ("2026-11-01T09:30:00Z", datetime.datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
        ("2026-11-01t09:30:00z", datetime.datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
        ("2026-11-01T09:30:00.5+05:45", datetime.datetime(2026, 11, 1, 3, 45, 0, 500_000, tzinfo=UTC)),
        ("2026-11-01T00:00:00.123456789-00:00", datetime.datetime(2026, 11, 1, 0, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_times_are_read_to_utc(text: str, expected: datetime.datetime) -> None:
    """As RFC 3339 writes them; a day is its beginning."""
    assert (expected, []) == _read(MomentText(), text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026",
        "2026-02-30",
        "2026-11-1",
        "20261101",
        "2026-W45-1",
        "2026-11-01T09:30:00",
        "2026-11-01T09:30Z",
        "2026-11-01T25:00:00Z",
        "2026-11-01T09:30:00+25:00",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        "0000-01-01",
        "٢٠٢٦-11-01",
        "1762000000",
        "2026-11-01\n",
    ],
)
def test_other_times_are_refused_with_an_example(text: str) -> None:
    """Never a 500."""
    found, told = _read(MomentText(), text)

    assert found is None
    assert "2026-11-01T09:30:00Z" in told[0]


def test_lost_plus_is_explained() -> None:
    """In a query it means a blank."""
    assert "%2B" in _read(MomentText(), "2026-11-01T09:30:00 02:00")[1][0]


def test_prompts_and_models_are_read_by_their_names() -> None:
    """`latest` is no label that an answer keeps."""
    assert _read(PromptText(), "a:v3")[0] == PromptReference(name=PromptName("a"), version=3)
    assert _read(ModelText(), "a:b:c")[0] == ModelRef("a", "b:c")
    for check, value in ((PromptText(), "a@latest"), (PromptText(), "a b"), (ModelText(), "gpt-4")):
        found, told = _read(check, value)
        assert found is None
        assert len(told) == 1


def test_fields_are_called_from_and_to() -> None:
    """Which Python keeps for itself."""
    faults: Faults = []
    query = USAGE.read({"from": "2026-11-01", "to": "2026-11-02", "group_by": "label"}, "", faults)
    assert query is not None
    assert (1, 2, "label") == (query.since.day, query.until.day, query.group_by)  # type: ignore[union-attr]  # both given
    for record in (USAGE, RATED):
        assert record.read({"since": "2026-11-01"}, "", faults) is None
    assert {fault.path for fault in faults} == {"since"}


def test_every_fault_of_a_body_is_told_at_once() -> None:
    """With its path."""
    body: JSONObject = {"rating": True, "comment": 1, "tags": ["", 2], "user": "", "note": "x"}
    with pytest.raises(InvalidRequest) as error:
        read_feedback(body, message_id=MessageId("m"), faults=[])

    assert ["rating", "comment", "tags[0]", "tags[1]", "user", "note"] == [
        fault.path for fault in error.value.faults
    ]


def test_null_counts_as_left_out() -> None:
    """But for the rating, which is required."""
    body = {"rating": 3, "comment": None, "tags": None, "user": None}
    command = read_feedback(body, message_id=MessageId("m"), faults=[])

    assert (3, None, (), None) == (command.rating, command.comment, command.tags, command.user)
    with pytest.raises(InvalidRequest, match="rating: is required"):
        read_feedback({"rating": None}, message_id=MessageId("m"), faults=[])
