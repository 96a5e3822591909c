"""API keys as people and programs read them: never the key itself, nor its hash."""

import datetime
from typing import TYPE_CHECKING

from domain.access import SCOPES
from domain.limits.budget_text import budget_text
from entrypoints.prompt_rendering import time_text

if TYPE_CHECKING:
    from domain.access import ApiKey
    from domain.json_value import JSONValue


def key_json(key: "ApiKey") -> "dict[str, JSONValue]":
    limits = key.limits
    return {
        "id": key.id,
        "name": key.name,
        "tenant": key.tenant,
        "hint": key.hint,
        "scopes": sorted(key.scopes),
        "models": list(key.models),
        "limits": {
            "requests_per_minute": limits.requests_per_minute,
            "tokens_per_minute": limits.tokens_per_minute,
            "concurrency": limits.concurrency,
        },
        "budgets": [
            {"limit_usd": f"{budget.limit_usd:f}", "period": budget.period, "soft": budget.soft}
            for budget in key.budgets
        ],
        "account": key.account_id,
        "replaces": key.replaces,
        "created_at": time_text(key.created_at),
        "expires_at": _time(key.expires_at),
        "revoked_at": _time(key.revoked_at),
    }


def scopes_text(key: "ApiKey") -> str:
    if key.scopes == SCOPES:
        return "everything"
    return ", ".join(sorted(key.scopes)) or "none"


def budgets_text(key: "ApiKey") -> str:
    return ", ".join(f"{'soft ' if budget.soft else ''}${budget_text(budget)}" for budget in key.budgets)


def limits_text(key: "ApiKey") -> str:
    limits = key.limits
    each = (
        (limits.requests_per_minute, "requests/min"),
        (limits.tokens_per_minute, "tokens/min"),
        (limits.concurrency, "at a time"),
    )
    return ", ".join(f"{number:,} {what}" for number, what in each if number is not None)


def state_text(key: "ApiKey", *, now: datetime.datetime) -> str:
    """`active`, or how and when it ends or ended, in UTC to the minute."""
    revoked_at, expires_at = key.revoked_at, key.expires_at
    if revoked_at is not None and (expires_at is None or revoked_at <= expires_at):
        return f"revoked {_minute(revoked_at)}" if revoked_at <= now else f"until {_minute(revoked_at)}"
    if expires_at is not None:
        return f"expired {_minute(expires_at)}" if expires_at <= now else f"expires {_minute(expires_at)}"
    return "active"


def _minute(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M")


def _time(moment: datetime.datetime | None) -> str | None:
    return None if moment is None else time_text(moment)
