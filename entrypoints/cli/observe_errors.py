"""`lor3 observe errors`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.conversation import when
from entrypoints.cli.observing import observing, percent, show
from entrypoints.cli.output import print_table, say

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Observation
    from domain.anomaly_record import SeenAnomaly
    from domain.json_value import JSONValue
    from domain.usage_report import ErrorSource

_SOURCES: "tuple[tuple[ErrorSource, str], ...]" = (
    ("chat", "chats that failed"),
    ("attempt", "calls to providers that failed; another one may have answered"),
    ("refusal", "requests that were turned away"),
)


@click.command(
    help="""Show what failed, how often and when last, and what was unusual.

`chat` is an answer that failed, `attempt` a call to a provider that did, though another one may have answered, and
`refusal` a request that lor3 turned away. Shares are of all of the same kind. Below stand the latest anomalies: models,
prompt versions and keys whose tokens or cost left what is usual for them. A pipe gets source, code, provider, model,
count, share and time of the last one; anomalies are in --json.

\b
Examples:
  lor3 observe errors
  lor3 observe errors --since 7d --json
  lor3 observe errors --watch
"""
)
@observing
def errors(since: str, until: str | None, is_watching: bool, config_path: Path | None, as_json: bool) -> None:
    show(
        "errors",
        _draw,
        _told,
        since=since,
        until=until,
        config_path=config_path,
        as_json=as_json,
        is_watching=is_watching,
    )


def _told(observed: "Observation") -> "dict[str, JSONValue]":
    from entrypoints.observe_rendering import anomaly_json, error_json

    totals = _totals(observed)
    return {
        "items": [error_json(row, totals[row.source]) for row in observed.errors],
        "anomalies": [anomaly_json(anomaly) for anomaly in observed.anomalies],
    }


def _totals(observed: "Observation") -> "dict[ErrorSource, int]":
    return {
        source: sum(row.count for row in observed.errors if row.source == source) for source, _ in _SOURCES
    }


def _draw(observed: "Observation") -> None:
    totals = _totals(observed)
    if not sys.stdout.isatty():
        from entrypoints.observe_rendering import rate

        print_table(
            (),
            [
                (
                    row.source, row.code, row.provider, row.model, row.count,
                    rate(row.count, totals[row.source]), row.last_at.isoformat(timespec="seconds"),
                )
                for row in observed.errors
            ],
        )  # fmt: skip
        return
    from entrypoints.cli.charts import draw_charts
    from entrypoints.cli.observe_figures import columns, short

    if not observed.errors:
        say("nothing failed in this time")
    else:
        draw_charts(
            observed,
            (("failed", lambda point: point.errors, lambda most: short(int(most))),),
            columns=columns(),
        )
    for source, words in _SOURCES:
        rows = [row for row in observed.errors if row.source == source]
        if rows:
            click.echo(f"\n{words}")
            print_table(
                ("code", "count", "share", "model", "last"),
                [
                    (
                        row.code,
                        f"{row.count:,}",
                        percent(row.count, totals[source]),
                        ":".join(each for each in (row.provider, row.model) if each) or "–",
                        when(row.last_at),
                    )
                    for row in rows
                ],
                folding=("model", "code"),
            )
    if observed.anomalies:
        click.echo("\nanomalies, the latest first")
        print_table(
            ("when", "what", "measure", "value", "usual"),
            [_anomaly(anomaly) for anomaly in observed.anomalies],
            folding=("what", "measure"),
        )


def _anomaly(anomaly: "SeenAnomaly") -> tuple[str, ...]:
    return (
        when(anomaly.at),
        f"{anomaly.dimension} {anomaly.name}",
        anomaly.measure,
        f"{anomaly.value:,.6g}",
        f"{anomaly.usual:,.6g}",
    )
