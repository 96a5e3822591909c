"""`lor3 key list`."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.on_keys import on_keys
from entrypoints.cli.options import common
from entrypoints.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    import datetime

    from domain.access import ApiKey
    from entrypoints.key_administration import KeyAdministration


@click.command(
    "list",
    help="""List keys, by tenant and name: how each begins and ends, what it may do, and whether it does.

A key that was rotated is there until its time is over. A pipe gets id, tenant, name, hint, state, scopes, models,
limits and budgets.

\b
Examples:
  lor3 key list
  lor3 key list --tenant acme --all
  lor3 key list --json | jq -r '.items[].name'
""",
)
@click.option("--tenant", metavar="TENANT", help="Those of this tenant. [default: of all]")
@click.option("--all", "with_revoked", is_flag=True, help="Those that are revoked too.")
@common
def list_keys(tenant: str | None, with_revoked: bool, config_path: Path | None, as_json: bool) -> None:
    from domain.ids import Tenant
    from entrypoints.key_rendering import key_json

    of = None if tenant is None else Tenant(tenant)

    async def read(administration: "KeyAdministration") -> "tuple[tuple[ApiKey, ...], datetime.datetime]":
        keys = administration.keys
        return await keys.list(tenant=of, with_revoked=with_revoked), await keys.now()

    keys, now = on_keys(config_path, read)
    if as_json:
        print_json({"items": [key_json(key) for key in keys]})
    elif not keys:
        of_whom = "" if tenant is None else f" of tenant `{tenant}`"
        option = "" if tenant is None else f" --tenant {shlex.quote(tenant)}"
        say(f"there is no key{of_whom}; `lor3 key create --name NAME{option}` makes one")
    elif sys.stdout.isatty():
        _print(keys, now)
    else:
        print_table((), [_row(key, now) for key in keys])


def _print(keys: "tuple[ApiKey, ...]", now: "datetime.datetime") -> None:
    from entrypoints.key_rendering import budgets_text, limits_text, scopes_text, state_text

    print_table(
        ("tenant", "name", "key", "state (UTC)", "may", "limits"),
        [
            (
                key.tenant,
                key.name,
                key.hint,
                state_text(key, now=now),
                " on ".join(filter(None, (scopes_text(key), ", ".join(key.models)))),
                "; ".join(filter(None, (limits_text(key), budgets_text(key)))) or None,
            )
            for key in keys
        ],
        folding=("may", "limits"),
    )


def _row(key: "ApiKey", now: "datetime.datetime") -> tuple[object, ...]:
    from entrypoints.key_rendering import budgets_text, limits_text, scopes_text, state_text

    return (
        key.id,
        key.tenant,
        key.name,
        key.hint,
        state_text(key, now=now),
        scopes_text(key),
        ", ".join(key.models),
        limits_text(key),
        budgets_text(key),
    )
