"""Retries: whether, when and how many."""

import pytest

from domain.errors import FailureKind, ProviderFailure
from domain.routing.retry import RetryBudget, retry_delay_s, wants_retry
from domain.routing.settings import RoutingPolicy

POLICY = RoutingPolicy(retry_base_s=0.25, retry_cap_s=2.0, max_retry_after_s=30.0)


@pytest.mark.parametrize(
    ("kind", "should_retry", "expected"),
    [
        ("server_error", None, True),
        ("server_error", False, False),
        ("bad_request", None, False),
        ("bad_request", True, True),
        ("no_answer", None, False),
        ("auth", True, False),
        ("quota_exhausted", True, False),
        ("rate_limited", None, True),
    ],
)
def test_the_providers_word_decides_unless_the_credential_is_at_fault(
    kind: FailureKind, should_retry: bool | None, expected: bool
) -> None:
    """`x-should-retry` wins over the table, but no retry mends a key."""
    assert expected == wants_retry(ProviderFailure(kind, "it failed", should_retry=should_retry))


def test_delay_is_jittered_below_a_growing_and_capped_ceiling() -> None:
    """Ceilings 0.25, 0.5, 1, 2, 2 at the top of the jitter."""
    failure = ProviderFailure("server_error", "it failed")

    assert [retry_delay_s(failure, retry, 1.0, POLICY) for retry in range(5)] == [0.25, 0.5, 1.0, 2.0, 2.0]
    assert retry_delay_s(failure, 3, 0.0, POLICY) == 0.0


def test_retry_after_is_kept_to_the_full_or_not_at_all() -> None:
    """2 s is waited for; an hour is not."""
    assert retry_delay_s(ProviderFailure("rate_limited", "", retry_after_s=2.0), 0, 0.0, POLICY) == 2.0
    assert retry_delay_s(ProviderFailure("rate_limited", "", retry_after_s=3600.0), 0, 0.0, POLICY) is None


def test_retry_budget_caps_retries_at_its_ratio() -> None:
    """Of 1,000 requests that all want a retry, a fifth and the reserve get one."""
    budget = RetryBudget(0.2, 10.0)
    granted = 0
    for _ in range(1000):
        budget.request_arrived()
        granted += budget.take()

    assert 200 <= granted <= 210
