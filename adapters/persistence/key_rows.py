"""API keys to rows and back."""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapters.persistence.rows import Row
from domain.access import SCOPES, ApiKey
from domain.ids import Tenant
from domain.limits.budget import Budget
from domain.limits.rate import RateLimits


def key_row(key: ApiKey, *, changed_at: datetime.datetime) -> Row:
    return {
        "tenant": key.tenant,
        "id": key.id,
        "name": key.name,
        "hash": key.hash,
        "public_key": key.public_key,
        "hint": key.hint,
        "scopes": sorted(key.scopes),
        "models": list(key.models),
        "limits": _limits_json(key.limits),
        "budgets": [_budget_json(budget) for budget in key.budgets],
        "account": key.account_id,
        "replaces": key.replaces,
        "created_at": key.created_at,
        "changed_at": changed_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def key_of(row: Mapping[str, Any]) -> ApiKey:
    """Of what a newer lor3 wrote, scopes that are unknown here open nothing here."""
    limits = row["limits"]
    return ApiKey(
        id=row["id"],
        tenant=Tenant(row["tenant"]),
        name=row["name"],
        hash=row["hash"],
        public_key=row["public_key"],
        hint=row["hint"],
        scopes=SCOPES.intersection(row["scopes"]),
        models=tuple(row["models"]),
        limits=RateLimits(
            requests_per_minute=limits.get("requests_per_minute"),
            tokens_per_minute=limits.get("tokens_per_minute"),
            concurrency=limits.get("concurrency"),
        ),
        budgets=tuple(_budget_of(budget) for budget in row["budgets"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        replaces=row["replaces"],
        account=row["account"],
    )


def _limits_json(limits: RateLimits) -> dict[str, int | None]:
    return {
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrency": limits.concurrency,
    }


def _budget_json(budget: Budget) -> dict[str, object]:
    return {"limit_usd": f"{budget.limit_usd:f}", "period": budget.period, "soft": budget.soft}


def _budget_of(row: Mapping[str, Any]) -> Budget:
    return Budget(limit_usd=Decimal(row["limit_usd"]), period=row["period"], soft=row["soft"])
