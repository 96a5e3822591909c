"""Looks at the key store, so that whoever asks for a key's owner need not."""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.key_store import KeyChanges, KeyStore
from domain.errors import StorageUnavailable

EVERY_S: Final = 1.0
APART_S: Final = 0.25
"""Between the beginnings of two looks, however many ask for one."""
FRESH_S: Final = 4.0
"""How long what was seen counts. A key that was revoked is refused within this time, whatever happens to the store."""
PATIENCE_S: Final = 4.0
"""How long somebody waits for a look. Once one took so long, nobody waits until one has ended in time."""
_SLOW_S: Final = 1.0
"""A look that failed after so long was not refused, but not answered."""
_SILENT: Final = "the API keys can't be read: the database does not answer"
_BROKEN: Final = "the API keys can't be read: the server's log says why"

_log: Final = logging.getLogger("lor3.keys")


@attrs.define(kw_only=True)
class KeyWatch:
    """One look at a time, every second once there is somebody to look for.

    `apply` is given what each look found, in order.
    """

    _store: KeyStore
    _clock: Clock
    _apply: Callable[[KeyChanges], None]
    fresh_until_s: float = attrs.field(default=0.0, init=False)
    """Monotonic. From then on nothing is known for sure."""
    _ahead_s: float = attrs.field(default=0.0, init=False)
    """The store's clock, in Unix time, less the monotonic one."""
    _mark: str | None = attrs.field(default=None, init=False)
    _began_s: float = attrs.field(default=0.0, init=False)
    _failure: StorageUnavailable | None = attrs.field(default=None, init=False)
    """Why the last look failed."""
    _looking_since_s: float | None = attrs.field(default=None, init=False)
    _is_silent: bool = attrs.field(default=False, init=False)
    """The store was waited for in vain, and has not been heard of since."""
    _next: "asyncio.Task[StorageUnavailable | None] | None" = attrs.field(default=None, init=False)
    """A look that has not begun."""
    _looks: "set[asyncio.Task[StorageUnavailable | None]]" = attrs.field(factory=set, init=False)
    _turn: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _watching: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)

    def now_s(self) -> float:
        """The store's clock, in Unix time, as far as is known."""
        return self._clock.monotonic() + self._ahead_s

    def is_fresh(self) -> bool:
        return self._clock.monotonic() < self.fresh_until_s

    @property
    def has_failed(self) -> bool:
        """Whether nothing is known for sure, since the last look failed."""
        return self._failure is not None and not self.is_fresh()

    def begin(self) -> None:
        """From now on there is somebody to look for."""
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch(), name="key watch")

    async def refresh(self) -> None:
        """Returns once what is known is fresh.

        Raises:
            StorageUnavailable: the store can't be looked at; at once where that was found out a moment ago.
        """
        if self.is_fresh():
            return
        failure = self._failure
        if failure is not None and self._clock.monotonic() < self._began_s + APART_S:
            raise StorageUnavailable(failure.detail)
        await self.look()

    async def look(self) -> None:
        """Waits for a look that begins from now on; all who wait share it.

        Raises:
            StorageUnavailable: the store can't be looked at, or does not answer in time; at once where it has not
                answered others.
        """
        task = self._share()
        until_s = self._clock.monotonic() + PATIENCE_S
        while not task.done():
            now_s = self._clock.monotonic()
            if self._is_silent or now_s >= min(until_s, self._given_up_at_s()):
                self._is_silent = True
                raise StorageUnavailable(_SILENT)
            # Whoever comes while a look hangs waits no longer than those who wait for that one.
            await asyncio.wait((task,), timeout=min(until_s, self._given_up_at_s()) - now_s)
        failure = task.result()
        if failure is not None:
            raise StorageUnavailable(failure.detail)

    def _given_up_at_s(self) -> float:
        """When nobody waits any more for the look that is under way."""
        since_s = self._looking_since_s
        return math.inf if since_s is None else since_s + PATIENCE_S

    async def aclose(self) -> None:
        tasks = [*self._looks, *([self._watching] if self._watching else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _share(self) -> "asyncio.Task[StorageUnavailable | None]":
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._look_in_turn(), name="look at keys")
            self._looks.add(self._next)
            self._next.add_done_callback(self._looks.discard)
        return self._next

    async def _look_in_turn(self) -> StorageUnavailable | None:
        async with self._turn:
            wait_s = self._began_s + APART_S - self._clock.monotonic()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            self._next = None  # this one has begun: who asks from here on is not served by it
            failure = await self._look_once()
        if (failure is None) != (self._failure is None):
            if failure is None:
                _log.info("the API keys can be read again")
            else:
                _log.warning("%s", failure.detail)
        self._failure = failure
        return failure

    async def _look_once(self) -> StorageUnavailable | None:
        began_s = self._looking_since_s = self._clock.monotonic()
        try:
            failure = await self._look()
        finally:
            self._looking_since_s = None
        took_s = self._clock.monotonic() - began_s
        self._is_silent = failure is not None and took_s >= _SLOW_S
        return failure

    async def _look(self) -> StorageUnavailable | None:
        began_s = self._began_s = self._clock.monotonic()
        try:
            changes = await self._store.changes(self._mark)
        except StorageUnavailable as error:
            return StorageUnavailable(f"the API keys can't be read: {error.detail}")
        except Exception as error:  # whatever it is, the watch goes on, and nobody gets in who was not seen
            _log.exception("the API keys can't be read: %s", type(error).__name__)
            return StorageUnavailable(_BROKEN)
        self._mark = changes.mark
        # As if the store had looked when it was asked: the clock here may be ahead of it by the way there, never behind.
        self._ahead_s = changes.now.timestamp() - began_s
        self._apply(changes)
        self.fresh_until_s = began_s + FRESH_S
        return None

    async def _watch(self) -> None:
        while True:
            await asyncio.wait((self._share(),))
            await self._clock.sleep(EVERY_S)
