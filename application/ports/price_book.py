"""What tokens cost."""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from domain.chat import NO_PARAMETERS
from domain.json_value import JSONValue
from domain.model import ModelRef
from domain.usage import AT_LIST_PRICE, PricedApart, Usage
from domain.values import frozen


@frozen(kw_only=True)
class Price:
    """List prices in USD for a million tokens; None where the book does not say."""

    input_per_mtok: Decimal | None = None
    output_per_mtok: Decimal | None = None
    cached_input_per_mtok: Decimal | None = None
    cache_write_per_mtok: Decimal | None = None
    """Of prompt tokens that a cache takes in; for Anthropic, into the one that keeps them for five minutes."""
    cache_write_1h_per_mtok: Decimal | None = None
    """Into Anthropic's cache that keeps them for an hour."""
    image_input_per_mtok: Decimal | None = None
    audio_input_per_mtok: Decimal | None = None
    audio_output_per_mtok: Decimal | None = None
    starts_on: datetime.date | None = None
    """The first day (UTC) on which it holds; None has held ever since."""


@frozen(kw_only=True)
class Ceiling:
    """The most that a token can cost in one call, in USD for a million."""

    input_per_mtok: Decimal
    """Of the prompt, whatever kind of token it turns out to be: read, cached, written to a cache, of an image."""
    output_per_mtok: Decimal


class PriceBook(Protocol):
    """In memory, no I/O, a few microseconds a look-up."""

    def cost(
        self, model: ModelRef, usage: Usage, *, at: datetime.datetime, apart: PricedApart = AT_LIST_PRICE
    ) -> Decimal | None:
        """USD, exact, at most 12 decimals. None where the price is unknown, never 0 for "don't know".

        Args:
            apart: what the provider said beside its counts. A kind of token that the book has no price of its own for
                costs what input, or output, costs; a tier that it does not list has no price.
        """

    def price(self, model: ModelRef, *, at: datetime.datetime) -> Price | None:
        """What holds at that time, for a short prompt and no special tier."""

    def coming(self, model: ModelRef, *, after: datetime.datetime) -> tuple[Price, ...]:
        """Prices that are known today and begin on a later day, the next one first."""

    def ceiling(
        self,
        model: ModelRef,
        prompt_tokens: int,
        *,
        at: datetime.datetime,
        parameters: Mapping[str, JSONValue] = NO_PARAMETERS,
    ) -> Ceiling | None:
        """What no call costs more than: with a prompt of at most that length, begun at `at`, a day long at most.

        Args:
            parameters: of the request (`ChatRequest.parameters`): a faster tier costs more, and so does a cache that
                keeps the prompt for an hour.

        Returns:
            None where `cost` is None.
        """
