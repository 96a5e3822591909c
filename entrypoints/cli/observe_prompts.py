"""`lor3 observe prompts`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.observing import observing, percent, show
from entrypoints.cli.output import print_table, say

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Observation
    from domain.json_value import JSONValue
    from domain.usage_report import PromptRow


@click.command(
    help="""Show how each version of a prompt does: requests, tokens, cost, errors, latency and ratings.

A version stands there once for each label that it was chosen by. Behind a rating's mean stands the interval that holds
the true one in 95 of 100 cases: two versions differ where their intervals do. A pipe gets version, label, requests,
errors, input and output tokens, cost, answers without a known price, p50, p95 and p99 in ms, number of ratings, mean,
and both ends of the interval.

\b
Examples:
  lor3 observe prompts
  lor3 observe prompts --since 7d --json
  lor3 observe prompts --watch
"""
)
@observing
def prompts(
    since: str, until: str | None, is_watching: bool, config_path: Path | None, as_json: bool
) -> None:
    show(
        "prompts",
        _draw,
        _told,
        since=since,
        until=until,
        config_path=config_path,
        as_json=as_json,
        is_watching=is_watching,
    )


def _told(observed: "Observation") -> "dict[str, JSONValue]":
    from entrypoints.observe_rendering import prompt_json

    return {"items": [prompt_json(row) for row in observed.prompts]}


def _draw(observed: "Observation") -> None:
    if not observed.prompts:
        say("no chat was answered in this time")
    elif sys.stdout.isatty():
        heads = ("prompt", "requests", "failed", "tokens in + out", "cost", "p50 / p95", "rating (95%)")
        print_table(
            heads,
            [_drawn(row) for row in observed.prompts],
            folding=("rating (95%)", "tokens in + out", "p50 / p95", "requests", "prompt"),
        )
    else:
        print_table((), [_plain(row) for row in observed.prompts])


def _drawn(row: "PromptRow") -> tuple[str, ...]:
    from entrypoints.cli.observe_figures import cost, latency, rating, short

    figures = row.figures
    chosen = "" if row.prompt_label is None else f"\n@{row.prompt_label}"
    return (
        f"{row.prompt_version or 'none'}{chosen}",
        f"{figures.requests:,}",
        percent(figures.errors, figures.requests),
        f"{short(figures.input_tokens)} + {short(figures.output_tokens)}",
        cost(figures.cost_usd, figures.unpriced),
        latency(figures.latency_p50_ms, figures.latency_p95_ms),
        rating(figures.ratings),
    )


def _plain(row: "PromptRow") -> tuple[object, ...]:
    from entrypoints.cli.observe_figures import plain_rating, whole_ms
    from entrypoints.rendering import money

    figures = row.figures
    return (
        row.prompt_version,
        row.prompt_label,
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
