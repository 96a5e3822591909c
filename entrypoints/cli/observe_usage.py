"""`lor3 observe usage`."""

import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from entrypoints.cli.choices import one_of
from entrypoints.cli.conversation import when
from entrypoints.cli.moments import moment_from
from entrypoints.cli.on_threads import reading_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from application.use_cases.report_usage import UsageReport
    from domain.usage_report import UsageGroup, UsageRow
    from entrypoints.reading import Reading


@click.command(
    help="""Show requests, tokens, costs, latency and ratings, of everything or in groups.

Ratings are scores from 0 to 1: a thumb is 1 or 0, n of 5 is (n - 1) / 4. Behind the mean stands the interval that
holds the true one in 95 of 100 cases, and of how many ratings. Groups are model, provider, prompt, prompt_version,
label, user and day. A pipe gets group, requests, errors, input, output and cached tokens, cost, answers without a
known price, p50 and p95 in ms, number of ratings, mean, and both ends of the interval.

\b
Examples:
  lor3 observe usage
  lor3 observe usage --since 30d --group-by prompt_version
  lor3 observe usage --since 2026-11-01 --until 2026-12-01 --group-by model --json
"""
)
@click.option(
    "--since",
    default="30d",
    show_default=True,
    metavar="WHEN",
    help="How long ago, such as 24h; a day or a time.",
)
@click.option("--until", metavar="WHEN", help="The same, exclusive. [default: now]")
@click.option("--group-by", metavar="GROUP", help="A line for each of them.")
@common
@for_tenant
def usage(
    since: str, until: str | None, group_by: str | None, config_path: Path | None, as_json: bool
) -> None:
    from domain.usage_report import GROUPS
    from entrypoints.feedback_rendering import usage_report_json

    group = None if group_by is None else cast("UsageGroup", one_of(group_by, GROUPS, path="--group-by"))

    async def run(application: "Reading") -> "UsageReport":
        from application.use_cases.report_usage import ReportUsageCommand

        now = application.clock.now()
        end = None if until is None else moment_from(until, now=now, path="--until")
        command = ReportUsageCommand(
            tenant=tenant_from(), since=moment_from(since, now=now, path="--since"), until=end, group_by=group
        )
        return await application.report_usage.execute(command)

    report = reading_threads(config_path, run)
    if as_json:
        print_json(usage_report_json(report))
        return
    query = report.query
    say(f"from {when(query.since)} to {when(query.until)} UTC", dim=True)
    if not any(row.requests for row in report.rows):
        say("no chat was answered in this time")
    else:
        print_usage(report.rows, group)


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
    from domain.usage_report import estimate

    failed = f"\n{row.errors:,} failed" if row.errors else ""
    cost = _dollars(row.cost_usd)
    if row.unpriced:
        cost = f"{cost}\n{row.unpriced:,} unpriced" if row.cost_usd else f"{row.unpriced:,} unpriced"
    found = estimate(row.ratings)
    return (
        row.group if row.group is not None else "all" if group_by is None else "none",
        f"{row.requests:,}{failed}",
        f"{_short(row.input_tokens)} + {_short(row.output_tokens)}",
        cost,
        _latency(row.latency_p50_ms, row.latency_p95_ms),
        "–"
        if found is None
        else f"{found.mean:.2f} ({found.low:.2f}–{found.high:.2f}) of {row.ratings.count:,}",
    )


def _short(count: int) -> str:
    """`812`, `9,999`, `12k`, `1.3M`."""
    if count < 10_000:
        return f"{count:,}"
    for unit, name in ((1_000_000_000, "G"), (1_000_000, "M")):
        if count >= unit:
            return f"{count / unit:,.1f}{name}"
    return f"{count / 1000:.0f}k"


def _dollars(amount: Decimal) -> str:
    """To the cent, and less than a dollar to four digits that tell something."""
    from entrypoints.rendering import money

    if amount >= 1:
        return f"${amount:,.2f}"
    return f"${money(Decimal(f'{amount:.4g}'))}"


def _latency(*latencies_ms: float | None) -> str:
    """Each in the unit that suits it, which is said once where it suits all: `44 ms / 1.5 s`, `44 / 120 ms`."""
    told = [_time(each) for each in latencies_ms if each is not None]
    if not told:
        return "–"
    units = {unit for _, unit in told}
    if len(units) == 1:
        return f"{' / '.join(number for number, _ in told)} {units.pop()}"
    return " / ".join(f"{number} {unit}" for number, unit in told)


def _time(latency_ms: float) -> tuple[str, str]:
    if round(latency_ms) < 1000:
        return f"{latency_ms:.0f}", "ms"
    return f"{latency_ms / 1000:,.1f}", "s"


def _plain(row: "UsageRow") -> tuple[object, ...]:
    from domain.usage_report import estimate
    from entrypoints.rendering import money

    found = estimate(row.ratings)
    return (
        row.group,
        row.requests,
        row.errors,
        row.input_tokens,
        row.output_tokens,
        row.cached_input_tokens,
        money(row.cost_usd),
        row.unpriced,
        _rounded(row.latency_p50_ms),
        _rounded(row.latency_p95_ms),
        row.ratings.count,
        *(
            (None, None, None)
            if found is None
            else (f"{each:.4f}" for each in (found.mean, found.low, found.high))
        ),
    )


def _rounded(latency_ms: float | None) -> int | None:
    return None if latency_ms is None else round(latency_ms)
