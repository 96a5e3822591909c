"""Characters that no wire or database carries."""

from domain.clean_text import clean, clean_value
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource, Turn, Variable


def test_unfit_characters_are_replaced_at_any_depth() -> None:
    """In keys and texts; everything else stays."""
    value = {"a\0": ["\ud800", {"b": ("c\udfff", 1, None, 1.5, True)}], "d": "🙂"}

    assert clean(value) == {"a\ufffd": ["\ufffd", {"b": ["c\ufffd", 1, None, 1.5, True]}], "d": "🙂"}


def test_values_stay_what_they_are() -> None:
    """attrs values and tuples keep their types, with clean texts in them."""
    source = PromptSource(
        turns=(Turn(role="system", template="a\0"),),
        variables=(Variable(name="x", required=False, default={"k\0": ["\ud800"]}, values=("\0",)),),
        declares=False,
    )
    expected = PromptSource(
        turns=(Turn(role="system", template="a\ufffd"),),
        variables=(Variable(name="x", required=False, default={"k\ufffd": ["\ufffd"]}, values=("\ufffd",)),),
        declares=False,
    )
    refs = (VersionRef(PromptName("a\0"), 1), VersionRef(PromptName("b"), 2))

    assert expected == clean_value(source)
    assert clean_value(refs) == (VersionRef(PromptName("a\ufffd"), 1), refs[1])
