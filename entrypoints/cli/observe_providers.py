"""`lor3 observe providers`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.observing import observing, percent, show
from entrypoints.cli.output import print_table, say

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Observation
    from domain.json_value import JSONValue
    from domain.usage_report import ProviderRow


@click.command(
    help="""Show the calls to each model: how many failed and how, how often another one had to step in, how long they
took.

Every try counts, retries too. `skipped` is how often a model was passed over without a call, because its breaker was
open; `replaced` how often another one was asked in its place. Latencies are of the calls that went well. A pipe gets
provider, model, calls, failed, skipped, replaced, input and output tokens, cost, calls without a known price, p50, p95
and p99 in ms, and each outcome with its count.

\b
Examples:
  lor3 observe providers
  lor3 observe providers --since 1h --watch
  lor3 observe providers --since 2026-11-01 --until 2026-12-01 --json
"""
)
@observing
def providers(
    since: str, until: str | None, is_watching: bool, config_path: Path | None, as_json: bool
) -> None:
    show(
        "providers",
        _draw,
        _told,
        since=since,
        until=until,
        config_path=config_path,
        as_json=as_json,
        is_watching=is_watching,
    )


def _told(observed: "Observation") -> "dict[str, JSONValue]":
    from entrypoints.observe_rendering import provider_json

    return {"items": [provider_json(row) for row in observed.providers]}


def _draw(observed: "Observation") -> None:
    if not observed.providers:
        say("no model was called in this time")
        return
    if not sys.stdout.isatty():
        print_table((), [_plain(row) for row in observed.providers])
        return
    from entrypoints.cli.charts import draw_charts
    from entrypoints.cli.observe_figures import columns, short

    draw_charts(
        observed,
        (
            ("calls", lambda point: point.requests, lambda most: short(int(most))),
            ("failed", lambda point: point.errors, lambda most: short(int(most))),
        ),
        columns=columns(),
    )
    print_table(
        ("model", "calls", "failed", "and how", "p50 / p95"),
        [_drawn(row) for row in observed.providers],
        folding=("and how", "p50 / p95", "model"),
    )


def _drawn(row: "ProviderRow") -> tuple[str, ...]:
    from entrypoints.cli.observe_figures import latency

    told = [f"{name} {count:,}" for name, count in row.outcomes if name != "ok"]
    if row.skipped:
        told.append(f"skipped {row.skipped:,}")
    if row.failovers:
        told.append(f"replaced {row.failovers:,}")
    slowest = "" if row.latency_p99_ms is None else f"\np99 {latency(row.latency_p99_ms)}"
    return (
        f"{row.provider}:{row.model}",
        f"{row.requests:,}",
        percent(row.errors, row.requests),
        "\n".join(told) or "–",
        latency(row.latency_p50_ms, row.latency_p95_ms) + slowest,
    )


def _plain(row: "ProviderRow") -> tuple[object, ...]:
    from entrypoints.cli.observe_figures import whole_ms
    from entrypoints.rendering import money

    return (
        row.provider,
        row.model,
        row.requests,
        row.errors,
        row.skipped,
        row.failovers,
        row.input_tokens,
        row.output_tokens,
        money(row.cost_usd),
        row.unpriced,
        whole_ms(row.latency_p50_ms),
        whole_ms(row.latency_p95_ms),
        whole_ms(row.latency_p99_ms),
        " ".join(f"{name}={count}" for name, count in row.outcomes),
    )
