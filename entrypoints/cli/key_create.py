"""`lor3 key create`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.on_keys import lifetime_from, on_keys, print_created
from entrypoints.cli.options import common
from entrypoints.cli.output import say, warn

if TYPE_CHECKING:
    from application.services.key_making import CreatedKey
    from domain.access import ApiKey, Scope
    from domain.catalogue import Catalogue
    from domain.limits.budget import Budget
    from entrypoints.key_administration import KeyAdministration


@click.command(
    help="""Make a key, and print it: once, alone on stdout. Only its hash is stored.

Without --scopes it may do everything: chat, threads, feedback, usage, prompts and tokens (making short-lived tokens
for browsers). A budget is in US dollars for each day or month in UTC, or in total; beyond a soft one chats go on, and
are told of. What is left out is not limited.

\b
Examples:
  lor3 key create --name web --tenant acme --scopes chat,feedback --budget 50/day --rpm 600
  lor3 key create --name ci --models 'openai:gpt-5-mini,demo:*' --budget 5/month --expires 90d
  export LOR3_KEY=$(lor3 key create --name laptop)
"""
)
@click.option(
    "--name", required=True, metavar="NAME", help="What it is called; one key of a tenant has a name."
)
@click.option("--tenant", default="default", show_default=True, metavar="TENANT", help="Whose data it opens.")
@click.option("--scopes", metavar="LIST", help="What it may do, such as chat,feedback. [default: everything]")
@click.option(
    "--models",
    metavar="LIST",
    help="Which models it may ask: names, aliases, or patterns with *. [default: all]",
)
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="USD/PERIOD",
    help="Such as 50/day, 200/month or 500/total; may be given once for each period.",
)
@click.option(
    "--soft-budget",
    "soft_budgets",
    multiple=True,
    metavar="USD/PERIOD",
    help="As --budget, but only told of.",
)
@click.option("--rpm", type=click.IntRange(1, 1_000_000), metavar="N", help="Requests a minute.")
@click.option(
    "--tpm",
    type=click.IntRange(1, 1_000_000_000),
    metavar="N",
    help="Tokens a minute, of prompts and answers.",
)
@click.option("--concurrency", type=click.IntRange(1, 100_000), metavar="N", help="Chats at a time.")
@click.option("--expires", metavar="TIME", help="When it ends by itself, such as 90d. [default: never]")
@common
def create(
    name: str,
    tenant: str,
    scopes: str | None,
    models: str | None,
    budgets: tuple[str, ...],
    soft_budgets: tuple[str, ...],
    rpm: int | None,
    tpm: int | None,
    concurrency: int | None,
    expires: str | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    from application.use_cases.create_key import CreateKeyCommand
    from domain.access import SCOPES
    from domain.ids import Tenant
    from domain.limits.rate import RateLimits
    from entrypoints.cli.misuse import as_misuse

    with as_misuse():
        command = CreateKeyCommand(
            name=name,
            tenant=Tenant(tenant),
            scopes=SCOPES if scopes is None else scopes_from(scopes),
            models=() if models is None else models_from(models),
            limits=RateLimits(requests_per_minute=rpm, tokens_per_minute=tpm, concurrency=concurrency),
            budgets=budgets_from(budgets, soft_budgets),
            lifetime_s=lifetime_from(expires),
        )

    async def run(administration: "KeyAdministration") -> "tuple[CreatedKey, Catalogue]":
        return await administration.create_key.execute(command), administration.settings.catalogue

    created, catalogue = on_keys(config_path, run, creating=True)
    warn(doubts(created.key, catalogue))
    print_created(created, as_json=as_json)
    if not as_json:
        _tell(created.key)


def _tell(key: "ApiKey") -> None:
    from entrypoints.key_rendering import budgets_text, limits_text, scopes_text
    from entrypoints.prompt_rendering import time_text

    end = "" if key.expires_at is None else f"expires at {time_text(key.expires_at)}"
    told = "; ".join(text for text in (scopes_text(key), limits_text(key), budgets_text(key), end) if text)
    say(f"key `{key.name}` of tenant `{key.tenant}`: {told}")
    if sys.stdout.isatty():
        say("keep it now: it is not shown again. Send it as `Authorization: Bearer …`", dim=True)


def doubts(key: "ApiKey", catalogue: "Catalogue") -> list[str]:
    """What of a key can be, and is hardly what was meant."""
    from domain.limits.budget_text import soft_above_hard
    from domain.model_rights import ModelRights

    rights = ModelRights(catalogue)
    found = [
        f"`{text}` is no model of the providers that are configured here: it allows nothing until it is one"
        for text in key.models
        if not rights.means_something(text)
    ]
    return found + soft_above_hard(key.budgets)


def scopes_from(text: str) -> "frozenset[Scope]":
    """
    Raises:
        Misused: one of them is none.
    """
    from domain.access import SCOPES
    from entrypoints.cli.misuse import misused

    given = _listed(text)
    unknown = sorted(given - SCOPES)
    if unknown or not given:
        wrong = f"there is no scope `{unknown[0]}`" if unknown else "gives none"
        raise misused("--scopes", f"{wrong}; there are {', '.join(sorted(SCOPES))}")
    return SCOPES & given


def models_from(text: str) -> tuple[str, ...]:
    """
    Raises:
        Misused: none is named, or what is can't be a model.
    """
    from entrypoints.cli.misuse import misused

    given = sorted(_listed(text))
    if not given or not all(map(str.isprintable, given)):
        raise misused("--models", "must be names of models, such as openai:gpt-5-mini,claude:* (quote the *)")
    return tuple(given)


def budgets_from(hard: tuple[str, ...], soft: tuple[str, ...]) -> "tuple[Budget, ...]":
    """
    Raises:
        Misused: one can't be read.
    """
    return (
        *(_budget(text, "--budget", soft=False) for text in hard),
        *(_budget(text, "--soft-budget", soft=True) for text in soft),
    )


def _budget(text: str, option: str, *, soft: bool) -> "Budget":
    from domain.errors import InvalidRequest
    from domain.limits.budget_text import parse_budget
    from domain.suggestion import shown
    from entrypoints.cli.misuse import misused

    try:
        return parse_budget(text, soft=soft, path=option)
    except InvalidRequest as error:
        parts = text.split(",")
        if len(parts) > 1 and all("/" in part for part in parts):
            again = " ".join(f"{option} {part.strip()}" for part in parts)
            raise misused(option, f"takes one budget: write `{shown(again)}`") from error
        (fault,) = error.faults
        raise misused(option, f"`{shown(text)}` is no budget: it {fault.message}") from error


def _listed(text: str) -> set[str]:
    return {part.strip() for part in text.split(",") if part.strip()}
