"""The options that every command has, and the settings they lead to."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from entrypoints.settings import Settings

_F = TypeVar("_F", bound=Callable[..., Any])


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
