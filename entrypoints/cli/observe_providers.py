"""`lor3 observe providers`."""

from typing import TYPE_CHECKING, Final, Unpack, cast

import click

from entrypoints.cli.choices import one_of
from entrypoints.cli.observing import Asked, View, observing, percent, show

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Observation
    from domain.json_value import JSONValue
    from domain.usage_report import ProviderRow, UsageGroup
    from entrypoints.cli.items import Item

_COLUMNS: Final = (
    "provider", "model", "calls", "failed", "skipped", "replaced", "input_tokens", "output_tokens", "cost_usd",
    "unpriced", "p50_ms", "p95_ms", "p99_ms", "outcomes",
)  # fmt: skip


@click.command(
    help="""Show the calls to each model: how many failed and how, how often another one had to step in, how long they
took.

Every try counts, retries too. `not asked` is how often a model was passed over without a call, and why; `replaced` how
often another one was asked in its place. Latencies are of the calls that went well. Groups are model and provider. A
pipe gets provider, model, calls, failed, skipped, replaced, input and output tokens, cost, calls without a known price,
p50, p95 and p99 in ms, and each outcome with its count; --csv the same under a head line.

\b
Examples:
  lor3 observe providers
  lor3 observe providers --since 1h --watch
  lor3 observe providers --group-by provider --csv
  lor3 observe providers --since 2026-11-01 --until 2026-12-01 --json
"""
)
@click.option("--group-by", metavar="GROUP", help="A line for each provider, not for each model.")
@observing
def providers(group_by: str | None, **asked: Unpack[Asked]) -> None:
    group = None if group_by is None else one_of(group_by, ("model", "provider"), path="--group-by")
    show(_VIEW, group_by=cast("UsageGroup | None", group), **asked)


def _items(observed: "Observation") -> "dict[str, JSONValue]":
    from entrypoints.observe_rendering import provider_json

    return {"items": [provider_json(row) for row in observed.providers]}


def _empty(observed: "Observation") -> str | None:
    return None if observed.providers else "no model was called in this time"


def _charts(observed: "Observation") -> None:
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


def _draw(observed: "Observation") -> None:
    from entrypoints.cli.items import print_items

    print_items(("calls", "failed", "p50 / p95", "p99", "cost"), [_item(row) for row in observed.providers])


def _item(row: "ProviderRow") -> "Item":
    from entrypoints.cli.items import Item
    from entrypoints.cli.observe_figures import dollars, latency
    from entrypoints.cli.outcome_words import outcome_words

    told = [f"{outcome_words(name)} {count:,}" for name, count in row.outcomes if name != "ok"]
    if row.failovers:
        told.append(f"replaced {row.failovers:,}")
    if row.unpriced:
        told.append(f"without a known price {row.unpriced:,}")
    return Item(
        f"{row.provider}:{row.model}" if row.model else row.provider,
        (
            f"{row.requests:,}",
            percent(row.errors, row.requests),
            latency(row.latency_p50_ms, row.latency_p95_ms),
            latency(row.latency_p99_ms),
            "–" if row.unpriced and not row.cost_usd else dollars(row.cost_usd),
        ),
        ("; ".join(told),) if told else (),
    )


def _rows(observed: "Observation") -> list[tuple[object, ...]]:
    return [_plain(row) for row in observed.providers]


def _plain(row: "ProviderRow") -> tuple[object, ...]:
    from entrypoints.cli.observe_figures import whole_ms
    from entrypoints.rendering import money

    return (
        row.provider,
        row.model or "all",
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


_VIEW: Final = View("providers", _COLUMNS, _rows, _empty, _charts, _draw, _items)
