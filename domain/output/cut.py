"""Answers in JSON that are not, or not only, the JSON that they hold."""

from typing import Final

from domain.output.formatter import Formatted

_BLANKS: Final = " \t\r\n"
"""Of JSON (RFC 8259, section 2). Other white space is none to those who parse it."""
_CUT: Final = (
    "the answer was cut off by the limit of its length, and `output` is its text as it is; raise max_tokens"
)


def is_all_of(formatted: Formatted, text: str) -> bool:
    """Whether the JSON that was found is all of the text, but for blanks."""
    return formatted.text.strip(_BLANKS) == text.strip(_BLANKS)


def as_cut(formatted: Formatted, text: str) -> Formatted:
    """An answer that ended at the limit of its length. It is asked for no second time: that would end there again.

    What is no JSON as a whole is passed on as its text, a lone string too, so that a text is always the whole text.
    """
    is_json = not formatted.problems and is_all_of(formatted, text) and not isinstance(formatted.output, str)
    return formatted if is_json else Formatted(output=text, text=text, warnings=(_CUT,))
