"""What every price book must do."""

import datetime
from abc import ABC, abstractmethod
from decimal import Decimal

from application.ports.price_book import Price, PriceBook
from domain.model import ModelRef
from domain.usage import NO_USAGE, PricedApart, Usage

_MODEL = ModelRef("acme", "large")
_PRICE = Price(
    input_per_mtok=Decimal("2.5"), output_per_mtok=Decimal(10), cached_input_per_mtok=Decimal("0.25")
)
_AT = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)


class PriceBookSuite(ABC):
    """Subclass it, make the book, and let pytest collect it."""

    @abstractmethod
    def make(self, prices: dict[ModelRef, Price]) -> PriceBook:
        """A book that knows at least `prices`."""

    def test_costs_are_exact(self) -> None:
        """Decimal dollars: 600 x 2.5 + 400 x 0.25 + 100 x 10, for a million."""
        usage = Usage(input_tokens=1000, output_tokens=100, cached_input_tokens=400)

        assert self.make({_MODEL: _PRICE}).cost(_MODEL, usage, at=_AT) == Decimal("0.0026")

    def test_nothing_costs_nothing(self) -> None:
        """Where the price is known."""
        assert self.make({_MODEL: _PRICE}).cost(_MODEL, NO_USAGE, at=_AT) == 0

    def test_unknown_is_none(self) -> None:
        """Never 0, not even for nothing; half a price is no price."""
        book = self.make({_MODEL: Price(input_per_mtok=Decimal(1))})

        assert book.cost(_MODEL, NO_USAGE, at=_AT) is None
        assert book.cost(ModelRef("acme", "other"), NO_USAGE, at=_AT) is None
        assert book.price(ModelRef("acme", "other"), at=_AT) is None

    def test_a_set_price_is_given_back(self) -> None:
        """As it was set."""
        assert self.make({_MODEL: _PRICE}).price(_MODEL, at=_AT) == _PRICE

    def test_at_most_twelve_decimals(self) -> None:
        """The columns that store costs have as many."""
        cost = self.make({_MODEL: _PRICE}).cost(_MODEL, Usage(input_tokens=1, output_tokens=1), at=_AT)

        assert cost is not None
        exponent = cost.as_tuple().exponent
        assert isinstance(exponent, int)
        assert exponent >= -12

    def test_no_call_costs_more_than_the_ceiling(self) -> None:
        """Budgets reserve it before the call."""
        book = self.make({_MODEL: _PRICE})
        ceiling = book.ceiling(_MODEL, 1000, at=_AT)
        cost = book.cost(_MODEL, Usage(input_tokens=1000, output_tokens=100, cached_input_tokens=400), at=_AT)

        assert ceiling is not None
        assert cost is not None
        assert cost <= (1000 * ceiling.input_per_mtok + 100 * ceiling.output_per_mtok) / 1_000_000

    def test_what_is_written_to_a_cache_has_its_price(self) -> None:
        """One for what is kept shortly, one for what is kept for an hour: 300 x 1 + 200 x 3.125 + 500 x 5."""
        price = Price(
            input_per_mtok=Decimal(1),
            output_per_mtok=Decimal(2),
            cache_write_per_mtok=Decimal("3.125"),
            cache_write_1h_per_mtok=Decimal(5),
        )
        usage = Usage(input_tokens=1000, output_tokens=0, cache_write_tokens=700)
        cost = self.make({_MODEL: price}).cost(
            _MODEL, usage, at=_AT, apart=PricedApart(cache_write_1h_tokens=500)
        )

        assert cost == Decimal("0.003425")

    def test_what_has_no_price_has_no_ceiling(self) -> None:
        """Nobody can promise what it costs."""
        book = self.make({_MODEL: Price(input_per_mtok=Decimal(1))})

        assert book.ceiling(_MODEL, 1, at=_AT) is None
        assert book.ceiling(ModelRef("acme", "other"), 1, at=_AT) is None
