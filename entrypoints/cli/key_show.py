"""`lor3 key show`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.on_keys import existing_key, of_tenant, on_keys
from entrypoints.cli.options import common
from entrypoints.cli.output import print_json, print_table

if TYPE_CHECKING:
    import datetime

    from domain.access import ApiKey
    from domain.limits.budget import BudgetState
    from entrypoints.key_administration import KeyAdministration


@click.command(
    help="""Show what a key may do, and how it stands: a revoked one by its id.

Of its budgets and those of its tenant it tells what is spent, and what is left less what chats under way have
reserved; with --json under `budget`.

\b
Examples:
  lor3 key show web
  lor3 key show web --tenant acme --json
"""
)
@click.argument("name", metavar="NAME|ID")
@of_tenant
@common
def show(name: str, tenant: str, config_path: Path | None, as_json: bool) -> None:
    from entrypoints.key_rendering import key_json

    async def read(
        administration: "KeyAdministration",
    ) -> "tuple[ApiKey, datetime.datetime, tuple[BudgetState, ...]]":
        found = await existing_key(administration, name, tenant)
        budgets = await administration.read_key_budgets.execute(found)
        return found, await administration.keys.now(), budgets

    key, now, budgets = on_keys(config_path, read)
    if as_json:
        from entrypoints.rendering import budget_json

        print_json({**key_json(key), "budget": budget_json(budgets)})
        return
    print_table(("what", "is"), [*_rows(key, now), *[_budget(state) for state in budgets]])


def _budget(state: "BudgetState") -> tuple[str, object]:
    """`budget of the key` and `$1.50 of $50/day spent, $48.50 left until 2026-11-24 00:00`."""
    from entrypoints.cli.conversation import when
    from entrypoints.rendering import money

    until = "" if state.resets_at is None else f" until {when(state.resets_at)} UTC"
    limit = f"{'soft ' if state.soft else ''}${money(state.limit_usd)}/{state.period}"
    return (
        f"budget of the {state.subject}",
        f"${money(state.spent_usd)} of {limit} spent, ${money(state.left_usd)} left{until}",
    )


def _rows(key: "ApiKey", now: "datetime.datetime") -> list[tuple[str, object]]:
    from entrypoints.key_rendering import budgets_text, limits_text, scopes_text, state_text
    from entrypoints.prompt_rendering import time_text

    return [
        ("name", key.name),
        ("tenant", key.tenant),
        ("id", key.id),
        ("key", key.hint),
        ("state (UTC)", state_text(key, now=now)),
        ("created", time_text(key.created_at)),
        ("expires", "never" if key.expires_at is None else time_text(key.expires_at)),
        ("revoked", "no" if key.revoked_at is None else time_text(key.revoked_at)),
        ("scopes", scopes_text(key)),
        ("models", ", ".join(key.models) or "all"),
        ("limits", limits_text(key) or "none"),
        ("budgets", budgets_text(key) or "none of its own"),
        ("account", key.account_id),
        ("replaces", key.replaces),
    ]
