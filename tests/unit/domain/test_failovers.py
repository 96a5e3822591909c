"""After which tries another model was asked."""

import datetime

import pytest

from domain.attempt import Attempt, Purpose
from domain.failovers import fell_back
from domain.model import ModelRef

_NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def _try(model: str, outcome: str, purpose: Purpose = "answer") -> Attempt:
    return Attempt(model=ModelRef("openai", model), outcome=outcome, started_at=_NOW, purpose=purpose)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ((), ()),
        ((_try("a", "ok"),), (False,)),
        ((_try("a", "timeout"), _try("b", "ok")), (True, False)),
        ((_try("a", "timeout"), _try("a", "timeout"), _try("b", "ok")), (False, True, False)),
        ((_try("a", "skipped_breaker"), _try("b", "timeout")), (True, False)),
        ((_try("a", "ok", "summary"), _try("b", "ok")), (False, False)),
        ((_try("a", "timeout", "summary"), _try("b", "ok")), (False, False)),
    ],
)
def test_another_model_in_its_place_is_a_failover(
    attempts: tuple[Attempt, ...], expected: tuple[bool, ...]
) -> None:
    """A second try at the same one is none, nor is an answer behind a summary."""
    assert fell_back(attempts) == expected
