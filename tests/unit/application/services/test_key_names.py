"""What reports call keys."""

import datetime

from adapters.in_memory.store import InMemoryStore
from application.services.key_names import key_names
from domain.access import ApiKey
from domain.ids import DEFAULT_TENANT, Tenant

NOW = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)


def _key(key_id: str, name: str, **fields: object) -> ApiKey:
    given = {"tenant": DEFAULT_TENANT, "hash": key_id, "hint": f"lor3_{key_id}", "created_at": NOW, **fields}
    return ApiKey(id=key_id, name=name, **given)  # type: ignore[arg-type]  # of a key


async def test_keys_of_one_name_are_told_apart() -> None:
    """By their hints, also those of two tenants; a key that was rotated is one."""
    store = InMemoryStore()
    await store.keys.add(_key("1", "web", revoked_at=NOW))
    await store.keys.add(_key("2", "web"))
    await store.keys.add(_key("3", "ci", revoked_at=NOW))
    await store.keys.add(_key("4", "ci", account="3"))
    await store.keys.add(_key("5", "ci", tenant=Tenant("acme")))

    assert await key_names(DEFAULT_TENANT, store.keys) == {
        "1": "web (lor3_1)",
        "2": "web (lor3_2)",
        "3": "ci",
    }
    assert (await key_names(None, store.keys))["5"] == "ci (lor3_5)"
