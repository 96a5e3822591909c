"""The numbers of the router's policy."""

from domain.values import frozen


@frozen(kw_only=True)
class BreakerPolicy:
    failures: int = 5
    """Consecutive failures that open a breaker."""
    open_s: float = 5.0
    """How long an open breaker waits before it lets one probe through; doubles after a failed probe."""
    max_open_s: float = 20.0


@frozen(kw_only=True)
class RoutingPolicy:
    max_attempts: int = 3
    retries: int = 1
    """On the same model, before falling back."""
    deadline_s: float = 300.0
    """For all attempts of one request together."""
    retry_base_s: float = 0.25
    retry_cap_s: float = 2.0
    max_retry_after_s: float = 30.0
    """The longest wait that a provider can ask for; beyond it lor3 falls back or gives up."""
    max_wait_before_fallback_s: float = 5.0
    """The same while another model is at hand: a caller is not kept waiting for longer before a retry."""
    max_cooldown_s: float = 60.0
    quota_cooldown_s: float = 300.0
    retry_ratio: float = 0.2
    """Retries at most this fraction of requests, in the long run."""
    retry_reserve: int = 10
    """Retries that are always affordable after a quiet time."""
    breaker: BreakerPolicy = BreakerPolicy()
