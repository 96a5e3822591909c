"""See what was used, and what people thought of it."""

import asyncio
import datetime
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.key_store import KeyStore
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.key_names import key_names
from application.services.turns import in_turn
from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT, Tenant
from domain.usage_report import UsageGroup, UsageQuery, UsageRow, hour_of
from domain.values import frozen

DEFAULT_SPAN: Final = datetime.timedelta(days=30)
MAX_WAIT_S: Final = 30.0
"""For the reports before this one."""
_REFUSAL: Final = "other reports are being made; try again shortly, or ask for less time"


@frozen(kw_only=True)
class ReportUsageCommand:
    tenant: Tenant = DEFAULT_TENANT
    since: datetime.datetime | None = None
    """None is the hour that was 30 days before `until`, from its beginning."""
    until: datetime.datetime | None = None
    """Exclusive; None is now."""
    group_by: UsageGroup | None = None


@frozen(kw_only=True)
class UsageReport:
    query: UsageQuery
    """What was asked for, its defaults filled in."""
    rows: tuple[UsageRow, ...]


@attrs.define(kw_only=True)
class ReportUsage:
    """Makes one report at a time: each holds a connection to the database, which chats need too, and one of all users
    of a year for seconds.
    """

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock
    _keys: KeyStore | None = None
    """Knows what keys are called."""
    _max_wait_s: float = MAX_WAIT_S
    _turn: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    async def execute(self, command: ReportUsageCommand) -> UsageReport:
        """
        Raises:
            InvalidRequest: the time ends before it begins (at `from`).
            Overloaded: other reports take too long.
            StorageUnavailable: the database is away, or the report takes longer than it may.
        """
        until = command.until if command.until is not None else self._clock.now()
        since = command.since if command.since is not None else _before(until)
        if since >= until:
            raise InvalidRequest.of(
                Fault(path="from", message="must be earlier than `to`, which is now where it is left out")
            )
        query = UsageQuery(since=since, until=until, group_by=command.group_by, is_open=command.until is None)
        turn = in_turn(self._turn, max_wait_s=self._max_wait_s, refusal=_REFUSAL)
        async with turn, self._unit_of_work(command.tenant) as work:
            rows = await work.usage.report(query)
        if command.group_by == "key" and self._keys is not None:
            names = await key_names(command.tenant, self._keys)
            rows = tuple([attrs.evolve(row, name=names.get(row.group or "")) for row in rows])
        return UsageReport(query=query, rows=rows)


def _before(until: datetime.datetime) -> datetime.datetime:
    beginning = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    return hour_of(until - DEFAULT_SPAN) if until - beginning > DEFAULT_SPAN else beginning
