"""Compare the sums that reports are made of with the messages that they are of."""

import datetime
from typing import Final

from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWorkFactory
from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT, Tenant
from domain.usage_report import UsageCheck, UsageQuery, hour_of
from domain.values import frozen

DEFAULT_SPAN: Final = datetime.timedelta(days=30)


@frozen(kw_only=True)
class VerifyUsageCommand:
    tenant: Tenant = DEFAULT_TENANT
    since: datetime.datetime | None = None
    """From the beginning of its hour; None is the day that was 30 days before `until`, from its beginning."""
    until: datetime.datetime | None = None
    """Exclusive; None, and whatever lies behind it, is the beginning of this hour, in which chats are still stored."""


@frozen(kw_only=True)
class UsageVerified:
    since: datetime.datetime
    until: datetime.datetime
    days: tuple[UsageCheck, ...]
    """All that have an answer, in their order."""


@frozen(kw_only=True)
class VerifyUsage:
    _unit_of_work: UnitOfWorkFactory
    _clock: Clock

    async def execute(self, command: VerifyUsageCommand) -> UsageVerified:
        """
        Raises:
            InvalidRequest: the time ends before it begins (at `from`).
            StorageUnavailable: the database is away, or there are more messages than can be read in half a minute.
        """
        until = hour_of(self._clock.now())
        if command.until is not None:
            until = min(until, command.until)
        since = command.since
        if since is None:
            since = hour_of(until - DEFAULT_SPAN).replace(hour=0)
        if since >= until:
            raise InvalidRequest.of(
                Fault(path="from", message="must be earlier than `to` and than the beginning of this hour")
            )
        query = UsageQuery(since=hour_of(since), until=until)
        async with self._unit_of_work(command.tenant) as work:
            days = await work.usage.check(query)
        return UsageVerified(since=query.since, until=until, days=days)
