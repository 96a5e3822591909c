"""`lor3 key revoke`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.on_keys import existing_key, of_tenant, on_keys
from entrypoints.cli.options import common
from entrypoints.cli.output import print_json

if TYPE_CHECKING:
    import datetime

    from domain.access import ApiKey
    from entrypoints.key_administration import KeyAdministration


@click.command(
    help="""Let nobody in by a key any more: every server refuses it within 5 seconds, and its tokens too.

A name means every key of that name, also one that was rotated and still has time; an id means that key alone. It
can't be taken back. Revoking the last key does not open lor3 to everybody.

\b
Examples:
  lor3 key revoke web
  lor3 key revoke web --tenant acme --json
"""
)
@click.argument("name", metavar="NAME|ID")
@of_tenant
@common
def revoke(name: str, tenant: str, config_path: Path | None, as_json: bool) -> None:
    from entrypoints.key_rendering import key_json

    keys, at = on_keys(config_path, lambda administration: _revoke(administration, name, tenant))
    if as_json:
        print_json({"items": [key_json(key) for key in keys]})
        return
    for key in keys:
        was_over = key.revoked_at is not None and key.revoked_at < at
        click.echo(f"{key.name} ({key.hint}) {'was revoked already' if was_over else 'is revoked'}")


async def _revoke(
    administration: "KeyAdministration", name: str, tenant: str
) -> "tuple[tuple[ApiKey, ...], datetime.datetime]":
    from domain.ids import Tenant
    from domain.key_text import is_id

    store = administration.keys
    if is_id(name):
        ids = [(await existing_key(administration, name, tenant)).id]
    else:
        ids = [key.id for key in await store.list(tenant=Tenant(tenant)) if key.name == name]
        if not ids:
            await existing_key(administration, name, tenant)  # raises, with what to do
    at = await store.revoke(ids)
    revoked = [await store.find(key_id, tenant=None) for key_id in ids]
    return tuple(key for key in revoked if key is not None), at
