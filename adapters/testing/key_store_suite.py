"""What every store must do with API keys; a part of `StoreSuite`."""

import asyncio
import datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from adapters.testing.chats_to_store import new_id
from adapters.testing.prompts_to_store import OTHER_TENANT, Stores
from domain.access import ApiKey
from domain.errors import Conflict, NotFound
from domain.ids import DEFAULT_TENANT
from domain.key_text import hash_of
from domain.limits.budget import Budget
from domain.limits.rate import RateLimits

_HOUR = datetime.timedelta(hours=1)


def a_key(name: str = "web", **changes: Any) -> ApiKey:
    key_id = new_id()
    key = ApiKey(
        id=key_id,
        tenant=DEFAULT_TENANT,
        name=name,
        hash=hash_of(key_id),
        created_at=datetime.datetime(2026, 11, 1, 12, 30, 15, 123456, tzinfo=datetime.UTC),
    )
    return attrs.evolve(key, **changes)


def _same(key: ApiKey | None) -> ApiKey:
    """A key is its own account, whether that is written out or not."""
    assert key is not None
    return attrs.evolve(key, account=key.account_id)


class KeyStoreSuite:
    async def test_key_reads_back_as_it_was(self, stores: Stores) -> None:
        """Every field, on another replica, in looks, lists and by name and id; another tenant's name is not found."""
        store, other = stores
        key = a_key(
            "Wéb-1",
            public_key="AbC_-",
            hint="lor3_sk_AbCd…wxyz",
            scopes=frozenset(("chat", "feedback")),
            models=("openai:*", "claude:opus"),
            limits=RateLimits(requests_per_minute=600, tokens_per_minute=200_000, concurrency=8),
            budgets=(
                Budget(limit_usd=Decimal("50"), period="day"),
                Budget(limit_usd=Decimal("0.000001"), period="total", soft=True),
            ),
            expires_at=datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC),
            replaces=new_id(),
            account=new_id(),
        )
        await store.keys.add(key)
        foreign = a_key("Wéb-1", tenant=OTHER_TENANT)
        await store.keys.add(foreign)

        assert key == await other.keys.find("Wéb-1", tenant=DEFAULT_TENANT)
        assert key == await other.keys.find(key.id.upper(), tenant=None)
        assert await other.keys.find(foreign.id, tenant=DEFAULT_TENANT) is None
        assert await other.keys.find("web", tenant=DEFAULT_TENANT) is None
        assert (key,) == await other.keys.list(tenant=DEFAULT_TENANT)
        everybody = await other.keys.list()
        assert sorted([key.id, foreign.id]) == sorted(each.id for each in everybody)
        changes = await other.keys.changes(None)
        assert changes.is_whole
        assert changes.any_exist
        assert {key.id: key, foreign.id: _same(foreign)} == {each.id: _same(each) for each in changes.keys}

    async def test_looks_tell_what_is_new(self, stores: Stores) -> None:
        """From none at all, over a first key, to one that another replica revokes."""
        store, other = stores
        first = await store.keys.changes(None)
        assert (first.keys, first.any_exist) == ((), False)
        key = a_key()
        await other.keys.add(key)
        second = await store.keys.changes(first.mark)
        assert [key.id] == [each.id for each in second.keys]
        assert second.any_exist
        over_at = await other.keys.revoke([key.id])
        third = await store.keys.changes(second.mark)

        assert [(key.id, over_at)] == [(each.id, each.revoked_at) for each in third.keys]
        assert first.now <= second.now <= third.now
        assert abs(third.now - await store.keys.now()) < datetime.timedelta(minutes=1)

    async def test_revocation_can_come_later_and_is_never_put_off(self, stores: Stores) -> None:
        """A key in its overlap is listed, has lost its name, and may still be revoked at once."""
        store, _ = stores
        key = a_key()
        await store.keys.add(key)
        before = await store.keys.now()
        later = await store.keys.revoke([key.id], after_s=3600)
        assert before + _HOUR <= later <= await store.keys.now() + _HOUR
        assert [later] == [each.revoked_at for each in await store.keys.list()]
        assert await store.keys.find("web", tenant=DEFAULT_TENANT) is None
        found = await store.keys.find(key.id, tenant=DEFAULT_TENANT)
        assert found is not None
        assert found.revoked_at == later
        now = await store.keys.revoke([key.id])
        await store.keys.revoke([key.id, new_id(), "no-id"], after_s=7200)

        assert await store.keys.list() == ()
        assert [now] == [each.revoked_at for each in await store.keys.list(with_revoked=True)]
        assert (await store.keys.changes(None)).any_exist

    async def test_name_is_one_keys_until_it_is_revoked(self, stores: Stores) -> None:
        """Of many who ask for it at once, one gets it."""
        store, other = stores
        keys = [a_key() for _ in range(6)]
        results = await asyncio.gather(
            *(stores[number % 2].keys.add(key) for number, key in enumerate(keys)), return_exceptions=True
        )
        assert [result for result in results if result is None] == [None]
        assert sum(isinstance(result, Conflict) for result in results) == 5
        (kept,) = await other.keys.list()
        await other.keys.revoke([kept.id])
        await store.keys.add(a_key())

        assert len(await store.keys.list()) == 1
        assert len(await store.keys.list(with_revoked=True)) == 2

    async def test_successor_takes_the_name_over(self, stores: Stores) -> None:
        """Both or neither: who is revoked, unknown or another tenant's has none."""
        store, _ = stores
        old = a_key()
        await store.keys.add(old)
        new = a_key(replaces=old.id, account=old.id)
        over_at = await store.keys.replace(old.id, new, after_s=3600)
        assert new == await store.keys.find("web", tenant=DEFAULT_TENANT)
        listed = {each.id: each.revoked_at for each in await store.keys.list()}
        assert {old.id: over_at, new.id: None} == listed
        with pytest.raises(Conflict):
            await store.keys.replace(old.id, a_key("other"))
        for key_id in (new_id(), "no-id"):
            with pytest.raises(NotFound):
                await store.keys.replace(key_id, a_key("other"))
        with pytest.raises(NotFound):
            await store.keys.replace(new.id, a_key(tenant=OTHER_TENANT))
        await store.keys.add(a_key("taken"))
        with pytest.raises(Conflict):
            await store.keys.replace(new.id, a_key("taken"))

        found = await store.keys.find("web", tenant=DEFAULT_TENANT)
        assert found is not None
        assert found.revoked_at is None
