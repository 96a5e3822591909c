"""`lor3 observe errors`."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final, Unpack, cast

import click

from entrypoints.cli.choices import one_of
from entrypoints.cli.conversation import when
from entrypoints.cli.observing import Asked, View, observing, percent, show
from entrypoints.cli.output import print_table

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Observation
    from domain.anomaly_record import SeenAnomaly
    from domain.json_value import JSONValue
    from domain.usage_report import ErrorGroup, ErrorRow, ErrorSource

_SOURCES: "tuple[tuple[ErrorSource, str], ...]" = (
    ("chat", "chats that failed"),
    ("attempt", "calls to providers that failed; another one may have answered"),
    ("refusal", "requests that were turned away"),
)
_COLUMNS: Final = (
    "kind", "code", "provider", "model", "prompt_version", "key", "count", "share", "last_at", "value", "usual",
    "key_name",
)  # fmt: skip
_MEASURES: Final = {
    "tokens": "tokens of an answer",
    "cost_usd": "cost of an answer",
    "tokens_per_minute": "tokens a minute",
    "cost_usd_per_minute": "cost a minute",
}


@click.command(
    help="""Show what failed, how often and when last, and what was unusual.

`chat` is an answer that failed, `attempt` a call to a provider that did, though another one may have answered, and
`refusal` a request that lor3 turned away. Shares are of all of the same kind. Groups are code, model and key. Below
stand the latest anomalies: models, prompt versions and keys whose tokens or cost left what is usual for them. A pipe
gets kind, code, provider, model, prompt version, key, count, share, time of the last one, value and what is usual, and
the key's name; of an anomaly (kind `anomaly`) the code is what was measured. --csv is the same under a head line.

\b
Examples:
  lor3 observe errors
  lor3 observe errors --since 7d --json
  lor3 observe errors --group-by key
  lor3 observe errors --watch
"""
)
@click.option("--group-by", metavar="GROUP", help="A line for each code, model or key.")
@observing
def errors(group_by: str | None, **asked: Unpack[Asked]) -> None:
    from domain.usage_report import ERROR_GROUPS

    group = None if group_by is None else one_of(group_by, ERROR_GROUPS, path="--group-by")
    show(_VIEW, group_by=cast("ErrorGroup | None", group), **asked)


def _items(observed: "Observation") -> "dict[str, JSONValue]":
    from entrypoints.observe_rendering import anomaly_json, error_json

    totals = _totals(observed)
    return {
        "items": [error_json(row, totals[row.source]) for row in observed.errors],
        "anomalies": [anomaly_json(anomaly, observed.key_names) for anomaly in observed.anomalies],
    }


def _totals(observed: "Observation") -> "dict[ErrorSource, int]":
    return {
        source: sum(row.count for row in observed.errors if row.source == source) for source, _ in _SOURCES
    }


def _rows(observed: "Observation") -> list[tuple[object, ...]]:
    from entrypoints.observe_rendering import rate

    totals = _totals(observed)
    rows: list[tuple[object, ...]] = [
        (
            row.source, row.code or "all", row.provider, row.model, None, row.key, row.count,
            rate(row.count, totals[row.source]), row.last_at.isoformat(timespec="seconds"), None, None, row.key_name,
        )
        for row in observed.errors
    ]  # fmt: skip
    for each in observed.anomalies:
        provider, _, model = each.name.partition(":") if each.dimension == "model" else ("", "", "")
        version = each.name if each.dimension == "prompt_version" else None
        key = each.name if each.dimension == "key" else None
        at = each.at.isoformat(timespec="seconds")
        name = None if key is None else observed.key_names.get(key)
        value, usual = (_number(number, each.measure) for number in (each.value, each.usual))
        rows.append(
            ("anomaly", each.measure, provider, model, version, key, None, None, at, value, usual, name)
        )
    return rows


def _empty(observed: "Observation") -> str | None:
    return None if observed.errors or observed.anomalies else "nothing failed in this time"


def _charts(observed: "Observation") -> None:
    from entrypoints.cli.charts import draw_charts
    from entrypoints.cli.observe_figures import columns, short

    if observed.errors:
        draw_charts(
            observed,
            (("failed", lambda point: point.errors, lambda most: short(int(most))),),
            columns=columns(),
        )


def _draw(observed: "Observation") -> None:
    totals = _totals(observed)
    for source, words in _SOURCES:
        rows = [row for row in observed.errors if row.source == source]
        if rows:
            click.echo(f"\n{words}")
            _draw_rows(rows, totals[source])
    if observed.anomalies:
        click.echo("\nanomalies, the latest first")
        print_table(
            ("when", "what", "measure", "value", "usual"),
            [_anomaly(anomaly, observed) for anomaly in observed.anomalies],
            folding=("measure", "what"),
        )


def _draw_rows(rows: "list[ErrorRow]", total: int) -> None:
    """Without the columns that are empty in all of them."""
    of = {
        "code": [row.code for row in rows],
        "model": [":".join(each for each in (row.provider, row.model) if each) for row in rows],
        "key": [row.key_name or row.key or "" for row in rows],
    }
    named = [name for name, cells in of.items() if any(cells)]
    print_table(
        ("count", "share", *named, "last"),
        [
            (
                f"{row.count:,}",
                percent(row.count, total),
                *[of[name][at] or "–" for name in named],
                when(row.last_at),
            )
            for at, row in enumerate(rows)
        ],
        folding=[name for name in ("model", "key", "code") if name in named],
    )


def _anomaly(anomaly: "SeenAnomaly", observed: "Observation") -> tuple[str, ...]:
    name = observed.key_names.get(anomaly.name, anomaly.name)
    return (
        when(anomaly.at),
        f"{anomaly.dimension.replace('_version', '')} {name}",
        _MEASURES.get(anomaly.measure, anomaly.measure),
        _figure(anomaly.value, anomaly.measure),
        _figure(anomaly.usual, anomaly.measure),
    )


def _figure(number: float, measure: str) -> str:
    """`$0.0056`, `12k`."""
    from entrypoints.cli.observe_figures import short

    if measure.startswith("cost_usd"):
        return f"${number:,.2f}" if number >= 1 else f"${_digits(number)}"
    return short(round(number))


def _number(number: float, measure: str) -> str:
    return _digits(number) if measure.startswith("cost_usd") else f"{number:.0f}"


def _digits(number: float) -> str:
    """To four digits that tell something, never as `1e-05`: it was reckoned from fractions of binary numbers."""
    from entrypoints.rendering import money

    return money(Decimal(f"{number:.4g}" if abs(number) < 1 else f"{number:.4f}")) or "0"


_VIEW: Final = View("errors", _COLUMNS, _rows, _empty, _charts, _draw, _items)
