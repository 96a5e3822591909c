"""The mean rating and how sure it is."""

import math

import pytest

from domain.usage_report import Estimate, RatingStatistics, estimate


@pytest.mark.parametrize(
    ("ups", "count", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17
        # (1998), table I, method 3: the score method without continuity correction.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_of_thumbs_is_that_of_the_tables(ups: int, count: int, low: float, high: float) -> None:
    """Scores of 0 and 1 are proportions."""
    found = estimate(RatingStatistics(count=count, total=ups))

    assert found is not None
    assert (low, high) == (round(found.low, 4), round(found.high, 4))
    assert math.isclose(found.mean, ups / count)


def test_nothing_is_said_of_no_rating() -> None:
    """Not even a mean of nothing."""
    assert estimate(RatingStatistics()) is None


@pytest.mark.parametrize("total", [0.0, 0.25, 1.0, 2.5, 4.75, 5.0])
def test_interval_holds_its_mean_and_stays_inside(total: float) -> None:
    """Also where all agree, and with stars."""
    found = estimate(RatingStatistics(count=5, total=total))

    assert found is not None
    assert 0.0 <= found.low <= found.mean <= found.high + 1e-12 <= 1.0 + 1e-12
    assert found.high - found.low > 0.3


def test_more_ratings_say_more() -> None:
    """The interval narrows with the root of their number."""

    def width(count: int) -> float:
        found = estimate(RatingStatistics(count=count, total=count * 0.75))
        assert isinstance(found, Estimate)
        return found.high - found.low

    assert math.isclose(width(400) / width(40_000), 10, rel_tol=0.01)
