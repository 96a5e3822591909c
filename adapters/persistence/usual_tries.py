"""What PostgreSQL makes of a usual answer's row beside the message: its attempt, and what both leave in the log.

An answer that was had at the first try says nearly all of it already. So its row carries the little more there is, and
three rows of it need not be written out, sent and taken apart.
"""

from collections.abc import Mapping
from typing import Final

FIRST_TRIES: Final = (
    ", continues boolean, tried_at timestamptz, tried_ms bigint, tried_status int, response_id text, "
    '"user" text, latency_bucket int, tried_bucket int'
)
"""What the rows of messages carry beyond their columns."""

USUAL: Final = "x.tried_at IS NOT NULL"

_TOKENS: Final = {
    name: f"x.{name}"
    for name in (
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    )
}
ATTEMPT: Final[Mapping[str, str]] = {
    **_TOKENS,
    "tenant": "x.tenant",
    "message_id": "x.id",
    "number": "0",
    "provider": "x.provider",
    "model": "x.model",
    "outcome": "'ok'",
    "status": "x.tried_status",
    "started_at": "x.tried_at",
    "latency_ms": "x.tried_ms",
    "usage_estimated": "x.usage_estimated",
    "cost_usd": "x.cost_usd",
    "response_id": "x.response_id",
    "purpose": "NULL",
}
"""By column of `attempts`, the expression of a message `x`."""

_USED: Final = {
    **_TOKENS,
    "tenant": "x.tenant",
    "at": "x.created_at",
    "provider": "x.provider",
    "model": "x.model",
    "requests": "1",
    "unpriced": "(x.cost_usd IS NULL)::int",
    "estimated": "x.usage_estimated::int",
    "cost_usd": "coalesce(x.cost_usd, 0)",
}
USES: Final[tuple[Mapping[str, str], ...]] = (
    {
        **_USED,
        "kind": "'answer'",
        "prompt_version": "coalesce(x.prompt_version, '')",
        "prompt_label": "coalesce(x.prompt_label, '')",
        "key_id": "coalesce(x.key_id::text, '')",
        "user": "coalesce(x.\"user\", '')",
        "latency_bucket": "x.latency_bucket",
        "latency_ms": "x.latency_ms",
        "latency_low_ms": "x.latency_ms",
        "latency_high_ms": "x.latency_ms",
    },
    {
        **_USED,
        "kind": "'attempt'",
        "outcome": "'ok'",
        "latency_bucket": "x.tried_bucket",
        "latency_ms": "x.tried_ms",
        "latency_low_ms": "x.tried_ms",
        "latency_high_ms": "x.tried_ms",
    },
)
"""The same by column of the log; columns that are not named hold `usage_log.NOTHING`."""
