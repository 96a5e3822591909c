"""Compare what a provider charged with what was recorded."""

import datetime
from collections.abc import Mapping

from application.ports.every_tenant import Books, EveryTenantFactory
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.tenants_of_time import tenants_of
from domain.errors import Fault, InvalidRequest
from domain.ids import Tenant
from domain.invoice import Charge, Invoice, Reconciliation, reconcile
from domain.usage_report import ProviderRow, SeriesPoint, UsageQuery
from domain.values import frozen

_DAY = datetime.timedelta(days=1)


@frozen(kw_only=True)
class ReconcileInvoiceCommand:
    invoice: Invoice
    tenant: Tenant | None = None
    """None is all of them, as an invoice is of all."""
    since: datetime.datetime | None = None
    """Its day (UTC) is the first; None is the invoice's first."""
    until: datetime.datetime | None = None
    """Exclusive; a day that it lies in counts whole. None is the end of the invoice's last."""


@frozen(kw_only=True)
class InvoiceReconciled:
    since: datetime.date
    until: datetime.date
    """Exclusive."""
    found: Reconciliation
    unpriced: int
    """Calls in that time whose cost lor3 does not know, so that it is not in the sums."""
    left_out: tuple[Tenant, ...] = ()
    """Other tenants with chats in that time."""


@frozen(kw_only=True)
class ReconcileInvoice:
    """By the calls that were made, each try and each thread's summary counted: that is what providers charge for."""

    _unit_of_work: UnitOfWorkFactory
    _every_tenant: EveryTenantFactory
    _kinds: Mapping[str, str]
    """Each configured provider's kind."""

    async def execute(self, command: ReconcileInvoiceCommand) -> InvoiceReconciled:
        """
        Raises:
            InvalidRequest: the time ends before it begins (at `from`), or the invoice holds nothing of it.
            StorageUnavailable: the database is away.
        """
        invoice = command.invoice
        days = [charge.day for charge in invoice.charges]
        since = min(days) if command.since is None else command.since.astimezone(datetime.UTC).date()
        until = max(days) + _DAY if command.until is None else _behind(command.until)
        if since >= until:
            raise InvalidRequest.of(Fault(path="from", message="must be earlier than `to`"))
        charged = [charge for charge in invoice.charges if since <= charge.day < until]
        if not charged:
            raise InvalidRequest.of(
                Fault(path="from", message=f"the invoice is of {min(days)} to {max(days)}, none of that time")
            )
        query = UsageQuery(since=_midnight(since), until=_midnight(until), group_by="model")
        left_out: tuple[Tenant, ...] = ()
        if command.tenant is None:
            async with self._every_tenant() as books:
                points, rows = await _calls(books, query)
        else:
            async with self._unit_of_work(command.tenant) as work:
                points, rows = await _calls(work, query)
            found = await tenants_of(query, self._every_tenant)
            left_out = tuple([each for each in found if each != command.tenant])
        recorded = []
        for point in points:
            provider, _, model = (point.group or "").partition(":")
            if self._is_of(provider, invoice.vendor):
                recorded.append(
                    Charge(
                        day=point.start.astimezone(datetime.UTC).date(),
                        model=model,
                        cost_usd=point.cost_usd,
                        tokens=point.tokens,
                    )
                )
        # A call that failed took nothing, and the provider's list does not show it either.
        return InvoiceReconciled(
            since=since,
            until=until,
            found=reconcile(charged, [each for each in recorded if each.cost_usd or each.tokens]),
            unpriced=sum(row.unpriced for row in rows if self._is_of(row.provider, invoice.vendor)),
            left_out=left_out,
        )

    def _is_of(self, provider: str, vendor: str) -> bool:
        return vendor in (provider, self._kinds.get(provider))


async def _calls(books: Books, query: UsageQuery) -> tuple[tuple[SeriesPoint, ...], tuple[ProviderRow, ...]]:
    # The rows are told by model in any case.
    return await books.usage.series(query, every="day", of="attempts"), await books.usage.providers(query)


def _midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC)


def _behind(moment: datetime.datetime) -> datetime.date:
    moment = moment.astimezone(datetime.UTC)
    return moment.date() if moment == _midnight(moment.date()) else moment.date() + _DAY
