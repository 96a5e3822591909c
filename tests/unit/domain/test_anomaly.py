"""What is usual for a stream of numbers, and when one leaves it."""

import math
import random

import pytest

from domain.anomaly import WARM_UP, Anomaly, Baseline, Consumption, MinuteSum


def _stream(sigma: float, count: int, *, middle: float = 500.0, seed: int = 1) -> list[float]:
    """As token counts are: spread by factors."""
    source = random.Random(seed)  # noqa: S311 - no secret
    return [middle * math.exp(source.gauss(0, sigma)) for _ in range(count)]


def _seen(baseline: Baseline, values: list[float]) -> list[Anomaly]:
    return [anomaly for anomaly in map(baseline.see, values) if anomaly is not None]


@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.5, 1.0])
def test_steady_stream_has_hardly_an_anomaly(sigma: float) -> None:
    """At most two in ten thousand values, whatever their spread."""
    baseline = Baseline()

    assert len(_seen(baseline, _stream(sigma, 20_000))) <= 4


@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.4])
def test_spike_of_ten_times_is_seen_at_once(sigma: float) -> None:
    """With what was usual, and how far away it is."""
    baseline = Baseline()
    _seen(baseline, _stream(sigma, 300))
    anomaly = baseline.see(5000.0)

    assert anomaly is not None
    assert anomaly.value == 5000.0
    assert 350 < anomaly.usual < 700
    assert anomaly.score >= 4


def test_spike_is_one_event_and_the_next_spike_another() -> None:
    """However many values it has."""
    baseline = Baseline()
    _seen(baseline, _stream(0.1, 300))
    first = _seen(baseline, [5000.0] * 8)
    _seen(baseline, _stream(0.1, 60))
    second = _seen(baseline, [5000.0] * 3)

    assert (len(first), len(second)) == (1, 1)


def test_slow_drift_is_followed() -> None:
    """Two hundred times as much over a thousand values is no event."""
    baseline = Baseline()
    values = [value * math.exp(index * 0.0053) for index, value in enumerate(_stream(0.3, 1000))]

    assert _seen(baseline, values) == []
    assert baseline.usual is not None
    assert 0.5 < baseline.usual / (500 * math.exp(5.3)) < 2


def test_new_level_becomes_usual() -> None:
    """One event where it begins; back at the old one nothing is said, since less hurts nobody."""
    baseline = Baseline()
    _seen(baseline, _stream(0.3, 300))
    events = _seen(baseline, _stream(0.3, 400, middle=5000.0))

    assert len(events) == 1
    assert baseline.usual is not None
    assert 3500 < baseline.usual < 7000
    assert _seen(baseline, _stream(0.3, 300)) == []


def test_nothing_is_judged_before_it_is_known() -> None:
    """The first thirty values."""
    baseline = Baseline()

    assert _seen(baseline, [100.0] * (WARM_UP - 1) + [1e9]) == []
    assert Baseline().usual is None


def test_a_second_kind_of_value_is_soon_usual() -> None:
    """A tenth of the questions brings a book along: said a few times, and not ever after."""
    source = random.Random(2)  # noqa: S311 - no secret
    values = [
        source.gauss(20_000, 500) if source.random() < 0.1 else source.gauss(50, 5) for _ in range(5000)
    ]

    assert len(_seen(Baseline(), values)) <= 5


def test_zero_and_huge_are_values_too() -> None:
    """Free answers, and what a counter gone mad says."""
    baseline = Baseline()
    _seen(baseline, [0.0] * 100)

    assert baseline.see(1e300) is not None
    assert math.isfinite(baseline.usual or 0.0)


def test_a_minute_is_told_before_it_is_over() -> None:
    """Ten times as many answers of the usual size, and once only."""
    minutes = MinuteSum()
    for minute in range(60):
        for _ in range(10):
            assert minutes.see(500.0, minute) is None
    told = [anomaly for _ in range(100) if (anomaly := minutes.see(500.0, 60))]

    assert len(told) == 1
    assert told[0].value < 20_000
    assert 4000 < told[0].usual < 6000


def test_quiet_minutes_are_no_values() -> None:
    """A night without a chat is not what the morning is measured by."""
    minutes = MinuteSum()
    for minute in range(60):
        minutes.see(500.0, minute)

    assert minutes.see(500.0, 2000) is None


def test_consumption_tells_what_each_of_its_streams_would() -> None:
    """Of answers with a price and without one, over many minutes and some spikes."""
    dice = random.Random(3)  # noqa: S311 - values to be usual
    tokens, tokens_a_minute, cost, cost_a_minute = Baseline(), MinuteSum(), Baseline(), MinuteSum()
    together, told = Consumption(), 0
    for number in range(5_000):
        value = 90_000 if dice.random() < 0.004 else int(dice.lognormvariate(6, 0.5))
        usd, minute = (value * 1e-5 if dice.random() < 0.9 else 0.0), number // 37
        expected = [
            ("tokens", tokens.see(value)),
            ("tokens_per_minute", tokens_a_minute.see(value, minute)),
            ("cost_usd", cost.see(usd) if usd else None),
            ("cost_usd_per_minute", cost_a_minute.see(usd, minute) if usd else None),
        ]
        seen = together.see(value, usd, minute)
        told += len(seen)

        assert tuple(each for each in expected if each[1] is not None) == seen
    assert told > 5
