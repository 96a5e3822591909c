"""What a model's tokens cost: the shape that every source of prices is brought to."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeAlias

from domain.values import frozen


@frozen(kw_only=True)
class Tiered:
    """A price that moves with the length of the prompt: past a threshold, all tokens cost the tier's price."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...]
    """(prompt tokens above which it applies, price), ascending."""


Rate: TypeAlias = Decimal | Tiered
"""USD for a million tokens."""


@frozen(kw_only=True)
class Rates:
    """One model's prices for each kind of token at one time, in one tier."""

    input: Rate
    output: Rate
    cached: Rate
    written: Rate
    """Into a cache; for Anthropic, into the one that keeps it for five minutes."""
    written_1h: Rate
    image: Rate
    """Prompt tokens of images."""
    audio: Rate | None = None
    """Prompt tokens of sound. They cost many times what text does, so that without their own price they have none."""
    audio_out: Rate | None = None


FALLBACK: Final[Mapping[str, str]] = {
    "cached": "input",
    "written": "input",
    "written_1h": "written",
    "image": "input",
}
"""What a kind costs that has no price of its own; one that is not here has none then. In an order in which each stands behind what it needs."""


def rates_of(known: Mapping[str, Rate | None]) -> Rates | None:
    """Prices by kind, with what is missing filled in; None where input or output is: half a price is none."""
    whole = {kind: rate for kind, rate in known.items() if rate is not None}
    if "input" not in whole or "output" not in whole:
        return None
    for kind, other in FALLBACK.items():
        whole.setdefault(kind, whole[other])
    return Rates(**whole)


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
