"""What every store does with anomalies; part of `StoreSuite`."""

import datetime
from typing import Final

import attrs

from adapters.testing.chats_to_store import new_id
from adapters.testing.prompts_to_store import NOW, OTHER_TENANT, Stores
from application.ports.store import Store
from domain.anomaly_record import KEPT_DAYS, SeenAnomaly
from domain.ids import DEFAULT_TENANT, Tenant

SEEN: Final = SeenAnomaly(
    id=new_id(), at=NOW, dimension="model", name="openai:gpt-5", measure="tokens", value=50_000.0, usual=512.25,
    score=7.5, message_id=new_id(),
)  # fmt: skip
FOREVER: Final = datetime.timedelta(days=36_500)


async def add(store: Store, *anomalies: SeenAnomaly, tenant: Tenant = DEFAULT_TENANT) -> None:
    async with store.unit_of_work(tenant) as work:
        await work.anomalies.add(anomalies)
        await work.commit()


async def listed(
    store: Store,
    *,
    since: datetime.datetime = NOW - FOREVER,
    until: datetime.datetime = NOW + FOREVER,
    limit: int = 100,
    tenant: Tenant = DEFAULT_TENANT,
) -> tuple[SeenAnomaly, ...]:
    async with store.unit_of_work(tenant) as work:
        return await work.anomalies.list(since=since, until=until, limit=limit)


class AnomalySuite:
    async def test_anomalies_are_read_as_they_were_seen(self, stores: Stores) -> None:
        """Newest first, by time and then by id, each value whole; with an answer or without."""
        store, other = stores
        later = attrs.evolve(SEEN, id=new_id(), at=NOW + datetime.timedelta(seconds=1), message_id=None)
        same_time = attrs.evolve(SEEN, id=new_id(), dimension="key", name="k\u00e9y \U0001f642", value=1e-7)
        await add(store, SEEN, later)
        await add(store, same_time)
        await add(store)

        assert await listed(other) == (later, same_time, SEEN)
        assert await listed(other, limit=1) == (later,)

    async def test_anomalies_of_a_time_are_read(self, stores: Stores) -> None:
        """From its first moment up to its end."""
        store, _ = stores
        later = attrs.evolve(SEEN, id=new_id(), at=NOW + datetime.timedelta(hours=1))
        await add(store, SEEN, later)

        assert await listed(store, since=NOW, until=later.at) == (SEEN,)
        assert await listed(store, since=later.at) == (later,)

    async def test_anomalies_are_their_tenants(self, stores: Stores) -> None:
        """Another one sees none of them, and adding one of its own removes none."""
        store, _ = stores
        much_later = attrs.evolve(SEEN, id=new_id(), at=NOW + datetime.timedelta(days=KEPT_DAYS + 1))
        await add(store, SEEN)
        await add(store, much_later, tenant=OTHER_TENANT)

        assert await listed(store) == (SEEN,)
        assert await listed(store, tenant=OTHER_TENANT) == (much_later,)

    async def test_old_anomalies_go(self, stores: Stores) -> None:
        """When the next is added."""
        store, _ = stores
        much_later = attrs.evolve(SEEN, id=new_id(), at=NOW + datetime.timedelta(days=KEPT_DAYS, seconds=1))
        await add(store, SEEN)
        await add(store, much_later)

        assert await listed(store) == (much_later,)
