"""Which tenants have chats in a time."""

import attrs

from application.ports.every_tenant import EveryTenantFactory
from domain.ids import Tenant
from domain.usage_report import UsageQuery


async def tenants_of(query: UsageQuery, every_tenant: EveryTenantFactory) -> tuple[Tenant, ...]:
    """By name; by the sums of answers, so whole hours count.

    Raises:
        StorageUnavailable: the database is away.
    """
    async with every_tenant() as books:
        points = await books.usage.series(attrs.evolve(query, group_by="tenant"), every="day")
    return tuple(
        sorted({Tenant(point.group) for point in points if point.group is not None and point.requests})
    )
