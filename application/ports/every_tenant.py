"""What was used by all tenants together, for whoever runs lor3."""

import datetime
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from application.ports.unit_of_work import UsageReader
from domain.anomaly_record import SeenAnomaly


class AnomalyReader(Protocol):
    async def list(
        self, *, since: datetime.datetime, until: datetime.datetime, limit: int
    ) -> tuple[SeenAnomaly, ...]:
        """As `AnomalyRepository.list`."""


class Books(Protocol):
    """The part of a unit of work that reports are made of, of every tenant; only to be read.

    No route of the HTTP API has it: its callers see what is of their tenant.
    """

    @property
    def usage(self) -> UsageReader:
        """Its `check` is not of all tenants."""

    @property
    def anomalies(self) -> AnomalyReader: ...


EveryTenantFactory: TypeAlias = Callable[[], AbstractAsyncContextManager[Books]]
"""Raises `StorageUnavailable` where the database is away, as do the readers."""
