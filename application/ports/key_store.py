"""Where API keys are kept: of all tenants, since a key is what says which tenant it is."""

import datetime
from collections.abc import Sequence
from typing import Protocol

from domain.access import ApiKey
from domain.ids import Tenant
from domain.values import frozen


@frozen(kw_only=True)
class KeyChanges:
    """What is new since an earlier look."""

    keys: tuple[ApiKey, ...]
    """Made or changed, revoked ones included."""
    any_exist: bool
    """Whether there is, or ever was, a key of any tenant: from then on nobody gets in without."""
    mark: str
    """To be given to the next look; opaque."""
    now: datetime.datetime
    """The store's clock, when it looked."""
    is_whole: bool = False
    """True: these are all there are, so a key that is not among them is gone or long over."""


class KeyStore(Protocol):
    """Times are the store's own clock's. Everything here raises `StorageUnavailable` where the database is away.

    No secret comes here: a key is kept as its hash.
    """

    async def now(self) -> datetime.datetime: ...

    async def changes(self, since: str | None) -> KeyChanges:
        """Those made or changed after the look that gave `since`; None reads all that are not long over.

        A key that a slow transaction commits late is not missed: looks overlap, so the same key may come twice. A
        clock that was set back hides none. Where rows were removed by hand, all are read again.
        """

    async def add(self, key: ApiKey) -> None:
        """Keeps it as it is.

        Raises:
            Conflict: a key of the tenant that is not revoked has its name.
        """

    async def replace(self, key_id: str, successor: ApiKey, *, after_s: float = 0.0) -> datetime.datetime:
        """Adds `successor` and revokes the key, both or neither; from when on the old one lets nobody in.

        Raises:
            NotFound: there is no such key.
            Conflict: it is revoked, so it has a successor or is not to have one.
        """

    async def list(self, *, tenant: Tenant | None = None, with_revoked: bool = False) -> tuple[ApiKey, ...]:
        """By tenant, name and age; of all tenants where none is given. A key that is still to be revoked is not yet."""

    async def find(self, name: str, *, tenant: Tenant | None) -> ApiKey | None:
        """By its name, if it is not revoked; or by its id, of any tenant where none is given."""

    async def revoke(self, key_ids: Sequence[str], *, after_s: float = 0.0) -> datetime.datetime:
        """From when on they let nobody in: now, or so many seconds from now. Never later than it was before."""
