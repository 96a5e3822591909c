"""What the router does about each kind of failure: one table, the same for every provider."""

from typing import Final, Literal, TypeAlias

from domain.errors import FailureKind
from domain.values import frozen

Health: TypeAlias = Literal["alive", "sick", "neutral"]
"""What a failure says of the route: `alive` closes a breaker, `sick` counts towards opening it."""


@frozen(kw_only=True)
class Verdict:
    """The row of one failure kind."""

    code: str
    """The public error code if nothing else answers."""
    retry: bool
    """Whether one more try at the same model makes sense."""
    fall_back: bool
    """Whether another model may do better."""
    health: Health
    retryable: bool = False
    """Whether the caller's own later retry makes sense."""
    needs_operator: bool = False


VERDICTS: Final[dict[FailureKind, Verdict]] = {
    "rate_limited": Verdict(
        code="upstream_rate_limited", retry=True, fall_back=True, health="neutral", retryable=True
    ),
    "quota_exhausted": Verdict(
        code="upstream_quota", retry=False, fall_back=True, health="neutral", needs_operator=True
    ),
    "auth": Verdict(code="upstream_auth", retry=False, fall_back=True, health="alive", needs_operator=True),
    "forbidden": Verdict(
        code="upstream_auth", retry=False, fall_back=True, health="alive", needs_operator=True
    ),
    "model_not_found": Verdict(
        code="upstream_model_not_found", retry=False, fall_back=True, health="alive", needs_operator=True
    ),
    "bad_request": Verdict(code="invalid_request", retry=False, fall_back=False, health="alive"),
    # Only to a candidate with a larger window: the failover asks for that itself.
    "context_too_long": Verdict(code="context_length_exceeded", retry=False, fall_back=True, health="alive"),
    "content_filtered": Verdict(code="content_filtered", retry=False, fall_back=False, health="alive"),
    "overloaded": Verdict(code="upstream_error", retry=True, fall_back=True, health="sick", retryable=True),
    "server_error": Verdict(code="upstream_error", retry=True, fall_back=True, health="sick", retryable=True),
    "timeout": Verdict(code="upstream_timeout", retry=True, fall_back=True, health="sick", retryable=True),
    "no_answer": Verdict(code="upstream_timeout", retry=False, fall_back=True, health="sick", retryable=True),
    "connect": Verdict(code="upstream_error", retry=True, fall_back=True, health="sick", retryable=True),
    "connection_lost": Verdict(
        code="upstream_error", retry=True, fall_back=True, health="sick", retryable=True
    ),
    "tls": Verdict(code="upstream_tls", retry=False, fall_back=True, health="sick", needs_operator=True),
    "redirect": Verdict(
        code="upstream_error", retry=False, fall_back=True, health="sick", needs_operator=True
    ),
    "bad_body": Verdict(code="bad_upstream_body", retry=True, fall_back=True, health="sick", retryable=True),
    "too_large": Verdict(code="upstream_too_large", retry=False, fall_back=True, health="neutral"),
    "exhausted": Verdict(code="overloaded", retry=False, fall_back=False, health="neutral", retryable=True),
}
