"""The line of an answered chat, written by itself, says what the line of every event says."""

from decimal import Decimal
from typing import Any

import attrs
import pytest

from adapters.telemetry.log_answered import answered_line
from adapters.telemetry.log_areas import kind_of
from adapters.telemetry.log_fields import event_fields
from adapters.telemetry.log_line import json_line
from application.services.request_scope import RequestScope
from domain.model import ModelRef
from domain.telemetry import ChatAnswered
from domain.usage import Usage

_AT = 1764000000.123456
_FULL = ChatAnswered(
    request_id="r", tenant="acme", message_id="m", thread_id="h", model=ModelRef("openai", "gpt-4"),
    prompt_version="default@1", usage=Usage(input_tokens=100, output_tokens=20), cost_usd=Decimal("0.00022075"),
    duration_s=1.23456789, overhead_s=0.0000005, attempts=2, stream=True, key_id="k", first_token_s=0.1 + 0.2,
)  # fmt: skip
_SCOPE = RequestScope(request_id="r", tenant="other", key_id="k2")
_PLAIN: dict[str, ChatAnswered] = {
    "full": _FULL,
    "bare": attrs.evolve(
        _FULL, prompt_version=None, cost_usd=None, key_id=None, first_token_s=None, stream=False
    ),
    "estimated": attrs.evolve(_FULL, usage=Usage(input_tokens=1, output_tokens=2, estimated=True)),
    "tiny cost": attrs.evolve(_FULL, cost_usd=Decimal("1E-12")),
    "free": attrs.evolve(_FULL, cost_usd=Decimal(0)),
    "no time at all": attrs.evolve(_FULL, duration_s=0.0, overhead_s=0.0),
    "quotes and controls": attrs.evolve(_FULL, tenant='a"b\\c\n\x1b', prompt_version="\x00"),
}
_ODD: dict[str, ChatAnswered] = {
    "another script": attrs.evolve(_FULL, tenant="ü"),
    "lone surrogate": attrs.evolve(_FULL, tenant="\ud800"),
    "delete": attrs.evolve(_FULL, tenant="\x7f"),
    "long": attrs.evolve(_FULL, tenant="x" * 3000),
    "huge": attrs.evolve(_FULL, usage=Usage(input_tokens=1 << 70, output_tokens=2)),
}


def _lines(
    event: ChatAnswered, scope: RequestScope | None, process: dict[str, Any]
) -> tuple[bytes, bytes | None]:
    """As of every event, and by itself."""
    kind = kind_of(event)
    assert kind is not None
    fields = event_fields(event, scope, {"area": kind.area, **process})
    usual = json_line(_AT, kind.level, kind.message, fields)
    return usual, answered_line(_AT, kind, event, scope, process)


@pytest.mark.parametrize("case", _PLAIN)
@pytest.mark.parametrize(
    "scope", [None, _SCOPE, attrs.evolve(_SCOPE, request_id="x"), attrs.evolve(_SCOPE, key_id=None)]
)
@pytest.mark.parametrize("process", [{}, {"worker": 2}])
def test_answered_chat_says_the_same(case: str, scope: RequestScope | None, process: dict[str, Any]) -> None:
    """To the byte, whatever of it is known."""
    usual, own = _lines(_PLAIN[case], scope, process)

    assert usual == own


@pytest.mark.parametrize("case", _ODD)
def test_what_must_be_cut_or_escaped_is_left_to_others(case: str) -> None:
    """None, in place of a line that could look like something else."""
    assert _lines(_ODD[case], None, {})[1] is None


def test_each_field_of_the_event_is_compared() -> None:
    """One that is new has a value in `_FULL` too, so that a line without it is found."""
    assert None not in [getattr(_FULL, field.name) for field in attrs.fields(ChatAnswered)]
