"""All formatters, held to one suite."""

from adapters.formatters.json import JSONFormatter
from adapters.formatters.markdown import MarkdownFormatter
from adapters.testing.formatter_suite import FormatterSuite
from domain.output.formatter import Formatter
from domain.output.raw import RawFormatter


class TestRawFormatter(FormatterSuite):
    def make(self) -> Formatter:
        return RawFormatter()


class TestMarkdownFormatter(FormatterSuite):
    def make(self) -> Formatter:
        return MarkdownFormatter()


class TestJSONFormatter(FormatterSuite):
    def make(self) -> Formatter:
        return JSONFormatter()
