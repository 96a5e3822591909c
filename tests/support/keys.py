"""API keys for tests, a store of keys that counts looks, and a clock that whoever sleeps waits for."""

import asyncio
import datetime
import os
from collections.abc import Sequence
from typing import Any

import attrs

from adapters.in_memory.key_store import InMemoryKeyStore
from adapters.in_memory.shelves import Shelves
from adapters.signing.ed25519 import Ed25519Signer
from adapters.testing.key_store_suite import a_key
from application.ports.key_store import KeyChanges, KeyStore
from application.services.key_ring import KeyRing
from domain.access import ApiKey
from domain.errors import LorError
from domain.ids import Tenant
from domain.key_text import hash_of, key_of, signing_seed

SIGNER = Ed25519Signer()
START = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)


def new_secret() -> str:
    return key_of(os.urandom(32))


def key_for(secret: str, name: str = "web", **changes: Any) -> ApiKey:
    """What the store keeps of it."""
    return a_key(
        name,
        **{"hash": hash_of(secret), "public_key": SIGNER.public_key(signing_seed(secret)), **changes},
    )


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


@attrs.define
class SteppedClock:
    """Stands still until `advance`, which wakes those whose sleep is over."""

    _monotonic: float = 1000.0
    _sleepers: list[tuple[float, "asyncio.Future[None]"]] = attrs.field(factory=list)

    def now(self) -> datetime.datetime:
        return START + datetime.timedelta(seconds=self._monotonic - 1000.0)

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        awake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._monotonic + seconds, awake))
        await awake

    async def advance(self, seconds: float) -> None:
        """Moves on in steps of 0.25 s, and lets others run after each."""
        end = self._monotonic + seconds
        while self._monotonic < end:
            self._monotonic = min(end, self._monotonic + 0.25)
            for until, awake in self._sleepers:
                if until <= self._monotonic and not awake.done():
                    awake.set_result(None)
            self._sleepers = [each for each in self._sleepers if not each[1].done()]
            for _ in range(10):
                await asyncio.sleep(0)


@attrs.define
class CountingKeyStore:
    """Counts looks; all else goes to the store inside."""

    inner: KeyStore
    looks: int = 0

    async def now(self) -> datetime.datetime:
        return await self.inner.now()

    async def changes(self, since: str | None) -> KeyChanges:
        self.looks += 1
        return await self.inner.changes(since)

    async def add(self, key: ApiKey) -> None:
        await self.inner.add(key)

    async def replace(self, key_id: str, successor: ApiKey, *, after_s: float = 0.0) -> datetime.datetime:
        return await self.inner.replace(key_id, successor, after_s=after_s)

    async def list(self, *, tenant: Tenant | None = None, with_revoked: bool = False) -> tuple[ApiKey, ...]:
        return await self.inner.list(tenant=tenant, with_revoked=with_revoked)

    async def find(self, name: str, *, tenant: Tenant | None) -> ApiKey | None:
        return await self.inner.find(name, tenant=tenant)

    async def revoke(self, key_ids: Sequence[str], *, after_s: float = 0.0) -> datetime.datetime:
        return await self.inner.revoke(key_ids, after_s=after_s)


@attrs.define
class Ring:
    """A key ring, and all that it stands on."""

    clock: SteppedClock
    shelves: Shelves
    store: CountingKeyStore
    ring: KeyRing

    @classmethod
    def made(cls, **settings: Any) -> "Ring":
        clock = SteppedClock()
        shelves = Shelves(now=clock.now)
        store = CountingKeyStore(InMemoryKeyStore(shelves=shelves))
        return cls(clock, shelves, store, KeyRing(store=store, clock=clock, signer=SIGNER, **settings))

    async def asked(self, authorization: str | None, *, address: str | None = "10.0.0.1") -> Any:
        """The caller, or the error, as the boundary gets them; time goes on while it waits."""
        found = self.ring.recall(authorization)
        if found is not None:
            return found
        asking = asyncio.ensure_future(self.ring.authenticate(authorization, address=address))
        while not asking.done():
            await self.clock.advance(0.25)
        error = asking.exception()
        return asking.result() if error is None else error

    async def ring_error(self, authorization: str | None) -> Any:
        """What `authenticate` raises at once, for an address that is always the same."""
        try:
            return await self.ring.authenticate(authorization, address="10.0.0.1")
        except LorError as error:
            return error

    async def key(self, name: str = "web", **changes: Any) -> str:
        """A new key that is stored, and may not have been seen yet."""
        secret = new_secret()
        await self.store.add(key_for(secret, name, created_at=self.clock.now(), **changes))
        return secret
