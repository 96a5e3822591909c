"""What the commands of `lor3 observe` share: their options, how they read, how they print, and how they watch."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict, TypeVar, Unpack

import click

from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Aspect, Observation
    from domain.ids import Tenant
    from domain.json_value import JSONValue
    from domain.usage_report import ErrorGroup, UsageGroup
    from entrypoints.reading import Reading

_F = TypeVar("_F", bound=Callable[..., Any])
_EVERY_S: Final = 2.0
_SOME: Final = 5
"""Tenants that are named."""


class Asked(TypedDict):
    """What `observing` adds to a command."""

    since: str
    until: str | None
    is_of_all_tenants: bool
    is_watching: bool
    config_path: Path | None
    as_json: bool
    as_csv: bool


class View(NamedTuple):
    """How one aspect is told."""

    aspect: "Aspect"
    columns: tuple[str, ...]
    """Of a pipe and of `--csv`."""
    rows: "Callable[[Observation], Sequence[Sequence[object]]]"
    """Plain, one value a column."""
    empty: "Callable[[Observation], str | None]"
    """What is said where there is nothing to tell."""
    charts: "Callable[[Observation], None]"
    draw: "Callable[[Observation], None]"
    """For a terminal."""
    items: "Callable[[Observation], dict[str, JSONValue]]"
    """`items` and what stands beside them in JSON."""


def observing(command: _F) -> _F:
    """Adds `--since`, `--until`, `--tenant`, `--all-tenants`, `--watch`, `--csv` and what every command has."""
    for option in (
        click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a head line."),
        click.option(
            "--watch", "is_watching", is_flag=True, help="Show it anew every 2 seconds, until Ctrl-C."
        ),
        click.option("--until", metavar="WHEN", help="The same, exclusive. [default: now]"),
        click.option(
            "--since",
            default="24h",
            show_default=True,
            metavar="WHEN",
            help="How long ago, such as 24h, 30d or 1y; a day or a time.",
        ),
        click.option(
            "--all-tenants", "is_of_all_tenants", is_flag=True, help="Of all tenants together, not of one."
        ),
    ):
        command = option(command)
    return for_tenant(common(command))


def whose(is_of_all_tenants: bool) -> "Tenant | None":
    """None for all tenants.

    Raises:
        Misused: one is named as well.
    """
    if not is_of_all_tenants:
        return tenant_from()
    if click.get_current_context().get_parameter_source("tenant") is click.core.ParameterSource.COMMANDLINE:
        from entrypoints.cli.misuse import misused

        raise misused("--all-tenants", "leaves none out, and --tenant names one; leave one of them out")
    return None


def demand_one_form(*, as_json: bool, as_csv: bool, is_watching: bool) -> None:
    """
    Raises:
        Misused: more than one was asked for, or what needs a terminal without one.
    """
    from entrypoints.cli.misuse import misused

    if as_json and as_csv:
        raise misused("--csv", "is one form and --json another; leave one of them out")
    if is_watching and (as_json or as_csv or not (sys.stdout.isatty() and sys.stdin.isatty())):
        raise misused(
            "--watch", "needs a terminal to draw on; leave it out, or `--json`, `--csv` and the pipe"
        )


def show(view: View, *, group_by: "UsageGroup | ErrorGroup | None" = None, **asked: Unpack[Asked]) -> None:
    """Reads it and prints it, once or until Ctrl-C.

    Raises:
        LorError: the configuration's faults, what is wrong with an option, or that the database is away.
    """
    is_watching = asked["is_watching"]
    demand_one_form(as_json=asked["as_json"], as_csv=asked["as_csv"], is_watching=is_watching)
    tenant = whose(asked["is_of_all_tenants"] or (group_by == "tenant" and not is_given("tenant")))

    def read() -> "Observation":
        return observe(view.aspect, tenant, group_by=group_by, **asked)

    if is_watching:
        from entrypoints.cli.watching import watch

        watch(read, lambda observed: _print_fitting(observed, view, tenant), every_s=_EVERY_S)
        return
    observed = read()
    if asked["as_json"]:
        from entrypoints.observe_rendering import observation_json

        _say_whose(observed, tenant)
        told = view.items(observed)
        items = told.pop("items")
        print_json({**observation_json(observed, list(items) if isinstance(items, list) else []), **told})
    elif asked["as_csv"]:
        _say_whose(observed, tenant)
        print_csv(view.columns, view.rows(observed))
    else:
        _say_head(observed, view, tenant)
        _print(observed, view)


def print_csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """RFC 4180, with a head line; empty where nothing is known."""
    import csv

    from entrypoints.cli.output import printable

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if each is None else printable(str(each)) for each in row] for row in rows])


def _print(observed: "Observation", view: View) -> None:
    if view.empty(observed) is not None:
        return
    if sys.stdout.isatty():
        view.charts(observed)
        view.draw(observed)
    else:
        print_table((), view.rows(observed))


def _print_fitting(observed: "Observation", view: View, tenant: "Tenant | None") -> None:
    """For a screen: where not all of it fits, the numbers stand above the charts."""
    import shutil

    from entrypoints.cli.watching import captured

    head = captured(lambda: _say_head(observed, view, tenant))
    charts, body = "", ""
    if view.empty(observed) is None:
        charts, body = captured(lambda: view.charts(observed)), captured(lambda: view.draw(observed))
    lines = (head + charts + body).count("\n") + 1
    if lines > shutil.get_terminal_size().lines:
        charts, body = body, charts
    sys.stdout.write(head + charts + body)


def _say_head(observed: "Observation", view: View, tenant: "Tenant | None") -> None:
    from entrypoints.cli.conversation import when

    query = observed.query
    of = "" if tenant is not None else ", all tenants"
    say(f"from {when(query.since)} to {when(query.until)} UTC{of}", dim=True)
    _say_whose(observed, tenant)
    empty = view.empty(observed)
    if empty is not None:
        say(empty)


def _say_whose(observed: "Observation", tenant: "Tenant | None") -> None:
    """Whose chats are left out, where nobody chose that; and that there is no such tenant."""
    if tenant is None:
        return
    if observed.is_tenant_unknown and is_given("tenant"):
        say(f"there is no tenant `{tenant}`: neither keys nor chats know it")
    if observed.left_out and not is_given("tenant"):
        say_left_out(observed.left_out, tenant)


def say_left_out(others: "Sequence[Tenant]", tenant: "Tenant") -> None:
    named = ", ".join(f"`{each}`" for each in others[:_SOME])
    more = f" and {len(others) - _SOME:,} more" if len(others) > _SOME else ""
    say(
        f"this is of the tenant `{tenant}` alone; chats of {named}{more} are left out: --all-tenants has them"
    )


def observe(
    aspect: "Aspect",
    tenant: "Tenant | None",
    *,
    group_by: "UsageGroup | ErrorGroup | None" = None,
    **asked: Unpack[Asked],
) -> "Observation":
    """
    Raises:
        LorError: as `show`.
    """
    from entrypoints.cli.moments import moment_from
    from entrypoints.cli.on_threads import reading_threads

    since, until = asked["since"], asked["until"]

    async def run(application: "Reading") -> "Observation":
        from application.use_cases.observe_chats import ObserveChatsCommand

        now = application.clock.now()
        command = ObserveChatsCommand(
            aspect=aspect,
            tenant=tenant,
            since=moment_from(since, now=now, path="--since"),
            until=None if until is None else moment_from(until, now=now, path="--until"),
            group_by=group_by,
            tells_others=True,
        )
        return await application.observe_chats.execute(command)

    return reading_threads(asked["config_path"], run)


def demand_fitting(given: Mapping[str, bool], why: str) -> None:
    """
    Raises:
        Misused: an option was given that says nothing here.
    """
    from entrypoints.cli.misuse import misused

    for option in given:
        if given[option]:
            raise misused(option, why)


def is_given(name: str) -> bool:
    """Whether an option of the command under way was written out, or stands in the environment."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not None and source is not click.core.ParameterSource.DEFAULT


def percent(part: int, whole: int) -> str:
    """`2.3%`; `<0.1%` is not none."""
    if not whole:
        return "–"
    share = 100 * part / whole
    return "<0.1%" if 0 < share < 0.1 else f"{share:.1f}%"
