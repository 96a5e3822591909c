"""What keys are called, for reports that go by key."""

from collections import Counter
from collections.abc import Mapping

from application.ports.key_store import KeyStore
from domain.ids import Tenant


async def key_names(tenant: Tenant | None, keys: KeyStore) -> Mapping[str, str]:
    """By account; None is those of all tenants. A name that two accounts have has the key's hint behind it.

    A key keeps its account when it is rotated: the newest name is said, that of a key in use before others.

    Raises:
        StorageUnavailable: the database is away.
    """
    listed = await keys.list(tenant=tenant, with_revoked=True)
    named = {
        key.account_id: key
        for key in sorted(listed, key=lambda key: (key.revoked_at is None, key.created_at))
    }
    counts = Counter(key.name for key in named.values())
    return {
        account: key.name if counts[key.name] == 1 else f"{key.name} ({key.hint or key.id[-8:]})"
        for account, key in named.items()
    }
