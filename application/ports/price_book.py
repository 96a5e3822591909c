"""What tokens cost."""

import datetime
from decimal import Decimal
from typing import Protocol

import attrs

from domain.model import ModelRef
from domain.usage import Usage


@attrs.frozen(kw_only=True)
class Price:
    """List prices in USD for a million tokens; None where the book does not say."""

    input_per_mtok: Decimal | None = None
    output_per_mtok: Decimal | None = None
    cached_input_per_mtok: Decimal | None = None


class PriceBook(Protocol):
    """In memory, no I/O, a few microseconds a look-up."""

    def cost(self, model: ModelRef, usage: Usage, *, at: datetime.datetime) -> Decimal | None:
        """USD, exact, at most 12 decimals. None where the price is unknown, never 0 for "don't know"."""

    def price(self, model: ModelRef, *, at: datetime.datetime) -> Price | None: ...
