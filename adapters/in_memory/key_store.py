"""API keys in this process."""

import datetime
from collections.abc import Sequence

import attrs

from adapters.in_memory.shelves import Shelves
from application.ports.key_store import KeyChanges
from domain.access import ApiKey
from domain.errors import Conflict, NotFound
from domain.ids import Tenant
from domain.values import frozen


@frozen(kw_only=True)
class InMemoryKeyStore:
    """Each look reads all keys: there are no transactions that could be late."""

    shelves: Shelves

    async def now(self) -> datetime.datetime:
        self.shelves.demand()
        return self.shelves.now()

    async def changes(self, since: str | None) -> KeyChanges:
        self.shelves.demand()
        keys = tuple(self.shelves.api_keys.values())
        return KeyChanges(keys=keys, any_exist=bool(keys), mark="", now=self.shelves.now(), is_whole=True)

    async def add(self, key: ApiKey) -> None:
        self.shelves.demand()
        self._demand_free(key)
        self.shelves.api_keys[key.id] = key

    async def replace(self, key_id: str, successor: ApiKey, *, after_s: float = 0.0) -> datetime.datetime:
        self.shelves.demand()
        old = self.shelves.api_keys.get(key_id.lower())
        if old is None or old.tenant != successor.tenant:
            raise NotFound("there is no such key; `lor3 key list` shows those there are")
        if old.revoked_at is not None:
            raise Conflict(f"the key `{old.name}` is revoked already: make a new one")
        self._demand_free(successor, but=old)
        over_at = self._revoke([old.id], after_s)
        self.shelves.api_keys[successor.id] = successor
        return over_at

    async def list(self, *, tenant: Tenant | None = None, with_revoked: bool = False) -> tuple[ApiKey, ...]:
        self.shelves.demand()
        now = self.shelves.now()
        found = [
            key
            for key in self.shelves.api_keys.values()
            if tenant in {None, key.tenant}
            and (with_revoked or key.revoked_at is None or key.revoked_at > now)
        ]
        return tuple(sorted(found, key=lambda key: (key.tenant, key.name, key.id)))

    async def find(self, name: str, *, tenant: Tenant | None) -> ApiKey | None:
        self.shelves.demand()
        for key in self.shelves.api_keys.values():
            is_meant = key.id == name.lower() or (key.name == name and key.revoked_at is None)
            if is_meant and tenant in {None, key.tenant}:
                return key
        return None

    async def revoke(self, key_ids: Sequence[str], *, after_s: float = 0.0) -> datetime.datetime:
        self.shelves.demand()
        return self._revoke(key_ids, after_s)

    def _revoke(self, key_ids: Sequence[str], after_s: float) -> datetime.datetime:
        over_at = self.shelves.now() + datetime.timedelta(seconds=after_s)
        for key_id in key_ids:
            key = self.shelves.api_keys.get(key_id.lower())
            if key is not None and (key.revoked_at is None or key.revoked_at > over_at):
                self.shelves.api_keys[key.id] = attrs.evolve(key, revoked_at=over_at)
        return over_at

    def _demand_free(self, key: ApiKey, *, but: ApiKey | None = None) -> None:
        for other in self.shelves.api_keys.values():
            if other is but:
                continue
            if (other.tenant, other.name) == (key.tenant, key.name) and other.revoked_at is None:
                raise Conflict(
                    f"there is a key `{key.name}` already: take another name, or rotate or revoke that one"
                )
