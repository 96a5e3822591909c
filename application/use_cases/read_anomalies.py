"""Read what left the usual."""

import datetime
from typing import Final

from application.ports.unit_of_work import UnitOfWorkFactory
from domain.anomaly_record import SeenAnomaly
from domain.errors import Fault, InvalidRequest
from domain.ids import Tenant
from domain.values import frozen

MAX_ANOMALIES: Final = 1000


@frozen(kw_only=True)
class ReadAnomaliesCommand:
    tenant: Tenant
    since: datetime.datetime
    until: datetime.datetime
    limit: int = 100


@frozen(kw_only=True)
class ReadAnomalies:
    """Those of one tenant that were seen in a time."""

    _unit_of_work: UnitOfWorkFactory

    async def execute(self, command: ReadAnomaliesCommand) -> tuple[SeenAnomaly, ...]:
        """Newest first.

        Raises:
            InvalidRequest: `limit` is out of its range.
            StorageUnavailable: the database is away.
        """
        if not 1 <= command.limit <= MAX_ANOMALIES:
            raise InvalidRequest.of(Fault(path="limit", message=f"must be from 1 to {MAX_ANOMALIES}"))
        async with self._unit_of_work(command.tenant) as work:
            return await work.anomalies.list(since=command.since, until=command.until, limit=command.limit)
