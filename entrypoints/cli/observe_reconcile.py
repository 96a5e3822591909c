"""`lor3 observe usage --reconcile`."""

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from entrypoints.cli.choices import one_of
from entrypoints.cli.misuse import misused
from entrypoints.cli.moments import moment_from
from entrypoints.cli.observing import (
    Asked,
    demand_fitting,
    demand_one_form,
    is_given,
    print_csv,
    say_left_out,
    whose,
)
from entrypoints.cli.on_threads import reading_threads
from entrypoints.cli.output import print_json, print_table, say, warn

if TYPE_CHECKING:
    from application.use_cases.reconcile_invoice import InvoiceReconciled
    from domain.ids import Tenant
    from domain.invoice import Comparison, Invoice
    from domain.json_value import JSONValue
    from entrypoints.reading import Reading

_COLUMNS: Final = (
    "day", "model", "invoice_usd", "lor3_usd", "difference_usd", "invoice_tokens", "lor3_tokens",
    "difference_tokens", "difference_percent", "only_in",
)  # fmt: skip
_MOST_BYTES: Final = 64 * 1024 * 1024


def print_reconciliation(
    path: Path | None,
    provider: str | None,
    *,
    since: str | None,
    unfit: Mapping[str, bool],
    asked: Asked,
) -> None:
    """Of all tenants, unless one was named.

    Args:
        since: where it was given.
        unfit: options that say nothing here, and whether they were given.

    Raises:
        LorError: the file can't be read or is none of those known, or as the other commands.
    """
    if path is None:
        raise misused("--provider", "says whose invoice it is; name that with --reconcile FILE")
    demand_fitting(unfit, "does not go with --reconcile, which goes by day and model; leave it out")
    demand_one_form(as_json=asked["as_json"], as_csv=asked["as_csv"], is_watching=False)
    tenant = whose(asked["is_of_all_tenants"] or not is_given("tenant"))
    until = asked["until"]
    invoice = _read(path, provider)

    async def run(application: "Reading") -> "InvoiceReconciled":
        from application.use_cases.reconcile_invoice import ReconcileInvoiceCommand

        now = application.clock.now()
        command = ReconcileInvoiceCommand(
            invoice=invoice,
            tenant=tenant,
            since=None if since is None else moment_from(since, now=now, path="--since"),
            until=None if until is None else moment_from(until, now=now, path="--until"),
        )
        return await application.reconcile_invoice.execute(command)

    reconciled = reading_threads(asked["config_path"], run)
    if reconciled.unpriced:
        warn([f"{reconciled.unpriced:,} calls have no known price; set `prices` in the configuration"])
    if tenant is not None and reconciled.left_out:
        say_left_out(reconciled.left_out, tenant)
    if asked["as_json"]:
        print_json(_told(invoice, reconciled, tenant))
        return
    of = "all tenants" if tenant is None else f"the tenant `{tenant}`"
    days = f"from {reconciled.since} to {reconciled.until} (exclusive), UTC"
    say(f"{invoice.layout}, {days}; {of}, providers of the kind {invoice.vendor}", dim=True)
    rows = [*reconciled.found.rows, reconciled.found.total]
    if asked["as_csv"]:
        print_csv(_COLUMNS, [_plain(row) for row in rows])
        return
    if not sys.stdout.isatty():
        print_table((), [_plain(row) for row in rows])
        return
    in_usd = reconciled.found.total.charged_usd is not None
    head = "USD" if in_usd else "tokens"
    print_table(
        ("day", "model", f"invoice, {head}", "lor3", "lor3 – invoice", "%", "only in"),
        [_drawn(row, in_usd=in_usd) for row in rows],
        folding=("model",),
    )


def _read(path: Path, provider: str | None) -> "Invoice":
    from domain.errors import Fault, InvalidRequest
    from domain.invoice import Vendor
    from domain.invoice_csv import read_invoice

    vendor = None if provider is None else one_of(provider, get_args(Vendor), path="--provider")
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise misused("--reconcile", f"{path} is larger than 64 MiB; export less time")
        return read_invoice(content.decode("utf-8-sig"), vendor=vendor)  # type: ignore[arg-type]  # one of them
    except OSError as error:
        raise misused("--reconcile", f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise misused(
            "--reconcile", f"{path} is no text in UTF-8; give the CSV as it was exported"
        ) from error
    except InvalidRequest as error:
        faults = [Fault(path="--reconcile", message=f"{path}: {fault.message}") for fault in error.faults]
        raise InvalidRequest.of(*faults) from error


def _told(
    invoice: "Invoice", reconciled: "InvoiceReconciled", tenant: "Tenant | None"
) -> "dict[str, JSONValue]":
    return {
        "provider": invoice.vendor,
        "export": invoice.layout,
        "tenant": tenant,
        "left_out": [*reconciled.left_out],
        "from": reconciled.since.isoformat(),
        "to": reconciled.until.isoformat(),
        "by_model": reconciled.found.by_model,
        "unpriced": reconciled.unpriced,
        "items": [_row_json(row) for row in reconciled.found.rows],
        "total": _row_json(reconciled.found.total),
    }


def _row_json(row: "Comparison") -> "dict[str, JSONValue]":
    from entrypoints.rendering import money

    return {
        "day": None if row.day is None else row.day.isoformat(),
        "model": row.model,
        "invoice_usd": money(row.charged_usd),
        "lor3_usd": money(row.recorded_usd),
        "difference_usd": money(row.difference_usd),
        "invoice_tokens": row.charged_tokens,
        "lor3_tokens": row.recorded_tokens,
        "difference_tokens": row.difference_tokens,
        "difference_percent": _share(row),
        "only_in": row.only,
    }


def _plain(row: "Comparison") -> tuple[object, ...]:
    from entrypoints.rendering import money

    return (
        "total" if row.day is None else row.day.isoformat(),
        row.model,
        money(row.charged_usd),
        money(row.recorded_usd),
        money(row.difference_usd),
        row.charged_tokens,
        row.recorded_tokens,
        row.difference_tokens,
        _share(row),
        row.only,
    )


def _drawn(row: "Comparison", *, in_usd: bool) -> tuple[str, ...]:
    numbers: tuple[Decimal | int | None, ...]
    if in_usd:
        numbers = (row.charged_usd, row.recorded_usd, row.difference_usd)
        told = ["–" if each is None else f"{each:,.4f}" for each in numbers]
    else:
        numbers = (row.charged_tokens, row.recorded_tokens, row.difference_tokens)
        told = ["–" if each is None else f"{each:,}" for each in numbers]
    share = _share(row)
    return (
        "total" if row.day is None else row.day.isoformat(),
        row.model or "",
        *told,
        "–" if share is None else f"{share:+.2f}",
        row.only or "",
    )


def _share(row: "Comparison") -> float | None:
    """The difference in percent of the invoice; None where that says nothing of it."""
    if row.difference_usd is not None:
        return round(float(100 * row.difference_usd / row.charged_usd), 4) if row.charged_usd else None
    if row.difference_tokens is not None and row.charged_tokens:
        return round(100 * row.difference_tokens / row.charged_tokens, 4)
    return None
