"""See how prompts, providers and errors did over a time."""

import datetime
from typing import Final, Literal, TypeAlias

import attrs

from application.ports.clock import Clock
from application.ports.key_store import KeyStore
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.key_names import with_key_names
from domain.anomaly_record import SeenAnomaly
from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT, Tenant
from domain.usage_report import (
    ErrorRow,
    Grain,
    PromptRow,
    ProviderRow,
    SeriesPoint,
    UsageGroup,
    UsageQuery,
    UsageRow,
)

Aspect: TypeAlias = Literal["usage", "prompts", "providers", "errors"]
DEFAULT_SPAN: Final = datetime.timedelta(hours=24)
BY_DAY_FROM: Final = datetime.timedelta(days=4)
"""Spans of that length and more are drawn by day, shorter ones by hour."""
MAX_ANOMALIES: Final = 20


@attrs.frozen(kw_only=True)
class ObserveChatsCommand:
    aspect: Aspect
    tenant: Tenant = DEFAULT_TENANT
    since: datetime.datetime | None = None
    """None is 24 hours before `until`."""
    until: datetime.datetime | None = None
    """Exclusive; None is now."""
    group_by: UsageGroup | None = None
    """Of `usage` alone."""


@attrs.frozen(kw_only=True)
class Observation:
    """Rows of the aspect that was asked for; those of the others are empty."""

    query: UsageQuery
    every: Grain
    series: tuple[SeriesPoint, ...]
    """Of everything together; of calls to providers where these or errors are observed, else of answers."""
    usage: tuple[UsageRow, ...] = ()
    prompts: tuple[PromptRow, ...] = ()
    providers: tuple[ProviderRow, ...] = ()
    """With `usage` too: what it took to get the answers."""
    errors: tuple[ErrorRow, ...] = ()
    anomalies: tuple[SeenAnomaly, ...] = ()
    """With `errors`; the newest first, at most `MAX_ANOMALIES`."""


@attrs.frozen(kw_only=True)
class ObserveChats:
    _unit_of_work: UnitOfWorkFactory
    _clock: Clock
    _keys: KeyStore | None = None
    """Knows what keys are called."""

    async def execute(self, command: ObserveChatsCommand) -> Observation:
        """All of it of one moment, in one transaction.

        Raises:
            InvalidRequest: the time ends before it begins (at `from`).
            StorageUnavailable: the database is away, or the report takes longer than it may.
        """
        now = self._clock.now()
        until = now if command.until is None else command.until
        since = _before(until) if command.since is None else command.since
        if since >= until:
            raise InvalidRequest.of(
                Fault(path="from", message="must be earlier than `to`, which is now where it is left out")
            )
        query = UsageQuery(since=since, until=until, group_by=command.group_by, is_open=command.until is None)
        every: Grain = "day" if until - since >= BY_DAY_FROM else "hour"
        async with self._unit_of_work(command.tenant) as work:
            observed = await _read(work, query, every, command.aspect)
        if command.group_by == "key" and self._keys is not None:
            rows = await with_key_names(observed.usage, command.tenant, self._keys)
            observed = attrs.evolve(observed, usage=rows)
        return observed


async def _read(work: UnitOfWork, query: UsageQuery, every: Grain, aspect: Aspect) -> Observation:
    read = work.usage
    return Observation(
        query=query,
        every=every,
        series=await read.series(
            attrs.evolve(query, group_by=None),
            every=every,
            of="attempts" if aspect in ("providers", "errors") else "answers",
        ),
        usage=await read.report(query) if aspect == "usage" else (),
        prompts=await read.prompts(query) if aspect == "prompts" else (),
        providers=await read.providers(query) if aspect in ("usage", "providers") else (),
        errors=await read.errors(query) if aspect == "errors" else (),
        anomalies=await work.anomalies.list(since=query.since, until=query.until, limit=MAX_ANOMALIES)
        if aspect == "errors"
        else (),
    )


def _before(until: datetime.datetime) -> datetime.datetime:
    beginning = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    return until - DEFAULT_SPAN if until - beginning > DEFAULT_SPAN else beginning
