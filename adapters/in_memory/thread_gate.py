"""One chat at a time in a thread, within this process."""

import asyncio
from collections import deque
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import attrs

from domain.ids import Tenant, ThreadId
from domain.thread_queue import ThreadQueuePolicy

_Key: TypeAlias = tuple[Tenant, ThreadId]
_Turn: TypeAlias = "asyncio.Future[None]"


@attrs.define(kw_only=True, eq=False)
class LocalThreadGate:
    """A queue for each thread that is busy, and nothing for those that are not.

    A turn is handed over, never up for grabs: whoever asks while others wait stands behind them.
    """

    _policy: ThreadQueuePolicy = ThreadQueuePolicy()
    _waiting: dict[_Key, deque[_Turn] | None] = attrs.field(factory=dict, init=False)
    """Of each busy thread; None until the first one waits: most have nobody."""

    @property
    def busy_threads(self) -> int:
        return len(self._waiting)

    def hold(self, tenant: Tenant, thread_id: ThreadId) -> AbstractAsyncContextManager[None]:
        return _Hold(self, (tenant, thread_id))

    async def start(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def _enter(self, key: _Key) -> None:
        if key not in self._waiting:
            self._waiting[key] = None
            return
        waiting = self._waiting[key]
        if (refusal := self._policy.refusal(len(waiting or ()))) is not None:
            raise refusal
        if waiting is None:
            waiting = self._waiting[key] = deque()
        turn: _Turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await asyncio.wait([turn], timeout=self._policy.max_wait_s)
        except BaseException:
            self._step_back(key, waiting, turn)
            raise
        if not turn.done():
            self._step_back(key, waiting, turn)
            raise self._policy.waited_too_long()

    def _step_back(self, key: _Key, waiting: deque[_Turn], turn: _Turn) -> None:
        if turn.done():  # its turn came in the very moment that it gave up
            self._leave(key)
        else:
            waiting.remove(turn)

    def _leave(self, key: _Key) -> None:
        waiting = self._waiting[key]
        if waiting:
            waiting.popleft().set_result(None)
        else:
            del self._waiting[key]


class _Hold:
    """As `contextlib.asynccontextmanager` would make it, at a third of the cost."""

    __slots__ = ("_gate", "_key")

    def __init__(self, gate: LocalThreadGate, key: _Key) -> None:
        self._gate = gate
        self._key = key

    async def __aenter__(self) -> None:
        await self._gate._enter(self._key)  # noqa: SLF001 - a part of the gate

    async def __aexit__(self, *_: object) -> None:
        self._gate._leave(self._key)  # noqa: SLF001 - as above
