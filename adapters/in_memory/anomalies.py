"""Anomalies that were seen, in this process."""

import datetime
from collections.abc import Sequence

from adapters.in_memory.tenant_view import TenantView
from domain.anomaly_record import KEPT_DAYS, SeenAnomaly
from domain.values import frozen


@frozen
class InMemoryAnomalies:
    _view: TenantView

    async def add(self, anomalies: Sequence[SeenAnomaly]) -> None:
        self._view.shelves.demand()
        if not anomalies:
            return
        shelf = self._view.anomalies
        for each in anomalies:
            shelf.put(each.id, each)
        kept_since = max(each.at for each in anomalies) - datetime.timedelta(days=KEPT_DAYS)
        for each in [found for found in shelf.values() if found.at < kept_since]:
            shelf.remove(each.id)

    async def list(
        self, *, since: datetime.datetime, until: datetime.datetime, limit: int
    ) -> tuple[SeenAnomaly, ...]:
        self._view.shelves.demand()
        found = [each for each in self._view.anomalies.values() if since <= each.at < until]
        return tuple(sorted(found, key=lambda each: (each.at, each.id), reverse=True)[:limit])
