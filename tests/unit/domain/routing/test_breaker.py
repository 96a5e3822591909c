"""The circuit breaker's states."""

from domain.routing.breaker import Breaker
from domain.routing.settings import BreakerPolicy

POLICY = BreakerPolicy(failures=3, open_s=5.0, max_open_s=20.0)


def _opened(at: float) -> Breaker:
    breaker = Breaker(policy=POLICY)
    for _ in range(POLICY.failures):
        assert breaker.allow(at)
        breaker.failed("server_error", at)
    return breaker


def test_closed_breaker_allows_calls_until_enough_failures_follow_one_another() -> None:
    """Two failures of three leave it closed."""
    breaker = Breaker(policy=POLICY)
    breaker.failed("server_error", 0.0)
    breaker.failed("server_error", 0.0)

    assert breaker.state(0.0) == "closed"
    assert breaker.allow(0.0)


def test_success_forgets_earlier_failures() -> None:
    """Failures count only in a row."""
    breaker = Breaker(policy=POLICY)
    for _ in range(10):
        breaker.failed("server_error", 0.0)
        breaker.failed("server_error", 0.0)
        breaker.succeeded()

    assert breaker.state(0.0) == "closed"


def test_open_breaker_refuses_until_its_time_is_up() -> None:
    """Nothing passes for `open_s` seconds, then one probe does."""
    breaker = _opened(at=100.0)

    assert breaker.state(104.9) == "open"
    assert not breaker.allow(104.9)
    assert breaker.reopens_in_s(104.0) == 1.0
    assert breaker.allow(105.0)


def test_half_open_breaker_lets_exactly_one_probe_through() -> None:
    """A second caller waits for the probe's outcome."""
    breaker = _opened(at=0.0)
    assert breaker.allow(5.0)

    assert not breaker.allow(5.0)
    assert breaker.state(5.0) == "half_open"
    assert breaker.is_probing


def test_successful_probe_closes_it() -> None:
    """One answer is enough to trust the route again."""
    breaker = _opened(at=0.0)
    breaker.allow(5.0)
    breaker.succeeded()

    assert breaker.state(5.0) == "closed"
    assert breaker.allow(5.0)
    assert breaker.allow(5.0)


def test_failed_probe_opens_it_for_twice_as_long_up_to_a_cap() -> None:
    """5, 10, 20, 20 seconds."""
    breaker = _opened(at=0.0)
    now, waits = 0.0, []
    for _ in range(4):
        waits.append(breaker.reopens_in_s(now))
        now += waits[-1]
        assert breaker.allow(now)
        breaker.failed("timeout", now)

    assert waits == [5.0, 10.0, 20.0, 20.0]
    assert breaker.last_kind == "timeout"


def test_abandoned_probe_gives_its_place_back() -> None:
    """A cancelled probe neither closes the breaker nor blocks the next probe."""
    breaker = _opened(at=0.0)
    breaker.allow(5.0)
    breaker.abandoned()

    assert breaker.state(5.0) == "half_open"
    assert breaker.allow(5.0)
