"""An invoice beside the calls that the store knows."""

import datetime
from decimal import Decimal

import attrs
import pytest

from adapters.in_memory.store import InMemoryStore
from adapters.testing.usage_suite import chat_at
from application.use_cases.reconcile_invoice import ReconcileInvoice, ReconcileInvoiceCommand
from domain.attempt import Attempt
from domain.errors import InvalidRequest
from domain.invoice import Charge, Invoice
from domain.model import ModelRef
from domain.usage import Usage

DAY = datetime.date(2026, 11, 10)
NOON = datetime.datetime(2026, 11, 10, 12, tzinfo=datetime.UTC)
GPT = ModelRef("eu", "gpt-4o")
CLAUDE = ModelRef("anthropic", "claude-opus-5-5")


async def _reconcile(*calls: tuple[datetime.datetime, ModelRef, str | None]) -> ReconcileInvoice:
    store = InMemoryStore()
    for at, model, cost in calls:
        attempt = Attempt(
            model=model,
            outcome="ok",
            started_at=at,
            usage=Usage(input_tokens=10, output_tokens=5),
            cost_usd=None if cost is None else Decimal(cost),
        )
        await store.journal.commit(attrs.evolve(chat_at(at, model=model), attempts=(attempt,)))
    return ReconcileInvoice(
        unit_of_work=store.unit_of_work,
        every_tenant=store.every_tenant,
        kinds={"eu": "openai", "other": "demo"},
    )


def _invoice(*charges: tuple[datetime.date, str, str]) -> Invoice:
    return Invoice(
        vendor="openai",
        layout="OpenAI costs",
        charges=tuple(Charge(day=day, model=model, cost_usd=Decimal(cost)) for day, model, cost in charges),
    )


async def test_calls_of_the_vendor_are_compared_by_day() -> None:
    """Under whichever name it is configured; other vendors' calls and other days are no part of it."""
    use_case = await _reconcile(
        (NOON, GPT, "0.5"),
        (NOON, GPT, "0.25"),
        (NOON, CLAUDE, "9"),
        (NOON - datetime.timedelta(days=1), GPT, "7"),
    )
    command = ReconcileInvoiceCommand(invoice=_invoice((DAY, "gpt-4o-2024-08-06", "0.7")))

    reconciled = await use_case.execute(command)

    (row,) = reconciled.found.rows
    assert (row.day, row.model, row.charged_usd) == (DAY, "gpt-4o", Decimal("0.7"))
    assert (row.recorded_usd, row.difference_usd) == (Decimal("0.75"), Decimal("0.05"))
    assert (reconciled.since, reconciled.until) == (DAY, DAY + datetime.timedelta(days=1))
    assert reconciled.unpriced == 0


async def test_calls_without_a_price_are_counted() -> None:
    """They are in no sum."""
    use_case = await _reconcile((NOON, GPT, None), (NOON, CLAUDE, None))

    reconciled = await use_case.execute(ReconcileInvoiceCommand(invoice=_invoice((DAY, "gpt-4o", "1"))))

    assert (reconciled.unpriced, reconciled.found.total.recorded_usd) == (1, Decimal(0))


async def test_a_span_leaves_out_what_is_not_in_it() -> None:
    """Of both sides; a day that it ends within counts whole."""
    later = DAY + datetime.timedelta(days=1)
    use_case = await _reconcile((NOON, GPT, "1"), (NOON + datetime.timedelta(days=1), GPT, "2"))
    invoice = _invoice((DAY, "gpt-4o", "1"), (later, "gpt-4o", "2"))

    first = await use_case.execute(ReconcileInvoiceCommand(invoice=invoice, until=NOON))
    second = await use_case.execute(
        ReconcileInvoiceCommand(invoice=invoice, since=NOON + datetime.timedelta(days=1))
    )

    assert [row.day for row in first.found.rows] == [DAY]
    assert [row.day for row in second.found.rows] == [later]
    with pytest.raises(InvalidRequest, match="none of that time"):
        await use_case.execute(
            ReconcileInvoiceCommand(
                invoice=invoice,
                since=NOON + datetime.timedelta(days=9),
                until=NOON + datetime.timedelta(days=10),
            )
        )
