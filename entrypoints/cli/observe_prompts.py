"""`lor3 observe prompts`."""

from typing import TYPE_CHECKING, Final, Unpack, cast

import click

from entrypoints.cli.choices import one_of
from entrypoints.cli.observing import Asked, View, observing, percent, show

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Observation
    from domain.json_value import JSONValue
    from domain.usage_report import PromptRow, UsageGroup
    from entrypoints.cli.items import Item

_COLUMNS: Final = (
    "prompt", "label", "requests", "failed", "input_tokens", "output_tokens", "cost_usd", "unpriced", "p50_ms",
    "p95_ms", "p99_ms", "ratings", "rating", "rating_low", "rating_high",
)  # fmt: skip


@click.command(
    help="""Show how each version of a prompt does: requests, tokens, cost, errors, latency and ratings.

A version stands there once for each label that it was chosen by; --group-by prompt_version puts these together, and
--group-by prompt all versions. Behind a rating's mean stands the interval that holds the true one in 95 of 100 cases:
two versions differ where their intervals do. A pipe gets version, label, requests, errors, input and output tokens,
cost, answers without a known price, p50, p95 and p99 in ms, number of ratings, mean, and both ends of the interval;
--csv the same under a head line.

\b
Examples:
  lor3 observe prompts
  lor3 observe prompts --since 7d --json
  lor3 observe prompts --group-by prompt --csv
  lor3 observe prompts --watch
"""
)
@click.option("--group-by", metavar="GROUP", help="A line for each prompt or prompt_version.")
@observing
def prompts(group_by: str | None, **asked: Unpack[Asked]) -> None:
    group = None if group_by is None else one_of(group_by, ("prompt", "prompt_version"), path="--group-by")
    show(_VIEW, group_by=cast("UsageGroup | None", group), **asked)


def _items(observed: "Observation") -> "dict[str, JSONValue]":
    from entrypoints.observe_rendering import prompt_json

    return {"items": [prompt_json(row) for row in observed.prompts]}


def _empty(observed: "Observation") -> str | None:
    return None if observed.prompts else "no chat was answered in this time"


def _charts(_: "Observation") -> None:
    """None: versions are compared, and a chart is of all of them."""


def _draw(observed: "Observation") -> None:
    from entrypoints.cli.items import print_items

    heads = ("requests", "failed", "tokens in + out", "cost", "p50 / p95")
    print_items(heads, [_item(row) for row in observed.prompts])


def _item(row: "PromptRow") -> "Item":
    from entrypoints.cli.items import Item
    from entrypoints.cli.observe_figures import dollars, latency, rating, short

    figures = row.figures
    chosen = "" if row.prompt_label is None else f" @{row.prompt_label}"
    notes = []
    if figures.ratings.count:
        notes.append(f"rated {rating(figures.ratings)}")
    if figures.unpriced:
        notes.append(f"without a known price {figures.unpriced:,}")
    return Item(
        f"{row.prompt_version or 'no prompt'}{chosen}",
        (
            f"{figures.requests:,}",
            percent(figures.errors, figures.requests),
            f"{short(figures.input_tokens)} + {short(figures.output_tokens)}",
            "–" if figures.unpriced and not figures.cost_usd else dollars(figures.cost_usd),
            latency(figures.latency_p50_ms, figures.latency_p95_ms),
        ),
        tuple(notes),
    )


def _rows(observed: "Observation") -> list[tuple[object, ...]]:
    return [_plain(row) for row in observed.prompts]


def _plain(row: "PromptRow") -> tuple[object, ...]:
    from entrypoints.cli.observe_figures import plain_rating, whole_ms
    from entrypoints.rendering import money

    figures = row.figures
    return (
        row.prompt_version or "none",
        row.prompt_label or "none",
        figures.requests,
        figures.errors,
        figures.input_tokens,
        figures.output_tokens,
        money(figures.cost_usd),
        figures.unpriced,
        whole_ms(figures.latency_p50_ms),
        whole_ms(figures.latency_p95_ms),
        whole_ms(figures.latency_p99_ms),
        *plain_rating(figures.ratings),
    )


_VIEW: Final = View("prompts", _COLUMNS, _rows, _empty, _charts, _draw, _items)
