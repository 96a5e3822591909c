"""How many requests are let in while the loop is late."""

import math

import attrs
import pytest

from domain.limits.overload import (
    AIM_S,
    CALM,
    CROWDED_S,
    INTERVAL_S,
    LATE_S,
    LEAST,
    PATIENCE_S,
    OverloadGate,
)

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

    def settled(self, in_flight: int) -> float:
        """Overloaded, and then no later than it is to be; nobody left."""
        self.overloaded(in_flight)
        return self.intervals(20, late_s=AIM_S, in_flight=in_flight, refused=9)


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


def test_short_turns_among_long_ones_hide_no_overload() -> None:
    """Late in three intervals of four: twice the patience."""
    told = Told()
    found = [told.intervals(1, late_s=0.2 if number % 4 else 0.0, in_flight=500) for number in range(1, 30)]

    assert found[:_PATIENT] == [math.inf] * _PATIENT
    assert found[-1] == 500


def test_crowd_that_is_answered_in_many_short_turns_is_an_overload() -> None:
    """Two thousand who are answered within a second or two wait for this process; who stay for long do not."""
    quick, slow = Told(), Told()
    late_s = (CROWDED_S + LATE_S) / 2
    quick.intervals(30, late_s=late_s, in_flight=2000, ended=190)
    slow.intervals(30, late_s=late_s, in_flight=2000, ended=20)

    assert quick.gate.limit < 2000
    assert slow.gate.limit == math.inf


@pytest.mark.parametrize("chat_s", [0.0003, 0.0006, 0.0012])
def test_ten_times_the_load_leaves_a_crowd_that_is_answered_in_time(chat_s: float) -> None:
    """Of a crowd of 1000 as many stay as make the loop as late as it is to be: each is answered in six turns of it."""
    told = Told()
    limits = []
    for _ in range(100):
        in_flight = math.ceil(min(1000, told.gate.limit))
        turn_s = in_flight * chat_s / 6
        limits.append(
            told.intervals(
                1, late_s=turn_s, in_flight=in_flight, ended=round(INTERVAL_S / chat_s), refused=1000
            )
        )
    aim = AIM_S * 6 / chat_s

    assert aim * 0.8 < min(limits[40:]) <= max(limits[40:]) < aim * 1.25


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
    """Of a thousand none ends but twenty a tenth of a second: a quarter of these at least is replaced."""
    told = Told()
    told.overloaded(1000)

    assert told.intervals(1, late_s=2 * LATE_S, in_flight=1000, ended=20, refused=9) == 985


def test_loop_that_keeps_up_again_lets_in_more() -> None:
    """Slowly while others are refused, without a limit once nobody was for a second."""
    told = Told()
    late = told.settled(100)
    more = told.intervals(1, late_s=AIM_S / 2, in_flight=100, ended=50, refused=9)
    crowded = told.intervals(3 * CALM, late_s=AIM_S / 2, in_flight=110, ended=50, refused=9)
    calm = told.intervals(CALM, late_s=0.0, in_flight=3)

    assert late < more < 110
    assert more < crowded < math.inf
    assert calm == math.inf


def test_unused_limit_does_not_grow() -> None:
    """Else a crowd that comes back would find the door open."""
    told = Told()
    late = told.settled(1000)

    assert told.intervals(5, late_s=0.0, in_flight=100, refused=1) == late
