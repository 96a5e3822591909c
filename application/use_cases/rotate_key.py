"""Giving a key's owner another key."""

import datetime
from collections.abc import Callable

import attrs

from application.ports.id_generator import IdGenerator
from application.ports.key_store import KeyStore
from application.ports.token_signer import TokenSigner
from application.services.key_making import CreatedKey, KeyMaking
from domain.errors import NotFound
from domain.ids import Tenant
from domain.values import frozen


@frozen(kw_only=True)
class RotateKeyCommand:
    name: str
    """Or its id."""
    tenant: Tenant | None = None
    """None where it is an id."""
    overlap_s: float
    """How long the old key lets its owner in beside the new one."""
    lifetime_s: float | None = None
    """Of the new one; that of the old one where it is left out."""


@frozen(kw_only=True)
class RotatedKey:
    created: CreatedKey
    old_key_id: str
    old_ends_at: datetime.datetime
    """From when on the old key lets nobody in: the end of the overlap, or its own expiry where that is earlier."""
    old_had_expired: bool
    """Before it was rotated, so there was no overlap."""
    lifetime_was_inherited: bool
    """The new key ends by itself because the old one did, and nobody said so."""


@frozen(kw_only=True)
class RotateKey:
    """Makes a key that may do what the old one may, and counts as one with it for limits, budgets and usage."""

    _keys: KeyStore
    _ids: IdGenerator
    _signer: TokenSigner
    _random_bytes: Callable[[int], bytes]

    async def execute(self, command: RotateKeyCommand) -> RotatedKey:
        """
        Raises:
            NotFound: there is no such key.
            Conflict: it is revoked.
            StorageUnavailable: nothing has changed.
        """
        old = await self._keys.find(command.name, tenant=command.tenant)
        if old is None:
            raise NotFound(f"there is no key `{command.name}`; `lor3 key list` shows those there are")
        created_at = await self._keys.now()
        lifetime = None if old.expires_at is None else old.expires_at - old.created_at
        if command.lifetime_s is not None:
            lifetime = datetime.timedelta(seconds=command.lifetime_s)
        making = KeyMaking(ids=self._ids, signer=self._signer, random_bytes=self._random_bytes)
        created = making.complete(
            lambda key_id, secret: attrs.evolve(
                old,
                id=key_id,
                hash=secret.hash,
                public_key=secret.public_key,
                hint=secret.hint,
                created_at=created_at,
                expires_at=None if lifetime is None else created_at + lifetime,
                replaces=old.id,
                account=old.account_id,
            )
        )
        overlap_s = command.overlap_s
        if old.expires_at is not None:  # no overlap goes beyond it
            overlap_s = min(overlap_s, max(0.0, (old.expires_at - created_at).total_seconds()))
        ends_at = await self._keys.replace(old.id, created.key, after_s=overlap_s)
        return RotatedKey(
            created=created,
            old_key_id=old.id,
            old_ends_at=ends_at if old.expires_at is None else min(ends_at, old.expires_at),
            old_had_expired=old.expires_at is not None and old.expires_at <= created_at,
            lifetime_was_inherited=lifetime is not None and command.lifetime_s is None,
        )
