"""`lor3 observe usage --verify`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoints.cli.conversation import when
from entrypoints.cli.misuse import misused
from entrypoints.cli.moments import moment_from
from entrypoints.cli.on_threads import reading_threads
from entrypoints.cli.options import tenant_from
from entrypoints.cli.output import print_json, print_table, say, warn

if TYPE_CHECKING:
    from application.use_cases.verify_usage import UsageVerified
    from domain.json_value import JSONValue
    from domain.usage_report import UsageCheck, UsageRow
    from entrypoints.reading import Reading


def print_verification(
    *,
    since: str | None,
    until: str | None,
    unfit: Mapping[str, bool],
    config_path: Path | None,
    as_json: bool,
) -> int:
    """1 where messages are in no report, else 0.

    Args:
        unfit: options that say nothing here, and whether they were given.

    Raises:
        LorError: as the other commands.
    """
    for option in unfit:
        if unfit[option]:
            raise misused(option, "does not go with --verify, which goes by day; leave it out")

    tenant = tenant_from()

    async def run(application: "Reading") -> "UsageVerified":
        from application.use_cases.verify_usage import VerifyUsageCommand

        now = application.clock.now()
        command = VerifyUsageCommand(
            tenant=tenant,
            since=None if since is None else moment_from(since, now=now, path="--since"),
            until=None if until is None else moment_from(until, now=now, path="--until"),
        )
        return await application.verify_usage.execute(command)

    verified = reading_threads(config_path, run)
    differing = [check for check in verified.days if not check.is_equal]
    lacking = [check for check in differing if check.is_lacking]
    if as_json:
        print_json(
            {
                "ok": not lacking,
                "from": verified.since.isoformat(),
                "to": verified.until.isoformat(),
                "days": len(verified.days),
                "items": [_told(check) for check in differing],
            }
        )
    else:
        say(f"from {when(verified.since)} to {when(verified.until)} UTC: {len(verified.days)} days", dim=True)
        print_table(
            ("day", "answers in sums", "stored", "tokens in sums", "stored", "cost in sums", "stored"),
            [_row(check) for check in differing],
        )
        if not verified.days:
            say(
                f"nothing was compared: no answer of the tenant `{tenant}` is from that time; this hour's are compared "
                "once it is over"
            )
        elif not differing:
            say("the sums say what the messages say")
    if lacking:
        warn(
            [
                f"on {len(lacking)} days answers are stored that no report counts: a lor3 from before revision 0008 "
                "has answered after the database was migrated"
            ]
        )
    if len(differing) > len(lacking):
        warn(
            [
                f"on {len(differing) - len(lacking)} days the sums hold as much as the messages, or more: these were "
                "pruned, purged or changed since"
            ]
        )
    return 1 if lacking else 0


def _told(check: "UsageCheck") -> "dict[str, JSONValue]":
    return {
        "day": check.day.isoformat(),
        "lacking": check.is_lacking,
        "summed": _figures(check.summed),
        "stored": _figures(check.stored),
    }


def _figures(row: "UsageRow") -> "dict[str, JSONValue]":
    from entrypoints.feedback_rendering import usage_row_json

    whole = usage_row_json(row)
    return {name: whole[name] for name in whole if name not in ("group", "name", "refused", "latency_ms")}


def _row(check: "UsageCheck") -> tuple[object, ...]:
    from entrypoints.rendering import money

    summed, stored = check.summed, check.stored
    return (
        check.day.isoformat(),
        summed.requests,
        stored.requests,
        summed.input_tokens + summed.output_tokens,
        stored.input_tokens + stored.output_tokens,
        money(summed.cost_usd),
        money(stored.cost_usd),
    )
