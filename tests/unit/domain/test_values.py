"""Values are equal and hashed by what they hold."""

import attrs
import pytest

from domain.values import frozen


@frozen(kw_only=True)
class Point:
    x: int
    y: int = attrs.field(default=0, converter=int)


@frozen(eq=False)
class Token:
    name: str


def test_values_that_hold_the_same_are_one_key() -> None:
    """Equality, hash, converters and evolution are attrs' own."""
    assert Point(x=1, y=2) == attrs.evolve(Point(x=1), y="2")
    assert {Point(x=1): "found"}[Point(x=1)] == "found"


def test_a_value_without_equality_is_itself_alone() -> None:
    """As attrs' frozen classes are."""
    assert Token("a") != Token("a")
    assert len({Token("a"), Token("a")}) == 2


def test_a_value_has_no_room_for_other_names() -> None:
    """A misspelt field is refused at run time too."""
    with pytest.raises(AttributeError):
        setattr(Point(x=1), "z", 3)  # noqa: B010 # mypy refuses the plain form
