"""Values are equal and hashed by what they hold."""

import attrs
import pytest

from domain.values import evolve, frozen, maker


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


@frozen(kw_only=True)
class Pair:
    first: str
    second: int = 0


@frozen(cache_hash=True)
class Named:
    name: str
    number: int = 0


def test_quick_evolution_is_that_of_attrs() -> None:
    """The value that it begins with stays as it is; a field of another name is refused."""
    pair = Pair(first="a", second=1)

    assert evolve(pair, second=2) == attrs.evolve(pair, second=2)
    assert pair == Pair(first="a", second=1)
    with pytest.raises(AttributeError):
        evolve(pair, third=3)  # type: ignore[call-arg]  # refused at run time too


def test_what_is_more_than_its_fields_evolves_through_its_constructor() -> None:
    """Converters run, and a hash that was kept is made anew."""
    named = Named("a")
    hash(named)

    assert evolve(Point(x=1), y="2") == Point(x=1, y=2)
    assert hash(evolve(named, name="b")) == hash(Named("b"))


@attrs.define(kw_only=True)
class Basket:
    _owner: str
    things: list[str] = attrs.field(factory=list)
    size: int = 3
    label: str


@frozen
class Mixed:
    name: str
    size: int = attrs.field(default=1, kw_only=True)


@frozen
class Derived:
    name: str
    twice: str = attrs.field()

    @twice.default
    def _twice(self) -> str:
        return self.name * 2


def test_a_maker_makes_what_the_class_would() -> None:
    """With its names, its defaults, and a new list for each."""
    basket, pair = maker(Basket), maker(Pair)

    one, two = basket(owner="a", label="x"), basket(owner="a", label="x", size=4)
    one.things.append("apple")

    assert one == Basket(owner="a", label="x", things=["apple"])
    assert two == Basket(owner="a", label="x", size=4)
    assert pair(first="a") == Pair(first="a")
    assert {pair(first="a", second=1)} == {Pair(first="a", second=1)}


def test_a_maker_refuses_what_the_class_would() -> None:
    """A name that is not there, and one that is left out."""
    pair = maker(Pair)

    with pytest.raises(TypeError, match="third"):
        pair(first="a", third=3)  # type: ignore[call-arg]  # refused at run time too
    with pytest.raises(TypeError, match="first"):
        pair(second=1)  # type: ignore[call-arg]  # refused at run time too


@pytest.mark.parametrize("cls", [Point, Named, Mixed, Derived])
def test_a_class_whose_constructor_does_more_is_its_own_maker(cls: type) -> None:
    """Converters, cached hashes, defaults made of other fields."""
    assert maker(cls) is cls
