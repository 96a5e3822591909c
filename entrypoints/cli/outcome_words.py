"""What became of a call, in words for a person."""

from typing import Final

_SKIPPED: Final = {
    "breaker_open": "it had failed before",
    "cooldown": "it had asked to be left alone",
    "budget_exceeded": "the budget does not hold it",
    "window": "prompt too long for it",
    "price_unknown": "price unknown",
    "invalid_request": "price unknown, or it can't do what was asked",
}


def outcome_words(outcome: str) -> str:
    """`rate limited`; `not asked: price unknown`."""
    kind, is_skipped, reason = outcome.partition("skipped_")
    if is_skipped and not kind:
        return f"not asked: {_SKIPPED.get(reason, reason.replace('_', ' '))}"
    return outcome.replace("_", " ")
