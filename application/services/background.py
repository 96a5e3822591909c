"""Work that must finish though nobody waits for it any more."""

import asyncio
from collections.abc import Coroutine

import attrs


@attrs.define
class Background:
    """Owns its tasks: keeps them alive, and lets the one who shuts down wait for them."""

    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set)

    async def finish(self, work: Coroutine[None, None, None], *, within_s: float) -> None:
        """Runs `work` to its end even if the caller is cancelled; waits for it `within_s` at most."""
        task = self.begin(work)
        await asyncio.wait([task], timeout=within_s)
        if task.done():
            task.result()

    def begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Runs `work` while nobody waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def under_way(self) -> "frozenset[asyncio.Task[None]]":
        """The tasks of now."""
        return frozenset(self._tasks)

    async def drain(self, *, within_s: float) -> None:
        """Waits for what is under way and cancels what is not done in time."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=within_s)
        for task in late:
            task.cancel()
