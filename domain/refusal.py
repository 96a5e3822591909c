"""Requests that were turned away, counted: of what became no message."""

import datetime

from domain.values import frozen


@frozen(kw_only=True)
class RefusalCount:
    """How often one caller was refused for one reason, within one hour."""

    code: str
    """The error's (`budget_exceeded`)."""
    key_id: str | None = None
    """The account of the API key; None where there was none, or none that is known."""
    count: int
    last_at: datetime.datetime
