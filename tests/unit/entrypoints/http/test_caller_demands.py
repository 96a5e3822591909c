"""What chats are counted under, and when that is worked out anew."""

import attrs

from domain.access import ANYBODY
from domain.limits.rate import RateLimits
from entrypoints.http.caller_demands import CallerDemands
from entrypoints.settings import LimitSettings
from tests.support.rate_limiters import keyed_caller

_LIMITS = LimitSettings(key=RateLimits(concurrency=2), user=RateLimits(requests_per_minute=3))


def test_each_subject_that_has_limits_is_counted() -> None:
    """Addresses are not given where they have none."""
    caller = keyed_caller("web", requests_per_minute=1)
    demands = CallerDemands().of(caller, "ada", "203.0.113.9", _LIMITS)

    assert [each.kind for each in demands] == ["key", "user", "address"]
    assert demands[0].limits == RateLimits(requests_per_minute=1, concurrency=2)
    assert demands[1].id == f"{caller.tenant}/ada"
    assert CallerDemands().of(ANYBODY, None, None, _LIMITS) == ()


def test_what_was_worked_out_is_kept_for_as_long_as_its_limits() -> None:
    """Another configuration, or another limit of the key, counts from the next chat on; another server keeps its own."""
    demands, caller = CallerDemands(), keyed_caller("web")
    first = demands.of(caller, "ada", None, _LIMITS)

    assert demands.of(caller, "ada", None, _LIMITS) is first
    assert demands.of(caller, "eve", None, _LIMITS) is not first
    assert demands.of(caller, "ada", None, attrs.evolve(_LIMITS, user=RateLimits())) == first[:1]
    limited = keyed_caller("web", requests_per_minute=7)
    assert demands.of(limited, "ada", None, _LIMITS)[0].limits.requests_per_minute == 7
    assert CallerDemands().of(caller, "ada", None, _LIMITS) is not first
