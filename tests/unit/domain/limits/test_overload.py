"""How many requests are let in while the loop is late."""

import math

import attrs

from domain.limits.overload import AIM_S, CALM, INTERVAL_S, LATE_S, LEAST, PATIENCE_S, OverloadGate

_PATIENT: int = round(PATIENCE_S / INTERVAL_S) + 1


@attrs.define
class Told:
    """A gate, and the server that it is told of."""

    gate: OverloadGate = attrs.field(factory=OverloadGate)
    now_s: float = 0.0
    ended: int = 0
    refused: int = 0

    def intervals(
        self, times: int, *, late_s: float, in_flight: int, ended: int = 0, refused: int = 0
    ) -> float:
        """The limit after that many of them, in each of which so many ended and were refused."""
        for _ in range(times):
            self.now_s += INTERVAL_S + 0.001
            self.ended += ended
            self.refused += refused
            self.gate.observe(
                late_s, now_s=self.now_s, in_flight=in_flight, ended=self.ended, refused=self.refused
            )
        return self.gate.limit

    def overloaded(self, in_flight: int) -> float:
        return self.intervals(_PATIENT, late_s=2 * LATE_S, in_flight=in_flight)


def test_loop_that_keeps_up_lets_everything_in() -> None:
    """However many are under way."""
    told = Told()

    assert told.intervals(50, late_s=LATE_S / 2, in_flight=100_000) == math.inf
    assert told.gate.allows(100_000)


def test_pause_that_comes_and_goes_is_no_overload() -> None:
    """Half a second without a turn, again and again, and in time in between."""
    told = Told()
    for number in range(1, 40):
        told.intervals(1, late_s=0.5 if number % 2 else 0.0, in_flight=500)

    assert told.gate.limit == math.inf


def test_one_long_turn_is_no_overload_and_a_second_one_is() -> None:
    """However few looks a very late loop has time for."""
    told = Told()
    told.now_s += 3.0
    told.gate.observe(3.0, now_s=told.now_s, in_flight=500, ended=0, refused=0)
    once = told.gate.limit
    told.now_s += 3.0
    told.gate.observe(3.0, now_s=told.now_s, in_flight=500, ended=0, refused=0)

    assert (once, told.gate.limit) == (math.inf, 500)


def test_late_loop_lets_in_fewer_and_fewer_but_some() -> None:
    """At most a fifth less an interval, and never fewer than keep it busy."""
    told = Told()
    first = told.overloaded(1000)
    second = told.intervals(1, late_s=2 * LATE_S, in_flight=1000, ended=1000)
    for _ in range(100):
        in_flight = math.ceil(told.gate.limit)
        told.intervals(1, late_s=2 * LATE_S, in_flight=in_flight, ended=in_flight, refused=9)

    assert (first, second) == (1000, 800)
    assert told.gate.limit == LEAST
    assert not told.gate.allows(LEAST)
    assert told.gate.allows(LEAST - 1)


def test_those_who_wait_take_nobodys_place() -> None:
    """Of a thousand none ends but twenty a tenth of a second: half of these at least are replaced."""
    told = Told()
    told.overloaded(1000)

    assert told.intervals(1, late_s=2 * LATE_S, in_flight=1000, ended=20, refused=9) == 990


def test_loop_that_keeps_up_again_lets_in_more() -> None:
    """Slowly while others are refused, without a limit once nobody was for a second."""
    told = Told()
    late = told.overloaded(100)
    more = told.intervals(1, late_s=AIM_S / 2, in_flight=100, ended=50, refused=9)
    crowded = told.intervals(3 * CALM, late_s=AIM_S / 2, in_flight=110, ended=50, refused=9)
    calm = told.intervals(CALM, late_s=0.0, in_flight=3)

    assert late < more < 110
    assert more < crowded < math.inf
    assert calm == math.inf


def test_unused_limit_does_not_grow() -> None:
    """Else a crowd that comes back would find the door open."""
    told = Told()
    late = told.overloaded(1000)

    assert told.intervals(5, late_s=0.0, in_flight=100, refused=1) == late
