"""The options that every command has, and the settings they lead to."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from domain.ids import DEFAULT_TENANT, Tenant

if TYPE_CHECKING:
    from entrypoints.settings import Settings

_F = TypeVar("_F", bound=Callable[..., Any])
_TENANT: ContextVar[Tenant] = ContextVar("tenant", default=DEFAULT_TENANT)


def common(command: _F) -> _F:
    """Adds `--config` and `--json`."""
    command = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The configuration file. [default: $LOR3_CONFIG, else lor3.yaml, lor3.yml or lor3.json here]",
    )(command)


def for_tenant(command: _F) -> _F:
    """Adds `--tenant`; `tenant_from` says what it is, wherever the command looks."""
    return click.option(
        "--tenant",
        envvar="LOR3_TENANT",
        default=DEFAULT_TENANT,
        metavar="TENANT",
        expose_value=False,
        callback=_keep_tenant,
        help="Whose data. [default: $LOR3_TENANT, else default]",
    )(command)


def tenant_from() -> Tenant:
    """The tenant that the command under way was given."""
    return _TENANT.get()


def _keep_tenant(context: click.Context, parameter: click.Parameter, given: str) -> None:
    if not given.strip():
        raise click.BadParameter("must not be empty; leave it out for `default`", context, parameter)
    # No part of the click context, which is a thread's: commands look where their event loop runs.
    token = _TENANT.set(Tenant(given))
    context.call_on_close(lambda: _TENANT.reset(token))


def quiet(settings: "Settings") -> "Settings":
    """Logs errors only, unless a log level was asked for: what else there is to say, the command says."""
    import attrs

    if "log.level" in settings.origins:
        return settings
    return attrs.evolve(settings, log=attrs.evolve(settings.log, level="error", areas={}))


@contextmanager
def untold_files(settings: "Settings") -> Iterator[None]:
    """Keeps the log silent of prompt files, unless a log level was asked for: the commands tell what concerns them."""
    import logging

    log = logging.getLogger("lor3.prompts")
    before = log.level
    if "log.level" not in settings.origins:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def settings_from(config_path: Path | None, flags: Mapping[str, object] | None = None) -> "Settings":
    """
    Raises:
        ConfigurationError: naming every fault.
    """
    from entrypoints.configuration.load import load_settings

    return load_settings(config_path=config_path, environ=os.environ, flags=flags, cwd=Path.cwd())
