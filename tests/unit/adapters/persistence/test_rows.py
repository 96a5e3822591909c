"""Domain values and rows, there and back."""

import datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.persistence.rows import message_of, message_row
from adapters.persistence.tables import MESSAGES
from domain.feedback import RATINGS, Feedback
from domain.ids import MessageId, Tenant, ThreadId
from domain.message import ImagePart, Message, TextPart, ToolCall
from domain.model import ModelRef
from domain.thread import StoredMessage
from domain.usage import Usage
from tests.support.records import new_chat

_TEXT = st.text(max_size=20)
_COUNT = st.integers(min_value=0, max_value=2**62)
_MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    parts=st.lists(
        st.one_of(
            st.builds(TextPart, text=_TEXT),
            st.builds(ImagePart, url=st.none() | _TEXT, data=st.none() | _TEXT, media_type=st.none() | _TEXT),
        )
    ).map(tuple),
    tool_calls=st.lists(
        st.builds(ToolCall, id=_TEXT, name=_TEXT, arguments=_TEXT, complete=st.booleans())
    ).map(tuple),
    tool_call_id=st.none() | _TEXT,
    token_count=st.none() | _COUNT,
)
_STORED = st.builds(
    StoredMessage,
    id=st.uuids().map(lambda value: MessageId(str(value))),
    tenant=_TEXT.map(Tenant),
    thread_id=st.uuids().map(lambda value: ThreadId(str(value))),
    position=st.integers(min_value=0, max_value=2**31 - 1),
    message=_MESSAGES,
    status=st.sampled_from(["complete", "incomplete", "failed", "interrupted", "cancelled"]),
    error_code=st.none() | _TEXT,
    parent=st.none() | st.uuids().map(lambda value: MessageId(str(value))),
    pinned=st.booleans(),
    copied_from=st.none() | st.uuids().map(lambda value: MessageId(str(value))),
    feedback=st.none()
    | st.builds(
        Feedback,
        rating=st.sampled_from(RATINGS),
        comment=st.none() | _TEXT,
        tags=st.lists(_TEXT).map(tuple),
        user=st.none() | _TEXT,
        given_at=st.datetimes(timezones=st.just(datetime.UTC)),
    ),
    format=st.none() | _TEXT,
    model=st.none() | st.builds(ModelRef, provider=_TEXT, model=_TEXT),
    prompt_version=st.none() | _TEXT,
    prompt_label=st.none() | _TEXT,
    finish_reason=st.none() | st.sampled_from(["stop", "length", "content_filter", "tool_calls"]),
    usage=st.none()
    | st.builds(
        Usage,
        input_tokens=_COUNT,
        output_tokens=_COUNT,
        cached_input_tokens=_COUNT,
        cache_write_tokens=_COUNT,
        reasoning_tokens=_COUNT,
        estimated=st.booleans(),
    ),
    cost_usd=st.none() | st.decimals(allow_nan=False, allow_infinity=False).map(Decimal),
    latency_ms=st.none() | _COUNT,
    metadata=st.dictionaries(_TEXT, _TEXT).map(lambda pairs: tuple(sorted(pairs.items()))),
    created_at=st.datetimes(timezones=st.just(datetime.UTC)),
)


@given(_STORED)
def test_message_comes_back_as_it_was(stored: StoredMessage) -> None:
    """Every field has its column, and no two are mixed up."""
    assert stored.position is not None
    row = message_row(stored, position=stored.position)

    assert set(MESSAGES.columns.keys()) == set(row)
    assert stored == message_of(row)


@pytest.mark.parametrize(
    "field", [field.name for field in attrs.fields(StoredMessage) if field.name != "position"]
)
def test_every_field_reaches_the_row(field: str) -> None:
    """A field that someone adds to the domain and forgets here makes this fail."""
    answer = new_chat().messages[1]
    other: dict[str, Any] = {
        "message": Message.of("assistant", "else"),
        "model": ModelRef("a", "b"),
        "usage": None,
        "metadata": (("else", "x"),),
        "created_at": answer.created_at + datetime.timedelta(days=1),
        "cost_usd": Decimal(7),
        "latency_ms": 7,
        "pinned": True,
        "feedback": Feedback(rating=5, given_at=answer.created_at),
    }
    changed = attrs.evolve(answer, **{field: other.get(field, "else")})

    assert message_row(answer, position=0) != message_row(changed, position=0)
