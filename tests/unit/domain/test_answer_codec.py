"""Answers as JSON text and back."""

import json
from decimal import Decimal

import attrs
import pytest

from adapters.testing.idempotency_suite import answered_chat
from domain.answer import ChatAnswer, ContextUse
from domain.answer_codec import VERSION, decode_answer, encode_answer
from domain.idempotency import Claimed
from domain.json_value import JSONValue


def _answer() -> ChatAnswer:
    completes = answered_chat(Claimed(key="k", owner="o")).completes
    assert completes is not None
    return completes.answer


ANSWER = _answer()


def test_every_field_comes_back_as_it_was() -> None:
    """But for whether it is a replay: that is known when it is given again."""
    changed = attrs.evolve(ANSWER, is_replay=True)

    assert ANSWER == decode_answer(encode_answer(changed))


@pytest.mark.parametrize(
    "output",
    ["", "\0\ud800\u2028", 0, -0.0, 1e308, 2**80, True, None, [], {}, {"": [{"a": "\udfff"}]}, "x" * 10**6],
)
def test_every_json_value_is_an_output(output: JSONValue) -> None:
    """With the type it had; the text is one that every database takes."""
    text = encode_answer(attrs.evolve(ANSWER, output=output))
    decoded = decode_answer(text)

    assert decoded is not None
    assert (output, type(output)) == (decoded.output, type(decoded.output))
    assert "\0" not in text
    assert text.encode()


@pytest.mark.parametrize("cost", [None, Decimal(0), Decimal("0E-12"), Decimal("1E+3"), Decimal("0.1000")])
def test_money_is_exact(cost: Decimal | None) -> None:
    """To its trailing zeros, which callers see."""
    decoded = decode_answer(encode_answer(attrs.evolve(ANSWER, cost_usd=cost)))

    assert decoded is not None
    assert str(cost) == str(decoded.cost_usd)


def test_what_is_empty_stays_empty() -> None:
    """No attempts, calls or warnings, no prompt."""
    bare = attrs.evolve(
        ANSWER, attempts=(), tool_calls=(), warnings=(), prompt_version=None, context=ContextUse()
    )

    assert bare == decode_answer(encode_answer(bare))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "null",
        "[]",
        "1",
        "{}",
        json.dumps({"version": VERSION}),
        json.dumps({**json.loads(encode_answer(ANSWER)), "version": VERSION + 1}),
        json.dumps({**json.loads(encode_answer(ANSWER)), "cost_usd": "much"}),
        json.dumps({**json.loads(encode_answer(ANSWER)), "model": "gpt"}),
        json.dumps({**json.loads(encode_answer(ANSWER)), "usage": {"tokens": 1}}),
        json.dumps({**json.loads(encode_answer(ANSWER)), "attempts": [{}]}),
        json.dumps({**json.loads(encode_answer(ANSWER)), "context": None}),
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_absent(text: str | None) -> None:
    """Another version, half a text, another shape: never an error."""
    assert decode_answer(text) is None


def test_every_field_of_an_answer_is_written() -> None:
    """A new field must be given a place, or be left out on purpose."""
    written = set(json.loads(encode_answer(ANSWER)))
    fields = {field.name for field in attrs.fields(ChatAnswer)}

    assert {"is_replay", "budget"} == fields - written  # both are of the moment
    assert {"version"} == written - fields
