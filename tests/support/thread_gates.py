"""Thread gates on a Redis, and chats that take turns in them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import attrs

from adapters.cache.redis_link import RedisLink
from adapters.cache.redis_thread_gate import RedisThreadGate
from adapters.in_memory.thread_gate import LocalThreadGate
from adapters.system import SystemClock, SystemRandomness
from application.ports.thread_gate import ThreadGate
from domain.ids import DEFAULT_TENANT, ThreadId
from domain.secret import Secret
from domain.thread_queue import ThreadQueuePolicy

THREAD = ThreadId("01928c3e-0000-7000-8000-000000000001")
HOLDER = f"lor3:gate:{{{THREAD}}}:{DEFAULT_TENANT}:holder"


def redis_gate(
    url: str, policy: ThreadQueuePolicy | None = None, *, timeout_s: float = 5.0
) -> RedisThreadGate:
    policy = policy or ThreadQueuePolicy()
    link = RedisLink(url=Secret(url), clock=SystemClock(), timeout_s=timeout_s)
    return RedisThreadGate(
        local=LocalThreadGate(policy=policy), link=link, randomness=SystemRandomness(), policy=policy
    )


@contextlib.asynccontextmanager
async def gates(
    url: str, count: int = 2, *, policy: ThreadQueuePolicy | None = None, timeout_s: float = 5.0
) -> AsyncIterator[list[RedisThreadGate]]:
    """Started, each as in a process of its own."""
    async with contextlib.AsyncExitStack() as stack:
        opened = [redis_gate(url, policy, timeout_s=timeout_s) for _ in range(count)]
        for gate in opened:
            await gate.start()
            stack.push_async_callback(gate.aclose)
        yield opened


@attrs.define
class Chats:
    """Chats of one thread, and whether two of them were ever inside together."""

    order: list[str] = attrs.field(factory=list)
    overlaps: int = 0
    _inside: int = 0

    async def run(self, gate: ThreadGate, name: str, *, for_s: float = 0.005) -> None:
        async with gate.hold(DEFAULT_TENANT, THREAD):
            self._inside += 1
            self.overlaps += self._inside > 1
            self.order.append(name)
            try:
                await asyncio.sleep(for_s)
            finally:
                self._inside -= 1

    async def run_all(self, gates: Sequence[ThreadGate], each: int, *, for_s: float = 0.005) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(each):
                for index, gate in enumerate(gates):
                    group.create_task(self.run(gate, f"{index}:{number}", for_s=for_s))
