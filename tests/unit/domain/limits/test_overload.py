"""How many requests are let in while the loop is late."""

import math

from domain.limits.overload import CALM, INTERVAL_S, LATE_S, LEAST, PATIENCE, OverloadGate


def intervals(gate: OverloadGate, late_s: float, *, times: int, in_flight: int, start: int = 0) -> int:
    for number in range(start + 1, start + times + 1):
        gate.observe(late_s, now_s=number * (INTERVAL_S + 0.001), in_flight=in_flight)
    return start + times


def test_loop_that_keeps_up_lets_everything_in() -> None:
    """However many are under way."""
    gate = OverloadGate()
    intervals(gate, LATE_S / 2, times=50, in_flight=100_000)

    assert gate.limit == math.inf
    assert gate.allows(100_000)


def test_pause_that_comes_and_goes_is_no_overload() -> None:
    """A second without a turn, again and again, and in time in between."""
    gate = OverloadGate()
    for number in range(1, 40):
        gate.observe(1.0 if number % 2 else 0.0, now_s=number * (INTERVAL_S + 0.001), in_flight=500)

    assert gate.limit == math.inf


def test_late_loop_lets_in_fewer_and_fewer_but_some() -> None:
    """A fifth less an interval once it stays late, and never fewer than keep it busy."""
    gate = OverloadGate()
    after = intervals(gate, 2 * LATE_S, times=PATIENCE - 1, in_flight=1000)
    patient = gate.limit
    after = intervals(gate, 2 * LATE_S, times=1, in_flight=1000, start=after)
    first = gate.limit
    intervals(gate, 2 * LATE_S, times=100, in_flight=1000, start=after)

    assert (patient, first) == (math.inf, 800)
    assert gate.limit == LEAST
    assert not gate.allows(LEAST)
    assert gate.allows(LEAST - 1)


def test_loop_that_keeps_up_again_lets_in_more_until_there_is_no_limit() -> None:
    """Slowly while there is a crowd, without a limit once it is gone."""
    gate = OverloadGate()
    after = intervals(gate, 2 * LATE_S, times=PATIENCE, in_flight=100)
    late = gate.limit
    after = intervals(gate, 0.0, times=1, in_flight=80, start=after)
    more = gate.limit
    crowded = intervals(gate, 0.0, times=CALM, in_flight=10_000, start=after)
    still = gate.limit
    intervals(gate, 0.0, times=1, in_flight=3, start=crowded)

    assert late < more < 100
    assert more < still < math.inf
    assert gate.limit == math.inf
