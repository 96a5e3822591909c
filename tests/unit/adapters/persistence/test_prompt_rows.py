"""Prompts and rows, there and back."""

import datetime
import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.persistence.json_codec import decode_json, encode_json
from adapters.persistence.prompt_rows import (
    move_of,
    move_row,
    pin_rows,
    prompt_of,
    prompt_row,
    version_of,
    version_row,
)
from adapters.persistence.tables import PROMPT_LABEL_MOVES, PROMPT_PINS, PROMPT_VERSIONS, PROMPTS
from adapters.testing.prompts_to_store import new_head, new_move, new_version, system_text
from domain.errors import StorageUnavailable
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.version import FileLink, Label, LabelMove, Pin, Prompt, PromptVersion, RemoteLink

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_NAME = st.from_regex(r"[a-z_]{1,9}", fullmatch=True).map(PromptName)
_NUMBER = st.integers(min_value=1, max_value=2**31 - 1)
_TIME = st.datetimes(
    min_value=datetime.datetime(2000, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    timezones=st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(hours=-7))]),
)
_WEIGHTS = st.lists(st.tuples(_NUMBER, st.integers(min_value=1, max_value=1000))).map(tuple)
_PROMPTS = st.builds(
    Prompt,
    tenant=st.just(DEFAULT_TENANT),
    name=_NAME,
    latest=_NUMBER,
    next_number=_NUMBER,
    revision=_NUMBER,
    labels=st.lists(
        st.builds(
            Label,
            name=_TEXT,
            weights=_WEIGHTS,
            protected=st.booleans(),
            moved_at=_TIME,
            moved_by=st.none() | _TEXT,
        )
    ).map(tuple),
    file=st.none() | st.builds(FileLink, path=_TEXT, hash=_TEXT),
    assistant=st.none() | st.builds(RemoteLink, id=_TEXT, hash=_TEXT),
    created_at=_TIME,
    updated_at=_TIME,
)
_VERSIONS = st.builds(
    PromptVersion,
    tenant=st.just(DEFAULT_TENANT),
    name=_NAME,
    number=_NUMBER,
    hash=_TEXT,
    source=_TEXT.filter(str.strip).map(system_text),
    pins=st.lists(st.builds(Pin, written=_TEXT, ref=st.builds(VersionRef, _NAME, _NUMBER), hash=_TEXT)).map(
        tuple
    ),
    made_by=st.sampled_from(["file", "api", "cli", "import"]),
    author=st.none() | _TEXT,
    message=st.none() | _TEXT,
    created_at=_TIME,
)
_MOVES = st.builds(
    LabelMove,
    name=_NAME,
    label=_TEXT,
    weights=_WEIGHTS,
    author=st.none() | _TEXT,
    message=st.none() | _TEXT,
    moved_at=_TIME,
)


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    """The row as it comes back: its JSON columns went through the store's JSON."""
    documents = ("labels", "file", "assistant", "pins", "weights")
    return {
        "tenant": DEFAULT_TENANT,
        **{name: decode_json(encode_json(item)) if name in documents else item for name, item in row.items()},
    }


@given(_PROMPTS)
def test_heads_survive(prompt: Prompt) -> None:
    """Whatever their texts, numbers and time zones."""
    assert prompt == prompt_of(_stored(prompt_row(prompt)))


@given(_VERSIONS)
def test_versions_survive(version: PromptVersion) -> None:
    """With their source and pins."""
    assert version == version_of(_stored(version_row(version)))


@given(_MOVES)
def test_moves_survive(move: LabelMove) -> None:
    """Weights are tuples again."""
    assert move == move_of(_stored(move_row(move, position=1)))


def test_rows_name_every_column() -> None:
    """But the tenant, which the scope adds."""
    version = new_version(pins=(VersionRef(PromptName("tone"), 1), VersionRef(PromptName("tone"), 1)))
    (pin,) = pin_rows(version)
    for table, row in (
        (PROMPTS, prompt_row(new_head())),
        (PROMPT_VERSIONS, version_row(version)),
        (PROMPT_PINS, pin),
        (PROMPT_LABEL_MOVES, move_row(new_move(1), position=1)),
    ):
        assert {column.name for column in table.columns} == {*row, "tenant"}


def test_place_for_declarations_is_kept_apart_from_the_document() -> None:
    """The document is what files and the API hold, and has no word for it."""
    version = new_version(source=attrs.evolve(system_text("Be {{how}}."), declares=False))
    row = version_row(version)

    assert json.loads(row["template"]) == {"template": "Be {{how}}."}
    assert not version_of(_stored(row)).source.declares


@pytest.mark.parametrize("template", ["", "{", "[]", "null", '{"poem": "…"}', '{"template": 7}'])
def test_row_that_is_no_prompt_is_the_fault_of_the_store(template: str) -> None:
    """It names the version and the remedy, and nothing of what is in it."""
    row = _stored({**version_row(new_version()), "template": template})
    with pytest.raises(StorageUnavailable, match=r"`support_agent:v1` .* install a newer") as caught:
        version_of(row)

    assert "poem" not in str(caught.value)
