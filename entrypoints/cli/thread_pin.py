"""`lor3 thread pin` and `lor3 thread unpin`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.identifiers import message_id
from entrypoints.cli.on_threads import on_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json

if TYPE_CHECKING:
    from domain.thread import StoredMessage
    from entrypoints.application import Application


@click.command(
    help="""Keep a message in the memory whatever its age, and the exchange that it is part of: the turn and its answer.

\b
Example:
  lor3 thread pin 01890a5d-b1c0-7d2e-8f3a-5c0f7e2b9a41
"""
)
@click.argument("message", metavar="MESSAGE_ID")
@common
@for_tenant
def pin(message: str, config_path: Path | None, as_json: bool) -> None:
    _set(message, config_path, pinned=True, as_json=as_json)


@click.command(
    help="""Let a pinned message, and the exchange that it is part of, age again as all others do.

\b
Example:
  lor3 thread unpin 01890a5d-b1c0-7d2e-8f3a-5c0f7e2b9a41
"""
)
@click.argument("message", metavar="MESSAGE_ID")
@common
@for_tenant
def unpin(message: str, config_path: Path | None, as_json: bool) -> None:
    _set(message, config_path, pinned=False, as_json=as_json)


def _set(message: str, config_path: Path | None, *, pinned: bool, as_json: bool) -> None:
    from entrypoints.thread_rendering import stored_message_json

    wanted = message_id(message, path="MESSAGE_ID")

    async def run(application: "Application") -> "StoredMessage":
        from application.use_cases.pin_message import PinMessageCommand

        return await application.pin_message.execute(
            PinMessageCommand(tenant=tenant_from(), message_id=wanted, pinned=pinned)
        )

    stored = on_threads(config_path, run)
    if as_json:
        print_json(stored_message_json(stored))
    else:
        click.echo(f"{'pinned' if pinned else 'unpinned'} {stored.id}, with its exchange")
