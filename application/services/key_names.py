"""What keys are called, for reports that go by key."""

import attrs

from application.ports.key_store import KeyStore
from domain.ids import Tenant
from domain.usage_report import UsageRow


async def with_key_names(rows: tuple[UsageRow, ...], tenant: Tenant, keys: KeyStore) -> tuple[UsageRow, ...]:
    """A key keeps its account when it is rotated: the newest name is said, that of a key in use before others.

    Raises:
        StorageUnavailable: the database is away.
    """
    listed = await keys.list(tenant=tenant, with_revoked=True)
    names = {
        key.account_id: key.name
        for key in sorted(listed, key=lambda key: (key.revoked_at is None, key.created_at))
    }
    return tuple([attrs.evolve(row, name=names.get(row.group or "")) for row in rows])
