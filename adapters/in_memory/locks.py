"""Locks by name, as a database has them for rows."""

import asyncio
from collections.abc import Hashable

import attrs

from domain.errors import StorageUnavailable


@attrs.define(kw_only=True)
class Locks:
    """Whoever waits longest is next."""

    timeout_s: float = 2.0
    _locks: dict[Hashable, asyncio.Lock] = attrs.field(factory=dict, init=False)
    _users: dict[Hashable, int] = attrs.field(factory=dict, init=False)
    """How many hold a lock or wait for it; a lock that nobody uses is forgotten."""

    async def hold(self, key: Hashable) -> None:
        """Waits until nobody holds `key`, and holds it.

        Raises:
            StorageUnavailable: whoever holds it did not let go in time.
        """
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] = self._users.get(key, 0) + 1
        try:
            async with asyncio.timeout(self.timeout_s):
                await lock.acquire()
        except TimeoutError:
            self._forget(key)
            raise StorageUnavailable("somebody else is changing it; try again in a moment") from None
        except BaseException:
            self._forget(key)
            raise

    def release(self, key: Hashable) -> None:
        self._locks[key].release()
        self._forget(key)

    def is_free(self, key: Hashable) -> bool:
        return key not in self._locks

    def _forget(self, key: Hashable) -> None:
        self._users[key] -= 1
        if not self._users[key]:
            del self._users[key], self._locks[key]
