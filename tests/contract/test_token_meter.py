"""Both token meters, held to one suite."""

from adapters.in_memory.token_meter import WordMeter
from adapters.testing.token_meter_suite import TokenMeterSuite
from adapters.tokens.tiktoken_meter import TiktokenMeter
from domain.passes.compiler_pass import TokenMeter


class TestWordMeter(TokenMeterSuite):
    def make(self) -> TokenMeter:
        return WordMeter()


class TestTiktokenMeter(TokenMeterSuite):
    def make(self) -> TokenMeter:
        return TiktokenMeter()
