"""Idempotency keys in this process."""

import datetime
from collections.abc import Sequence

import attrs

from adapters.in_memory.shelves import Shelves, StoredKey
from adapters.in_memory.tenant_view import TenantView
from domain.errors import KeyTakenOver
from domain.idempotency import (
    KEEP,
    LEASE_S,
    Answered,
    Claimed,
    ClaimOutcome,
    IdempotencyKey,
    InFlight,
    KeyCompletion,
    OfAnotherRequest,
)
from domain.ids import Tenant
from domain.values import frozen

_LEASE = datetime.timedelta(seconds=LEASE_S)


@frozen
class InMemoryIdempotency:
    _view: TenantView

    async def claim(self, key: IdempotencyKey, *, owner: str) -> ClaimOutcome:
        view = self._view
        view.shelves.demand()
        await view.hold(("key", key.key))
        now = view.shelves.now()
        stored = view.keys.get(key.key)
        if stored is not None and stored.expires_at > now:
            if stored.fingerprint != key.fingerprint:
                return OfAnotherRequest()
            if stored.answer is not None:
                return Answered(answer=stored.answer)
            if stored.lease_until > now:
                return InFlight(lease_left_s=(stored.lease_until - now).total_seconds())
        expires_at = now + KEEP if stored is None or stored.expires_at <= now else stored.expires_at
        view.keys.put(
            key.key,
            StoredKey(
                key=key.key,
                fingerprint=key.fingerprint,
                owner=owner,
                lease_until=now + _LEASE,
                expires_at=expires_at,
            ),
        )
        return Claimed(key=key.key, owner=owner)

    async def renew(self, claims: Sequence[Claimed]) -> None:
        view = self._view
        view.shelves.demand()
        until = view.shelves.now() + _LEASE
        for claim in claims:
            stored = view.keys.get(claim.key)
            if stored is not None and _is_held(stored, claim):
                view.keys.put(claim.key, attrs.evolve(stored, lease_until=until, is_interrupted=False))

    async def release(self, claim: Claimed) -> None:
        view = self._view
        view.shelves.demand()
        stored = view.keys.get(claim.key)
        if stored is not None and _is_held(stored, claim):
            view.keys.remove(claim.key)

    async def interrupt(self) -> int:
        view = self._view
        view.shelves.demand()
        now = view.shelves.now()
        silent = [
            each
            for each in view.keys.values()
            if each.answer is None and each.lease_until <= now and not each.is_interrupted
        ]
        for each in silent:
            view.keys.put(each.key, attrs.evolve(each, is_interrupted=True))
        return len(silent)


def complete(shelves: Shelves, tenant: Tenant, completion: KeyCompletion) -> None:
    """Ends the claim with its answer.

    Raises:
        KeyTakenOver: another run holds the key, or nobody does.
    """
    stored = shelves.keys.get((tenant, completion.claim.key))
    if stored is None or not _is_held(stored, completion.claim):
        raise KeyTakenOver(
            "another request with the same Idempotency-Key went ahead meanwhile; send it again"
        )
    shelves.keys[tenant, stored.key] = attrs.evolve(stored, answer=completion.answer, is_interrupted=False)


def _is_held(stored: StoredKey, claim: Claimed) -> bool:
    return stored.owner == claim.owner and stored.answer is None
