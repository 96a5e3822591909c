"""Chats whose caller may leave before they end: by default they go on and are stored."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import attrs

from domain.errors import LorError
from entrypoints.http.fault_log import log_unexpected

T = TypeVar("T")


@attrs.define
class Finishing:
    """Owns the tasks of such chats. Each is bounded by the router's deadline."""

    _tasks: set[asyncio.Task[Any]] = attrs.field(factory=set)
    abandoned: int = 0
    """Those whose caller is gone: they still count as load."""

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def abandon(self, task: asyncio.Task[Any], *, request_id: str, route: str) -> None:
        """The caller left: nobody will look at the result, so a fault of ours is logged here."""
        self.abandoned += 1

        def ended(done: asyncio.Task[Any]) -> None:
            self.abandoned -= 1
            failure = None if done.cancelled() else done.exception()
            if failure is not None and not isinstance(failure, LorError):
                log_unexpected(failure, request_id=request_id, route=route)

        task.add_done_callback(ended)

    async def drain(self, *, within_s: float) -> None:
        """Waits for them, then cancels the rest, which store what they have."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=within_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=5.0)

    @property
    def is_idle(self) -> bool:
        return not self._tasks
