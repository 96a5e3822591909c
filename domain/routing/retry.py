"""When to try the same model again, and how long to wait before it."""

import attrs

from domain.errors import ProviderFailure
from domain.routing.policy import VERDICTS
from domain.routing.settings import RoutingPolicy


@attrs.define
class RetryBudget:
    """Caps retries at a fraction of traffic, so that an outage is not made worse.

    A token bucket: each request puts `ratio` of a token in, each retry takes one out.
    Source of the idea: "Handling Overload", Site Reliability Engineering (2016), chapter 21.
    """

    ratio: float
    reserve: float
    _tokens: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.reserve

    def request_arrived(self) -> None:
        self._tokens = min(self.reserve, self._tokens + self.ratio)

    def take(self) -> bool:
        """True if a retry is affordable, which it then has paid for."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def wants_retry(failure: ProviderFailure) -> bool:
    """Whether this failure is of a kind to be tried again at once; the provider's own word decides first."""
    if failure.should_retry is not None and failure.kind not in ("auth", "forbidden", "quota_exhausted"):
        return failure.should_retry
    return VERDICTS[failure.kind].retry


def retry_delay_s(
    failure: ProviderFailure, retry: int, fraction: float, policy: RoutingPolicy
) -> float | None:
    """Seconds to wait before retry number `retry` (from 0), or None where the provider asks for too long.

    Full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): a uniform
    `fraction` in [0, 1) of the exponentially growing ceiling. A provider's own Retry-After is kept to the
    full: coming back early only earns the next refusal.
    """
    if failure.retry_after_s is not None:
        return failure.retry_after_s if failure.retry_after_s <= policy.max_retry_after_s else None
    return min(policy.retry_cap_s, policy.retry_base_s * 2.0**retry) * fraction
