"""`lor3 key rotate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.on_keys import existing_key, lifetime_from, of_tenant, on_keys, print_created
from entrypoints.cli.options import common
from entrypoints.cli.output import say

if TYPE_CHECKING:
    from application.use_cases.rotate_key import RotatedKey
    from entrypoints.key_administration import KeyAdministration


@click.command(
    help="""Replace a key by another that may do the same, and print that: once, alone on stdout.

The old one goes on letting its owner in for --overlap, so that there is time to put the new one everywhere. Both
count as one: they share limits, budgets and usage. The new one lives as long as the old one was to, unless --expires
says otherwise.

\b
Examples:
  lor3 key rotate web
  lor3 key rotate web --tenant acme --overlap 1h
  lor3 key rotate web --overlap 0
"""
)
@click.argument("name", metavar="NAME|ID")
@of_tenant
@click.option(
    "--overlap",
    default="24h",
    show_default=True,
    metavar="TIME",
    help="How long the old one goes on; 0 ends it now.",
)
@click.option("--expires", metavar="TIME", help="When the new one ends by itself, such as 90d.")
@common
def rotate(
    name: str,
    tenant: str,
    overlap: str,
    expires: str | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    from entrypoints.cli.moments import duration_from
    from entrypoints.prompt_rendering import time_text

    overlap_s = duration_from(overlap, path="--overlap")
    lifetime_s = lifetime_from(expires)

    async def run(administration: "KeyAdministration") -> "RotatedKey":
        from application.use_cases.rotate_key import RotateKeyCommand

        old = await existing_key(administration, name, tenant)
        return await administration.rotate_key.execute(
            RotateKeyCommand(name=old.id, tenant=old.tenant, overlap_s=overlap_s, lifetime_s=lifetime_s)
        )

    rotated = on_keys(config_path, run)
    ends_at = time_text(rotated.old_ends_at)
    print_created(rotated.created, as_json=as_json, more={"old_ends_at": ends_at})
    if not as_json:
        say(f"{_of_old(rotated, overlap_s)}; {_of_new(rotated)}is not shown again")


def _of_old(rotated: "RotatedKey", overlap_s: float) -> str:
    from entrypoints.prompt_rendering import time_text

    ends_at = time_text(rotated.old_ends_at)
    if rotated.old_had_expired:
        return f"the old key has expired already, at {ends_at}"
    return f"the old key lets its owner in {f'until {ends_at}' if overlap_s else 'no longer'}"


def _of_new(rotated: "RotatedKey") -> str:
    from entrypoints.prompt_rendering import time_text

    expires_at = rotated.created.key.expires_at
    if expires_at is None:
        return "the new one "
    why = ""
    if rotated.lifetime_was_inherited:
        why = " (it lives as long as the old one was to; --expires TIME says otherwise)"
    return f"the new one expires at {time_text(expires_at)}{why} and "
