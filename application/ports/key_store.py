"""Where API keys are kept: of all tenants, since a key is what says which tenant it is."""

import datetime
from collections.abc import Sequence
from typing import Protocol

import attrs

from domain.access import ApiKey
from domain.ids import Tenant


@attrs.frozen(kw_only=True)
class KeyChanges:
    """What is new since an earlier look."""

    keys: tuple[ApiKey, ...]
    """Made or changed, revoked ones included."""
    any_exist: bool
    """Whether there is, or ever was, a key of any tenant: from then on nobody gets in without."""
    mark: str
    """To be given to the next look; opaque."""


class KeyStore(Protocol):
    """Times are the database's own. Everything here raises `StorageUnavailable` where the database is away."""

    async def changes(self, since: str | None) -> KeyChanges:
        """Those made or changed after the look that gave `since`; None reads all that are not long over.

        A key that a slow transaction commits late is not missed: looks overlap.
        """

    async def add(self, key: ApiKey) -> None:
        """
        Raises:
            Conflict: a key of the tenant that is not revoked has its name.
        """

    async def list(self, *, tenant: Tenant | None = None, with_revoked: bool = False) -> tuple[ApiKey, ...]:
        """By tenant and name; of all tenants where none is given."""

    async def find(self, name: str, *, tenant: Tenant) -> ApiKey | None:
        """By its name, if it is not revoked; or by its id."""

    async def revoke(self, key_ids: Sequence[str], *, after_s: float = 0.0) -> datetime.datetime:
        """From when on they let nobody in: now, or so many seconds from now. Never later than it was before."""
