"""`lor3 observe usage`."""

import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from entrypoints.cli.choices import one_of
from entrypoints.cli.observe_figures import (
    columns,
    cost,
    dollars,
    latency,
    plain_rating,
    rating,
    short,
    whole_ms,
)
from entrypoints.cli.observing import is_given, observing, show
from entrypoints.cli.output import print_table, say

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Observation
    from domain.json_value import JSONValue
    from domain.usage_report import UsageGroup, UsageRow


@click.command(
    help="""Show requests, tokens, costs, latency and ratings, of everything or in groups.

Ratings are scores from 0 to 1: a thumb is 1 or 0, n of 5 is (n - 1) / 4. Behind the mean stands the interval that
holds the true one in 95 of 100 cases, and of how many ratings. Groups are model, provider, prompt, prompt_version,
label, user, key, day and hour. A pipe gets group, requests, errors, input, output and cached tokens, cost, answers without a
known price, p50 and p95 in ms, number of ratings, mean, and both ends of the interval.

\b
Examples:
  lor3 observe usage
  lor3 observe usage --since 30d --group-by prompt_version
  lor3 observe usage --since 2026-11-01 --until 2026-12-01 --group-by model --json
  lor3 observe usage --watch
  lor3 observe usage --reconcile costs.csv
  lor3 observe usage --verify --since 90d
"""
)
@click.option("--group-by", metavar="GROUP", help="A line for each of them.")
@click.option(
    "--reconcile",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Compare it with what a provider exported of its costs or usage.",
)
@click.option(
    "--provider", metavar="NAME", help="Whose export that is: openai or anthropic. [default: by its columns]"
)
@click.option(
    "--verify",
    "is_verifying",
    is_flag=True,
    help="Compare the sums that reports are made of with the messages; exit 1 where some lack. [default: 30 days]",
)
@observing
def usage(
    since: str,
    until: str | None,
    group_by: str | None,
    reconcile: Path | None,
    provider: str | None,
    is_verifying: bool,
    is_watching: bool,
    config_path: Path | None,
    as_json: bool,
) -> int | None:
    from domain.usage_report import GROUPS

    if is_verifying:
        from entrypoints.cli.observe_verify import print_verification

        return print_verification(
            since=since if is_given("since") else None,
            until=until,
            unfit={
                "--group-by": group_by is not None,
                "--reconcile": reconcile is not None,
                "--provider": provider is not None,
                "--watch": is_watching,
            },
            config_path=config_path,
            as_json=as_json,
        )
    if reconcile is not None or provider is not None:
        from entrypoints.cli.observe_reconcile import print_reconciliation

        print_reconciliation(
            reconcile,
            provider,
            since=since if is_given("since") else None,
            until=until,
            unfit={"--group-by": group_by is not None, "--watch": is_watching},
            config_path=config_path,
            as_json=as_json,
        )
        return None
    group = None if group_by is None else cast("UsageGroup", one_of(group_by, GROUPS, path="--group-by"))
    show(
        "usage",
        _draw,
        _told,
        since=since,
        until=until,
        config_path=config_path,
        as_json=as_json,
        is_watching=is_watching,
        group_by=group,
    )
    return None


def _told(observed: "Observation") -> "dict[str, JSONValue]":
    from entrypoints.feedback_rendering import usage_row_json

    return {
        "items": [usage_row_json(row) for row in observed.usage],
        "failovers": sum(row.failovers for row in observed.providers),
    }


def _draw(observed: "Observation") -> None:
    if not any(row.requests for row in observed.usage):
        say("no chat was answered in this time")
        return
    if sys.stdout.isatty():
        from entrypoints.cli.charts import draw_charts

        draw_charts(
            observed,
            (
                ("requests", lambda point: point.requests, lambda most: short(int(most))),
                ("tokens", lambda point: point.tokens, lambda most: short(int(most))),
                ("cost", lambda point: float(point.cost_usd), lambda most: dollars(Decimal(str(most)))),
                ("failed", lambda point: point.errors, lambda most: short(int(most))),
            ),
            columns=columns(),
        )
    print_usage(observed.usage, observed.query.group_by)
    failovers = sum(row.failovers for row in observed.providers)
    if failovers and sys.stdout.isatty():
        say(f"{failovers:,} times another model had to step in: lor3 observe providers", dim=True)


def print_usage(rows: "Sequence[UsageRow]", group_by: str | None) -> None:
    """A table for a person; in a pipe a column for each number, plain."""
    if not sys.stdout.isatty():
        print_table((), [_plain(row) for row in rows])
        return
    group = group_by or "group"
    print_table(
        (group, "requests", "tokens in + out", "cost", "p50 / p95", "rating (95%)"),
        [_drawn(row, group_by) for row in rows],
        # Half a cost looks like a whole one.
        folding=("rating (95%)", "requests", "tokens in + out", "p50 / p95", group),
    )


def _drawn(row: "UsageRow", group_by: str | None) -> tuple[str, ...]:
    """Rounded, so that a table fits a terminal; `--json` and a pipe get the numbers as they are."""
    failed = f"\n{row.errors:,} failed" if row.errors else ""
    group = row.name if row.name is not None else row.group
    return (
        group if group is not None else "all" if group_by is None else "none",
        f"{row.requests:,}{failed}",
        f"{short(row.input_tokens)} + {short(row.output_tokens)}",
        cost(row.cost_usd, row.unpriced),
        latency(row.latency_p50_ms, row.latency_p95_ms),
        rating(row.ratings),
    )


def _plain(row: "UsageRow") -> tuple[object, ...]:
    from entrypoints.rendering import money

    return (
        row.group,
        row.requests,
        row.errors,
        row.input_tokens,
        row.output_tokens,
        row.cached_input_tokens,
        money(row.cost_usd),
        row.unpriced,
        whole_ms(row.latency_p50_ms),
        whole_ms(row.latency_p95_ms),
        *plain_rating(row.ratings),
    )
