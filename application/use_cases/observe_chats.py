"""See how prompts, providers and errors did over a time."""

import datetime
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import attrs

from application.ports.clock import Clock
from application.ports.every_tenant import Books, EveryTenantFactory
from application.ports.key_store import KeyStore
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.key_names import key_names
from application.services.tenants_of_time import tenants_of
from domain.anomaly_record import SeenAnomaly
from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT, Tenant
from domain.usage_report import (
    ErrorGroup,
    ErrorRow,
    Grain,
    PromptRow,
    ProviderRow,
    SeriesPoint,
    UsageGroup,
    UsageQuery,
    UsageRow,
    grouped_errors,
)
from domain.values import frozen

Aspect: TypeAlias = Literal["usage", "prompts", "providers", "errors"]
DEFAULT_SPAN: Final = datetime.timedelta(hours=24)
BY_DAY_FROM: Final = datetime.timedelta(days=4)
"""Spans of that length and more are drawn by day, shorter ones by hour."""
MAX_ANOMALIES: Final = 20
_EARLIEST: Final = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
"""Before lor3 was."""


@frozen(kw_only=True)
class ObserveChatsCommand:
    aspect: Aspect
    tenant: Tenant | None = DEFAULT_TENANT
    """None is all of them together, for whoever runs lor3."""
    since: datetime.datetime | None = None
    """None is 24 hours before `until`."""
    until: datetime.datetime | None = None
    """Exclusive; None is now."""
    group_by: UsageGroup | ErrorGroup | None = None
    """Of `prompts` it is `prompt` or `prompt_version`, of `providers` `provider` or `model`, of `errors` an
    `ErrorGroup`, of `usage` any other one."""
    tells_others: bool = False
    """Whether to look which other tenants have chats in that time, and where there is nothing, whether there is such
    a tenant."""


@frozen(kw_only=True)
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
    group_by: UsageGroup | ErrorGroup | None = None
    left_out: tuple[Tenant, ...] = ()
    """Other tenants with chats in that time, where they were looked for."""
    is_tenant_unknown: bool = False
    """That neither keys nor chats know the tenant, where that was looked for."""
    key_names: Mapping[str, str] = attrs.field(factory=dict)
    """By account, of those that rows and anomalies may name."""


@frozen(kw_only=True)
class ObserveChats:
    _unit_of_work: UnitOfWorkFactory
    _clock: Clock
    _keys: KeyStore | None = None
    """Knows what keys are called."""
    _every_tenant: EveryTenantFactory | None = None
    """Without it no tenant but one can be asked for."""

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
        group_by = None if command.group_by == "code" else command.group_by
        query = UsageQuery(since=since, until=until, group_by=group_by, is_open=command.until is None)
        every: Grain = "day" if until - since >= BY_DAY_FROM else "hour"
        if command.tenant is not None:
            async with self._unit_of_work(command.tenant) as work:
                observed = await _read(work, query, every, command)
        elif self._every_tenant is not None:
            async with self._every_tenant() as books:
                observed = await _read(books, query, every, command)
        else:
            raise InvalidRequest.of(Fault(path="tenant", message="must be one here"))
        if command.tells_others and command.tenant is not None and self._every_tenant is not None:
            observed = await self._with_others(observed, command.tenant, self._every_tenant)
        return await self._with_names(observed, command)

    async def _with_names(self, observed: Observation, command: ObserveChatsCommand) -> Observation:
        is_of_keys = command.group_by == "key" or any(row.key is not None for row in observed.errors)
        is_of_keys = is_of_keys or any(each.dimension == "key" for each in observed.anomalies)
        if self._keys is None or not is_of_keys:
            return observed
        names = await key_names(command.tenant, self._keys)
        usage = observed.usage
        if command.group_by == "key":
            usage = tuple([attrs.evolve(row, name=names.get(row.group or "")) for row in usage])
        errors = tuple([attrs.evolve(row, key_name=names.get(row.key or "")) for row in observed.errors])
        return attrs.evolve(observed, usage=usage, errors=errors, key_names=names)

    async def _with_others(
        self, observed: Observation, tenant: Tenant, every_tenant: EveryTenantFactory
    ) -> Observation:
        found = await tenants_of(observed.query, every_tenant)
        others = tuple([each for each in found if each != tenant])
        is_unknown = False
        if tenant not in found and not observed.errors and not any(row.refused for row in observed.usage):
            whole = UsageQuery(since=_EARLIEST, until=self._clock.now(), is_open=True)
            async with self._unit_of_work(tenant) as work:
                ever = await work.usage.report(whole)
            is_used = any(row.requests or row.refused for row in ever)
            keys = () if self._keys is None else await self._keys.list(tenant=tenant, with_revoked=True)
            is_unknown = not (is_used or keys)
        return attrs.evolve(observed, left_out=others, is_tenant_unknown=is_unknown)


async def _read(work: Books, query: UsageQuery, every: Grain, command: ObserveChatsCommand) -> Observation:
    read, aspect, group_by = work.usage, command.aspect, command.group_by
    errors = await read.errors(query) if aspect == "errors" else ()
    return Observation(
        query=query,
        group_by=group_by,
        every=every,
        series=await read.series(
            attrs.evolve(query, group_by=None),
            every=every,
            of="attempts" if aspect in ("providers", "errors") else "answers",
        ),
        usage=await read.report(query) if aspect == "usage" else (),
        prompts=await read.prompts(query) if aspect == "prompts" else (),
        providers=await read.providers(query) if aspect in ("usage", "providers") else (),
        errors=grouped_errors(errors, group_by) if group_by in ("code", "model", "key") else errors,
        anomalies=await work.anomalies.list(since=query.since, until=query.until, limit=MAX_ANOMALIES)
        if aspect == "errors"
        else (),
    )


def _before(until: datetime.datetime) -> datetime.datetime:
    beginning = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    return until - DEFAULT_SPAN if until - beginning > DEFAULT_SPAN else beginning
