"""`lor3 observe usage`."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final, Unpack, cast

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
from entrypoints.cli.observing import Asked, View, is_given, observing, percent, show
from entrypoints.cli.output import print_table, say

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Observation
    from domain.json_value import JSONValue
    from domain.usage_report import UsageGroup, UsageRow
    from entrypoints.cli.items import Item

_COLUMNS: Final = (
    "group", "requests", "failed", "turned_away", "input_tokens", "output_tokens", "cached_input_tokens", "cost_usd",
    "unpriced", "p50_ms", "p95_ms", "ratings", "rating", "rating_low", "rating_high", "name",
)  # fmt: skip


@click.command(
    help="""Show requests, tokens, costs, latency and ratings, of everything or in groups.

Ratings are scores from 0 to 1: a thumb is 1 or 0, n of 5 is (n - 1) / 4. Behind the mean stands the interval that
holds the true one in 95 of 100 cases, and of how many ratings. `turned away` are requests that became no chat, such as
those over a limit or a budget. Groups are model, provider, prompt, prompt_version, label, user, key, day, hour and
tenant, which is of all tenants unless one is named. A pipe gets group, requests, failed, turned away, input, output
and cached tokens, cost, answers without a known price, p50 and p95 in ms, number of ratings, mean, both ends of the
interval, and the name of a key; --csv the same under a head line.

An invoice is of all tenants, so --reconcile is too, unless --tenant names one.

\b
Examples:
  lor3 observe usage
  lor3 observe usage --since 30d --group-by prompt_version
  lor3 observe usage --since 2026-11-01 --until 2026-12-01 --group-by model --json
  lor3 observe usage --since 30d --group-by tenant --csv
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
    "--provider",
    metavar="KIND",
    help="Whose export that is: openai or anthropic; it is about all `providers` of that kind. [default: by its columns]",
)
@click.option(
    "--verify",
    "is_verifying",
    is_flag=True,
    help="Compare the sums that reports are made of with the messages; exit 1 where some lack. [default: 30 days]",
)
@observing
def usage(
    group_by: str | None,
    reconcile: Path | None,
    provider: str | None,
    is_verifying: bool,
    **asked: Unpack[Asked],
) -> int | None:
    from domain.usage_report import GROUPS

    since = asked["since"] if is_given("since") else None
    if is_verifying:
        from entrypoints.cli.observe_verify import print_verification

        return print_verification(
            since=since,
            until=asked["until"],
            unfit={
                "--group-by": group_by is not None,
                "--reconcile": reconcile is not None,
                "--provider": provider is not None,
                "--watch": asked["is_watching"],
                "--csv": asked["as_csv"],
                "--all-tenants": asked["is_of_all_tenants"],
            },
            config_path=asked["config_path"],
            as_json=asked["as_json"],
        )
    if reconcile is not None or provider is not None:
        from entrypoints.cli.observe_reconcile import print_reconciliation

        print_reconciliation(
            reconcile,
            provider,
            since=since,
            unfit={"--group-by": group_by is not None, "--watch": asked["is_watching"]},
            asked=asked,
        )
        return None
    group = None if group_by is None else one_of(group_by, (*GROUPS, "tenant"), path="--group-by")
    show(_VIEW, group_by=cast("UsageGroup | None", group), **asked)
    return None


def _items(observed: "Observation") -> "dict[str, JSONValue]":
    from entrypoints.feedback_rendering import usage_row_json

    return {
        "items": [usage_row_json(row) for row in observed.usage],
        "failovers": sum(row.failovers for row in observed.providers),
    }


def _empty(observed: "Observation") -> str | None:
    is_used = any(row.requests or row.refused or row.ratings.count for row in observed.usage)
    return None if is_used else "no chat was answered in this time"


def _charts(observed: "Observation") -> None:
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


def _draw(observed: "Observation") -> None:
    print_usage(observed.usage, observed.query.group_by)
    refused = sum(row.refused for row in observed.usage)
    if refused:
        asked = refused + sum(row.requests for row in observed.usage)
        say(
            f"{refused:,} requests were turned away ({percent(refused, asked)}): lor3 observe errors",
            dim=True,
        )
    failovers = sum(row.failovers for row in observed.providers)
    if failovers:
        say(f"{failovers:,} times another model had to step in: lor3 observe providers", dim=True)


def _rows(observed: "Observation") -> list[tuple[object, ...]]:
    return [_plain(row, observed.query.group_by) for row in observed.usage]


def print_usage(rows: "Sequence[UsageRow]", group_by: str | None) -> None:
    """A table for a person."""
    group = group_by or "group"
    heads = (group, "requests", "tokens in + out", "cost", "p50 / p95", "rating (95%)")
    drawn = [_drawn(row, group_by) for row in rows]
    wanted = [
        max(len(line) for cell in column for line in cell.split("\n"))
        for column in zip(heads, *drawn, strict=True)
    ]
    if sum(wanted) + 2 * len(wanted) > columns():
        from entrypoints.cli.items import print_items

        print_items(("requests", "failed", *heads[2:5]), [_item(row, group_by) for row in rows])
        return
    print_table(
        heads,
        drawn,
        # Half a cost looks like a whole one.
        folding=("rating (95%)", "requests", "tokens in + out", "p50 / p95", group),
    )


def _drawn(row: "UsageRow", group_by: str | None) -> tuple[str, ...]:
    """Rounded, so that a table fits a terminal; `--json` and a pipe get the numbers as they are."""
    failed = f"\n{row.errors:,} failed" if row.errors else ""
    away = f"\n{row.refused:,} turned away" if row.refused else ""
    group = row.name if row.name is not None else row.group
    return (
        group if group is not None else _nameless(group_by),
        f"{row.requests:,}{failed}{away}",
        f"{short(row.input_tokens)} + {short(row.output_tokens)}",
        cost(row.cost_usd, row.unpriced),
        latency(row.latency_p50_ms, row.latency_p95_ms),
        rating(row.ratings),
    )


def _item(row: "UsageRow", group_by: str | None) -> "Item":
    from entrypoints.cli.items import Item

    group, _, tokens, money, took, rated = _drawn(row, group_by)
    notes = [f"{row.refused:,} turned away"] if row.refused else []
    notes += [f"{row.unpriced:,} unpriced"] if row.unpriced else []
    notes += [f"rated {rated}"] if row.ratings.count else []
    cells = f"{row.requests:,}", percent(row.errors, row.requests), tokens
    return Item(
        group,
        (*cells, "–" if row.unpriced and not row.cost_usd else money.partition("\n")[0], took),
        ("; ".join(notes),) if notes else (),
    )


def _plain(row: "UsageRow", group_by: str | None) -> tuple[object, ...]:
    from entrypoints.rendering import money

    return (
        row.group if row.group is not None else _nameless(group_by),
        row.requests,
        row.errors,
        row.refused,
        row.input_tokens,
        row.output_tokens,
        row.cached_input_tokens,
        money(row.cost_usd),
        row.unpriced,
        whole_ms(row.latency_p50_ms),
        whole_ms(row.latency_p95_ms),
        *plain_rating(row.ratings),
        row.name,
    )


def _nameless(group_by: str | None) -> str:
    return "all" if group_by is None else "none"


_VIEW: Final = View("usage", _COLUMNS, _rows, _empty, _charts, _draw, _items)
