"""The time of a usage report."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.in_memory.clock import ManualClock
from adapters.in_memory.store import InMemoryStore
from adapters.testing.usage_suite import chat_at
from application.ports.unit_of_work import UnitOfWork
from application.use_cases.report_usage import ReportUsage, ReportUsageCommand
from domain.access import ApiKey
from domain.errors import InvalidRequest, Overloaded
from domain.ids import DEFAULT_TENANT, Tenant
from domain.usage_report import hour_of

DAY = datetime.timedelta(days=1)
CLOCK = ManualClock()


@pytest.fixture
def report() -> ReportUsage:
    return ReportUsage(unit_of_work=InMemoryStore().unit_of_work, clock=CLOCK)


async def test_last_thirty_days_where_nothing_is_said(report: ReportUsage) -> None:
    """From the beginning of an hour up to now; with an end alone, the thirty days before it."""
    found = await report.execute(ReportUsageCommand())
    earlier = await report.execute(ReportUsageCommand(until=CLOCK.now() - 100 * DAY))

    assert (hour_of(CLOCK.now() - 30 * DAY), CLOCK.now()) == (found.query.since, found.query.until)
    assert hour_of(earlier.query.until - 30 * DAY) == earlier.query.since
    assert (True, False) == (found.query.is_open, earlier.query.is_open)
    assert [0] == [row.requests for row in found.rows]


@pytest.mark.parametrize("span", [datetime.timedelta(0), -DAY])
async def test_time_that_ends_before_it_begins_is_refused(
    report: ReportUsage, span: datetime.timedelta
) -> None:
    """At `from`; so is a beginning in the future without an end."""
    now = CLOCK.now()
    for command in (
        ReportUsageCommand(since=now, until=now + span),
        ReportUsageCommand(since=now + DAY),
    ):
        with pytest.raises(InvalidRequest) as error:
            await report.execute(command)
        assert ["from"] == [fault.path for fault in error.value.faults]


async def test_beginning_of_time_is_a_time(report: ReportUsage) -> None:
    """There are no thirty days before it."""
    until = datetime.datetime(1, 1, 3, tzinfo=datetime.UTC)
    found = await report.execute(ReportUsageCommand(until=until))

    assert datetime.datetime.min.replace(tzinfo=datetime.UTC) == found.query.since


async def test_reports_are_made_one_at_a_time() -> None:
    """Who waits too long for the others is told so; the next one gets its turn."""
    store = InMemoryStore()
    entered, leave = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def slow(tenant: Tenant) -> AsyncIterator[UnitOfWork]:
        entered.set()
        await leave.wait()
        async with store.unit_of_work(tenant) as work:
            yield work

    report = ReportUsage(unit_of_work=slow, clock=CLOCK, max_wait_s=0.05)
    first = asyncio.ensure_future(report.execute(ReportUsageCommand()))
    await entered.wait()
    with pytest.raises(Overloaded, match="other reports"):
        await report.execute(ReportUsageCommand())
    leave.set()

    assert len((await first).rows) == 1
    assert len((await report.execute(ReportUsageCommand())).rows) == 1


async def test_keys_are_named() -> None:
    """A rotated key by its newest name; none where it is not known any more."""
    store = InMemoryStore()
    at = CLOCK.now()
    for number, (name, replaces) in enumerate((("web", ""), ("web-2", "key-0"))):
        await store.keys.add(
            ApiKey(
                id=f"key-{number}",
                tenant=DEFAULT_TENANT,
                name=name,
                hash=f"{number}",
                public_key="",
                hint="",
                account=replaces,
                created_at=at + number * DAY,
            )
        )
    for key_id in ("key-0", "gone"):
        await store.journal.commit(chat_at(at - DAY, key_id=key_id))
    report = ReportUsage(unit_of_work=store.unit_of_work, clock=CLOCK, keys=store.keys)
    found = await report.execute(ReportUsageCommand(group_by="key"))

    assert [("gone", None), ("key-0", "web-2")] == [(row.group, row.name) for row in found.rows]
