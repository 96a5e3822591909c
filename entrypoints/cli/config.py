"""`lor3 config`: what the configuration says, and what is wrong with it."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.main import LazyGroup
from entrypoints.cli.options import common, settings_from
from entrypoints.cli.output import emit, print_json, say, warn
from entrypoints.log_file import log_file_warnings

if TYPE_CHECKING:
    from domain.errors import Fault
    from entrypoints.settings import Settings

config = LazyGroup(
    name="config",
    help="""Check and show the configuration.

\b
Examples:
  lor3 config check
  lor3 config show --json
  lor3 config schema > lor3.schema.json
""",
    lazy={
        "check": ("entrypoints.cli.config:check", "Name everything that is wrong."),
        "show": ("entrypoints.cli.config:show", "Print every setting and where it came from."),
        "schema": ("entrypoints.cli.config:schema", "Print the JSON Schema for editors."),
    },
)


@click.command(
    help="""Name everything that is wrong with the configuration, and exit 1 if anything is.

Nothing is called or stored. Warnings, such as a model that has been switched off, do not fail the check.

\b
Example:
  lor3 config check --config lor3.yaml
"""
)
@common
def check(config_path: Path | None, as_json: bool) -> int:
    from domain.errors import ConfigurationError

    try:
        settings = settings_from(config_path)
        faults = tuple(_placed(fault, settings) for fault in asyncio.run(_plugin_faults(settings)))
    except ConfigurationError as error:
        settings, faults = None, error.faults
    warnings = (*settings.warnings, *log_file_warnings(settings)) if settings else ()
    report = {
        "ok": not faults,
        "source": settings.source if settings else None,
        "errors": [{"path": fault.path, "message": fault.message} for fault in faults],
        "warnings": list(warnings),
    }
    if as_json:
        print_json(report)
    else:
        _print_report(settings, faults, warnings)
    return 1 if faults else 0


def _print_report(
    settings: "Settings | None", faults: "tuple[Fault, ...]", warnings: tuple[str, ...]
) -> None:
    for fault in faults:
        if sys.stdout.isatty():
            path = click.style(f"{fault.path}: ", bold=True) if fault.path else ""
            click.echo(f"{click.style('✗', fg='red')} {path}{fault.message}")
        else:
            click.echo(f"{fault.path or '-'}\t{fault.message}")
    warn(warnings)
    if faults:
        say(f"{len(faults)} {'thing is' if len(faults) == 1 else 'things are'} wrong")
    else:
        where = (settings.source if settings else None) or "defaults and environment (no file)"
        click.echo(f"ok: {where}")


def _placed(fault: "Fault", settings: "Settings") -> "Fault":
    """With the place of the value that a plugin finds fault with."""
    import attrs

    origin = settings.origins.get(fault.path)
    return fault if origin is None else attrs.evolve(fault, message=f"{fault.message} ({origin})")


async def _plugin_faults(settings: "Settings") -> "tuple[Fault, ...]":
    """What providers and store themselves say of their settings: they are made, which does no I/O, and closed."""
    from domain.errors import ConfigurationError
    from entrypoints import plugins
    from entrypoints.bootstrap import open_store

    faults: list[Fault] = []
    for name, provider in settings.providers.items():
        try:
            made = plugins.load("lor3.providers", provider.kind, path=f"providers.{name}.kind")(provider)
        except ConfigurationError as error:
            faults.extend(error.faults)
        else:
            await made.aclose()
    try:
        await open_store(settings).aclose()
    except ConfigurationError as error:
        faults.extend(error.faults)
    return tuple(faults)


@click.command(
    help="""Print every setting and where it came from. Secrets are masked.

\b
Example:
  lor3 config show --json
"""
)
@common
def show(config_path: Path | None, as_json: bool) -> None:
    from entrypoints.configuration.view import flatten, origin_of, settings_view

    settings = settings_from(config_path)
    warn(settings.warnings)
    view = settings_view(settings)
    emit(
        {"settings": view, "origins": dict(settings.origins), "source": settings.source},
        as_json=as_json,
        columns=("setting", "value", "from"),
        rows=[(path, value, origin_of(path, settings.origins)) for path, value in flatten(view).items()],
    )


@click.command(
    help="""Print the JSON Schema of configuration files, for completion and checks in an editor.

\b
Example:
  lor3 config schema > lor3.schema.json
"""
)
@common
def schema(config_path: Path | None, as_json: bool) -> None:
    from entrypoints.configuration.schema import schema_text

    click.echo(schema_text(), nl=False)
