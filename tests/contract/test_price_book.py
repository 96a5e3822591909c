"""Both price books, held to one suite."""

from adapters.in_memory.price_book import FixedPriceBook
from adapters.prices.genai_price_book import GenaiPriceBook
from adapters.testing.price_book_suite import PriceBookSuite
from application.ports.price_book import Price, PriceBook
from domain.model import ModelRef


class TestFixedPriceBook(PriceBookSuite):
    def make(self, prices: dict[ModelRef, Price]) -> PriceBook:
        return FixedPriceBook(prices)


class TestGenaiPriceBook(PriceBookSuite):
    def make(self, prices: dict[ModelRef, Price]) -> PriceBook:
        return GenaiPriceBook(vendors={}, overrides=prices)
