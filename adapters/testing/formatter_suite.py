"""What every formatter must do."""

from abc import ABC, abstractmethod

from domain.output.formatter import Formatter

_TEXTS = (
    "",
    " ",
    "plain",
    "# Title\n\n* a\n* b\n",
    "```\nopen",
    '{"a": 1}',
    "\x00\ud800",
    "é\r\n🙂",
    "[" * 3000,
)


class FormatterSuite(ABC):
    """Subclass it, make the formatter, and let pytest collect it."""

    @abstractmethod
    def make(self) -> Formatter:
        """A fresh formatter."""

    def test_it_has_a_name(self) -> None:
        """In lower case, as `format` names it."""
        name = self.make().name

        assert name
        assert name == name.lower().strip()

    def test_it_never_fails_on_a_models_text(self) -> None:
        """What does not fit is a problem, said in words, and the text is kept."""
        for text in _TEXTS:
            formatted = self.make().format(text, schema=None)
            if formatted.problems:
                assert formatted.text == text
                assert formatted.output is None
                assert all(problem.strip() for problem in formatted.problems)

    def test_formatting_is_deterministic_and_stable(self) -> None:
        """The stored text formats to itself."""
        for text in _TEXTS:
            once = self.make().format(text, schema=None)
            assert once == self.make().format(text, schema=None)
            if not once.problems:
                assert self.make().format(once.text, schema=None) == once

    def test_one_that_wants_json_says_so_to_the_model(self) -> None:
        """OpenAI's JSON mode insists on the word."""
        formatter = self.make()
        if formatter.wants_json:
            assert "JSON" in (formatter.instruction or "")
