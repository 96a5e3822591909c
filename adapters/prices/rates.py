"""What a model's tokens cost: the shape that every source of prices is brought to."""

from decimal import Decimal
from typing import TypeAlias

import attrs


@attrs.frozen(kw_only=True)
class Tiered:
    """A price that moves with the length of the prompt: past a threshold, all tokens cost the tier's price."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...]
    """(prompt tokens above which it applies, price), ascending."""


Rate: TypeAlias = Decimal | Tiered
"""USD for a million tokens."""


@attrs.frozen(kw_only=True)
class Rates:
    """One model's prices for each kind of token at one time."""

    input: Rate
    output: Rate
    cached: Rate
    written: Rate


def at_length(rate: Rate, prompt_tokens: int) -> Decimal:
    """USD for a million tokens, for a prompt of that length."""
    if isinstance(rate, Decimal):
        return rate
    applicable = rate.base
    for above, price in rate.tiers:
        if prompt_tokens > above:
            applicable = price
    return applicable


def highest(rate: Rate, prompt_tokens: int) -> Decimal:
    """The most that a token costs in a prompt of at most that length."""
    if isinstance(rate, Decimal):
        return rate
    return max(rate.base, *(price for above, price in rate.tiers if prompt_tokens > above), Decimal(0))
