"""What the commands of `lor3 observe` share: their options, how they read, and how they watch."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, say

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Aspect, Observation
    from domain.json_value import JSONValue
    from domain.usage_report import UsageGroup
    from entrypoints.reading import Reading

_F = TypeVar("_F", bound=Callable[..., Any])
_EVERY_S: Final = 2.0


def observing(command: _F) -> _F:
    """Adds `--since`, `--until`, `--watch` and what every command has."""
    for option in (
        click.option(
            "--watch", "is_watching", is_flag=True, help="Show it anew every 2 seconds, until Ctrl-C."
        ),
        click.option("--until", metavar="WHEN", help="The same, exclusive. [default: now]"),
        click.option(
            "--since",
            default="24h",
            show_default=True,
            metavar="WHEN",
            help="How long ago, such as 24h; a day or a time.",
        ),
    ):
        command = option(command)
    return for_tenant(common(command))


def show(
    aspect: "Aspect",
    draw: "Callable[[Observation], None]",
    as_items: "Callable[[Observation], dict[str, JSONValue]]",
    *,
    since: str,
    until: str | None,
    config_path: Path | None,
    as_json: bool,
    is_watching: bool,
    group_by: "UsageGroup | None" = None,
) -> None:
    """Reads it and prints it, once or until Ctrl-C.

    Raises:
        LorError: the configuration's faults, what is wrong with an option, or that the database is away.
    """

    def read() -> "Observation":
        return observe(aspect, since=since, until=until, config_path=config_path, group_by=group_by)

    if is_watching:
        from entrypoints.cli.misuse import misused

        if as_json or not (sys.stdout.isatty() and sys.stdin.isatty()):
            raise misused("--watch", "needs a terminal to draw on; leave it out, or `--json` and the pipe")
        from entrypoints.cli.watching import watch

        watch(read, lambda observed: print_observation(observed, draw), every_s=_EVERY_S)
        return
    observed = read()
    if as_json:
        from entrypoints.observe_rendering import observation_json

        told = as_items(observed)
        items = told.pop("items")
        print_json({**observation_json(observed, list(items) if isinstance(items, list) else []), **told})
        return
    print_observation(observed, draw)


def print_observation(observed: "Observation", draw: "Callable[[Observation], None]") -> None:
    from entrypoints.cli.conversation import when

    query = observed.query
    say(f"from {when(query.since)} to {when(query.until)} UTC", dim=True)
    draw(observed)


def observe(
    aspect: "Aspect",
    *,
    since: str,
    until: str | None,
    config_path: Path | None,
    group_by: "UsageGroup | None" = None,
) -> "Observation":
    """
    Raises:
        LorError: as `show`.
    """
    from entrypoints.cli.moments import moment_from
    from entrypoints.cli.on_threads import reading_threads

    async def run(application: "Reading") -> "Observation":
        from application.use_cases.observe_chats import ObserveChatsCommand

        now = application.clock.now()
        command = ObserveChatsCommand(
            aspect=aspect,
            tenant=tenant_from(),
            since=moment_from(since, now=now, path="--since"),
            until=None if until is None else moment_from(until, now=now, path="--until"),
            group_by=group_by,
        )
        return await application.observe_chats.execute(command)

    return reading_threads(config_path, run)


def is_given(name: str) -> bool:
    """Whether an option of the command under way was written out."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not None and source is not click.core.ParameterSource.DEFAULT


def percent(part: int, whole: int) -> str:
    """`2.3%`; `<0.1%` is not none."""
    if not whole:
        return "–"
    share = 100 * part / whole
    return "<0.1%" if 0 < share < 0.1 else f"{share:.1f}%"
