"""The record of one try at one model, made or skipped."""

import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from domain.model import ModelRef
from domain.usage import NO_USAGE, Usage
from domain.values import frozen

Outcome: TypeAlias = str
"""`ok`, a failure kind (`rate_limited`, `server_error`, …), `cancelled`, or why it was skipped: `skipped_*`."""

Purpose: TypeAlias = Literal["answer", "summary"]


@frozen(kw_only=True)
class Attempt:
    model: ModelRef
    outcome: Outcome
    started_at: datetime.datetime
    latency_ms: int = 0
    status: int | None = None
    """The provider's HTTP status, where there was one."""
    usage: Usage = NO_USAGE
    cost_usd: Decimal | None = Decimal(0)
    """None where the price is unknown; failed attempts cost 0."""
    response_id: str | None = None
    purpose: Purpose = "answer"
    """What the call was for: a summary of the thread's older part is paid for by the chat that needed it."""

    @property
    def was_sent(self) -> bool:
        """False for a candidate that was passed over without a call."""
        return not self.outcome.startswith("skipped_")
