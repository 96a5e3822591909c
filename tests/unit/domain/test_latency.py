"""Percentiles from buckets."""

import itertools
import random

import pytest

from domain.latency import BOUNDS_MS, Latencies, bucket_of


def _of(*latencies_ms: int) -> Latencies:
    latencies = Latencies()
    latencies.add_each(latencies_ms)
    return latencies


def test_bounds_never_change() -> None:
    """What is stored is counted by them."""
    assert BOUNDS_MS[:13] == (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 16, 19)
    assert (len(BOUNDS_MS), BOUNDS_MS[-1], sum(BOUNDS_MS)) == (88, 8388608, 52724178)


@pytest.mark.parametrize(("latency_ms", "bucket"), [(0, 0), (1, 1), (8, 8), (9, 8), (10, 9), (2**40, 88)])
def test_bucket_begins_at_its_bound(latency_ms: int, bucket: int) -> None:
    """What is less than all bounds is in the first, what is more in the last."""
    assert bucket_of(latency_ms) == bucket


def test_nothing_has_no_percentile() -> None:
    """Nor a mean."""
    assert (_of().mean_ms, _of().percentile_ms(0.5)) == (None, None)


@pytest.mark.parametrize(
    ("latencies_ms", "median_ms"), [((7,), 7.0), ((10, 20), 15.0), ((10, 20, 40, 80), 30.0), ((9, 9, 9), 9.0)]
)
def test_percentile_of_a_few_is_exact(latencies_ms: tuple[int, ...], median_ms: float) -> None:
    """Between the two nearest, as databases do it."""
    assert _of(*latencies_ms).percentile_ms(0.5) == median_ms


@pytest.mark.parametrize("fraction", [0.5, 0.95, 0.99])
def test_percentile_of_many_is_off_by_little(fraction: float) -> None:
    """Two in a hundred, where latencies are as they usually are."""
    chance = random.Random(3)  # noqa: S311 - variety, no more
    latencies_ms = sorted(round(chance.lognormvariate(7, 0.6)) for _ in range(20_000))
    told = _of(*latencies_ms).percentile_ms(fraction)

    assert told == pytest.approx(latencies_ms[round(fraction * 19_999)], rel=0.02)


def test_percentile_is_never_off_by_more_than_a_fifth() -> None:
    """Even where all but one of a bucket lie at its end."""
    for lowest, beyond in itertools.pairwise(BOUNDS_MS[20:41]):
        told = _of(*[lowest] * 999, beyond - 1).percentile_ms(0.99)

        assert told == pytest.approx(lowest, rel=0.2)


def test_mean_is_exact() -> None:
    """However the buckets come."""
    latencies = _of(1, 2)
    latencies.add(bucket_of(1000), count=2, total_ms=2001, lowest_ms=1000, highest_ms=1001)

    assert latencies.mean_ms == 501.0
