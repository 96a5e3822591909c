"""What the commands of `lor3 key` share: the store of keys for one of them, and how they name one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import click

from entrypoints.cli.options import quiet, settings_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from application.services.key_making import CreatedKey
    from domain.access import ApiKey
    from entrypoints.key_administration import KeyAdministration

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])

_OPTIONS: Final = {name: f"--{name}" for name in ("name", "tenant", "scopes", "models", "budget")}


def on_keys(
    config_path: Path | None,
    action: "Callable[[KeyAdministration], Awaitable[_T]]",
    *,
    creating: bool = False,
) -> _T:
    """Runs `action` on the keys of the server's database.

    Raises:
        LorError: the configuration's faults, or what `action` raises, with options in place of fields.
    """
    settings = quiet(settings_from(config_path))

    async def run() -> _T:
        from entrypoints.key_administration import administering_keys

        async with administering_keys(settings, creating=creating) as opened:
            return await action(opened)

    with _key_words():
        return asyncio.run(run())


def of_tenant(command: _F) -> _F:
    """Adds `--tenant`, of the one that a name is looked for in."""
    return click.option(
        "--tenant",
        envvar="LOR3_TENANT",
        default="default",
        metavar="TENANT",
        help="Whose it is; an id needs none. [default: $LOR3_TENANT, else default]",
    )(command)


async def existing_key(administration: "KeyAdministration", name: str, tenant: str) -> "ApiKey":
    """
    Raises:
        NotFound: there is none; says so where another tenant has one of the name.
    """
    from domain.errors import NotFound
    from domain.ids import Tenant
    from domain.key_text import is_id

    whose = None if is_id(name) else Tenant(tenant)
    found = await administration.keys.find(name, tenant=whose)
    if found is not None:
        return found
    everybody = await administration.keys.list()
    others = {key.tenant for key in everybody if key.name == name and key.tenant != whose}
    if others:
        raise NotFound(
            f"the tenant `{whose}` has no key `{name}`, but `{min(others)}` has: add --tenant {min(others)}"
        )
    raise NotFound(f"there is no key `{name}`; `lor3 key list --all` shows those there are, and were")


def lifetime_from(text: str | None) -> float | None:
    """`--expires`, in seconds; None where it was left out.

    Raises:
        Misused: it is no length of time, or none at all.
    """
    from entrypoints.cli.misuse import misused
    from entrypoints.cli.moments import duration_from

    if text is None:
        return None
    seconds = duration_from(text, path="--expires")
    if seconds <= 0:
        raise misused("--expires", "a key that ends at once opens nothing; leave --expires out")
    return seconds


def print_created(created: "CreatedKey", *, as_json: bool, more: "dict[str, Any] | None" = None) -> None:
    """The key itself on stdout: its one time."""
    from entrypoints.cli.output import print_json
    from entrypoints.key_rendering import key_json

    secret = created.secret.reveal()
    if as_json:
        told = key_json(created.key)
        head = {"id": told.pop("id"), "name": told.pop("name"), "key": secret}
        print_json({**head, **told, **(more or {})})
    else:
        click.echo(secret)


@contextmanager
def _key_words() -> "Iterator[None]":
    from domain.errors import InvalidRequest
    from entrypoints.cli.misuse import Misused

    try:
        yield
    except InvalidRequest as error:
        if not error.faults or isinstance(error, Misused):
            raise
        faults = [
            attrs.evolve(fault, path=_OPTIONS.get(fault.path, fault.path), message=fault.message)
            for fault in error.faults
        ]
        raise Misused.of(*faults) from error
