"""The cell rate algorithm, held to a model that keeps a list of what was taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.limits.meters import Meters
from domain.limits.rate import (
    MAX_AHEAD_S,
    NO_LIMITS,
    WINDOW_S,
    RateDemand,
    RateDemands,
    RateLevel,
    RateLimits,
    admits,
    conforms,
    cost_s,
    refusal,
    states,
    wait_s,
)

_LIMIT = st.integers(min_value=1, max_value=1_000_000)
_STEPS = st.lists(
    st.tuples(st.floats(min_value=0, max_value=90), st.integers(min_value=0, max_value=40)), max_size=40
)


def _demand(kind: str = "key", subject: str = "a", **limits: int | None) -> RateDemand:
    return RateDemand(kind=kind, id=subject, limits=RateLimits(**limits))


@given(limit=st.integers(min_value=1, max_value=60), steps=_STEPS)
def test_a_bucket_that_leaks_is_the_model(limit: int, steps: list[tuple[float, int]]) -> None:
    """What is used up runs off at the limit's rate, and a take passes where it still fits."""
    meters, demand = Meters(), _demand(tokens_per_minute=limit)
    now, used = 0.0, 0.0
    for passed, tokens in steps:
        now += passed
        used = max(0.0, used - passed * limit / WINDOW_S)
        let, levels = meters.take((demand,), tokens=tokens, requests=1, now=now)
        fits = used + min(tokens, limit) - limit
        if abs(fits) > 1e-6:
            assert let == (fits < 0 or tokens == 0)
        if let:
            used += min(tokens, limit)
        assert levels[0].tokens_ahead_s == pytest.approx(used / limit * WINDOW_S, abs=1e-6)


@given(limit=_LIMIT)
def test_exactly_the_limit_passes_at_once(limit: int) -> None:
    """Whatever fraction of a second one of it is; sums of fractions lose nothing."""
    meters, demand = Meters(), _demand(requests_per_minute=limit)
    bulk = max(0, limit - 3)
    assert meters.take((demand,), tokens=0, requests=bulk, now=1e6)[0]
    taken = [meters.take((demand,), tokens=0, requests=1, now=1e6)[0] for _ in range(5)]

    assert sum(taken) == limit - bulk


@given(limit=_LIMIT, ahead=st.floats(min_value=0, max_value=MAX_AHEAD_S), amount=st.integers(0, 2_000_000))
def test_waiting_as_long_as_told_is_enough(limit: int, ahead: float, amount: int) -> None:
    """And not much more than is needed."""
    cost = cost_s(amount, limit)
    wait = wait_s(ahead, cost)

    assert conforms(max(0.0, ahead - wait), cost)
    if wait > 1e-3:
        assert not conforms(ahead - wait + 1e-3, cost)


@given(limit=_LIMIT, ahead=st.floats(min_value=0, max_value=MAX_AHEAD_S))
def test_as_many_as_are_told_to_remain_pass(limit: int, ahead: float) -> None:
    """One more does not."""
    (told, _) = states(RateDemands([_demand(requests_per_minute=limit)]), (RateLevel(ahead),))

    assert told is not None
    assert 0 <= told.remaining <= limit
    assert conforms(ahead, cost_s(told.remaining, limit))
    if told.remaining < limit:
        assert not conforms(ahead, cost_s(told.remaining + 1, limit))


def test_more_than_the_limit_costs_the_limit() -> None:
    """So that it passes at all; on an untouched limit alone."""
    assert cost_s(5_000, 1_000) == WINDOW_S
    assert conforms(0.0, cost_s(5_000, 1_000))
    assert not conforms(0.1, cost_s(5_000, 1_000))


@given(
    estimate=st.integers(0, 2_000), truth=st.integers(0, 5_000), passed=st.floats(min_value=0, max_value=59)
)
def test_settled_soon_a_chat_has_cost_what_it_took(estimate: int, truth: int, passed: float) -> None:
    """As though the truth had been known from the start, as long as it is not paid off yet."""
    limit = 1_000
    demand = _demand(tokens_per_minute=limit)
    known, guessed = Meters(), Meters()
    known.take((demand,), tokens=truth, requests=1, now=0.0)
    guessed.take((demand,), tokens=estimate, requests=1, now=0.0)
    guessed.correct(demand.subject, cost_s(truth, limit) - cost_s(estimate, limit), passed)

    expected = known.level(demand.subject, passed).tokens_ahead_s
    got = guessed.level(demand.subject, passed).tokens_ahead_s
    if cost_s(estimate, limit) >= passed or truth <= estimate:
        assert got == pytest.approx(expected, abs=1e-6)
    else:
        assert got >= expected - 1e-6  # it was idle meanwhile: what comes late counts from now on


@given(
    limits=st.builds(
        RateLimits,
        requests_per_minute=st.none() | st.integers(1, 5),
        tokens_per_minute=st.none() | st.integers(1, 50),
        concurrency=st.none() | st.integers(1, 3),
    ),
    steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.booleans()), max_size=30),
)
def test_a_refusal_takes_nothing(limits: RateLimits, steps: list[tuple[int, int, bool]]) -> None:
    """Of any subject, and names a limit that is in the way."""
    meters = Meters()
    for number, tokens, leaves in steps:
        demands = (RateDemand(kind="key", id="k", limits=limits), _demand("user", f"{number}", concurrency=2))
        before = tuple([meters.level(demand.subject, 5.0) for demand in demands])
        fits = all(
            admits(each.limits, level, tokens=tokens, requests=1)
            for each, level in zip(demands, before, strict=True)
        )
        let, after = meters.take(demands, tokens=tokens, requests=1, now=5.0)
        assert let == fits
        if not let:
            assert after == before
            why = refusal(demands, after, tokens=tokens, requests=1)
            assert why.wait_s > 0
            assert why.subject in ("key", "user")
        elif leaves:
            for demand in demands:
                if demand.limits.concurrency is not None:
                    meters.leave(demand.subject)


def test_the_least_is_told() -> None:
    """By what remains, not by the part of the limit."""
    demands = (
        _demand("key", requests_per_minute=100, tokens_per_minute=10),
        _demand("user", requests_per_minute=5),
    )
    requests, tokens = states(RateDemands(demands), (RateLevel(59.0, 0.0), RateLevel(12.0, 30.0)))

    assert requests is not None
    assert tokens is not None
    assert (requests.limit, requests.remaining, requests.reset_s) == (100, 1, 59.0)
    assert (tokens.limit, tokens.remaining) == (10, 10)


def test_the_longest_wait_is_told() -> None:
    """Who waits for less is refused again."""
    demands = (
        _demand("key", requests_per_minute=60, tokens_per_minute=600),
        _demand("user", concurrency=1),
    )
    levels = (RateLevel(60.0, 50.0), RateLevel(0.0, 0.0, 1))
    why = refusal(demands, levels, tokens=400, requests=1)
    assert (why.subject, why.limit, why.allowed) == ("key", "tokens", 600)
    assert why.wait_s == pytest.approx(30.0)
    why = refusal(demands, levels, tokens=1, requests=1)
    assert (why.subject, why.limit) == ("user", "concurrency") or why.wait_s == pytest.approx(1.0)


def test_limits_of_its_own_stand_before_others() -> None:
    """Each for itself."""
    own = RateLimits(requests_per_minute=5)
    others = RateLimits(requests_per_minute=50, tokens_per_minute=500)

    assert own.or_else(others) == RateLimits(requests_per_minute=5, tokens_per_minute=500)
    assert own.or_else(NO_LIMITS) is own
    assert NO_LIMITS.or_else(others) is others


def test_meters_forget_who_is_idle() -> None:
    """And never who is under way."""
    meters = Meters(max_subjects=2_000)
    busy = _demand(subject="busy", concurrency=5)
    assert meters.take((busy,), tokens=0, requests=1, now=0.0)[0]
    for number in range(20_000):
        now = number * 0.01
        meters.take((_demand(subject=f"{number}", requests_per_minute=1),), tokens=0, requests=1, now=now)
        assert len(meters) <= 2_000

    assert meters.running(busy.subject) == 1


def test_meters_of_chats_under_way_may_be_many() -> None:
    """More than are kept of the idle: each is an open connection, too."""
    meters = Meters(max_subjects=1_100)
    demands = [_demand(subject=f"{number}", concurrency=1) for number in range(5_000)]
    for demand in demands:
        assert meters.take((demand,), tokens=0, requests=1, now=0.0)[0]

    assert sum(meters.running(demand.subject) for demand in demands) == 5_000
