"""Requests that have come and have not begun their answers yet."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from domain.ids import Tenant


@attrs.define
class Arrivals:
    """Whoever asks after an answer by its name can wait for the request that is about to begin it."""

    _coming: dict[tuple[Tenant, str], list[asyncio.Event]] = attrs.field(factory=dict, init=False)

    @contextmanager
    def of(self, tenant: Tenant, name: str) -> Iterator[None]:
        """While the request is judged. The answer is begun right after, or never."""
        key, over = (tenant, name), asyncio.Event()
        self._coming.setdefault(key, []).append(over)
        try:
            yield
        finally:
            over.set()
            coming = self._coming[key]
            coming.remove(over)
            if not coming:
                del self._coming[key]

    async def over(self, tenant: Tenant, name: str, *, within_s: float) -> None:
        """Waits for those that have come by now."""
        try:
            async with asyncio.timeout(within_s):
                for each in tuple(self._coming.get((tenant, name), ())):
                    await each.wait()
        except TimeoutError:
            return
