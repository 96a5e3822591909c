"""What every thread gate must do."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from application.ports.thread_gate import ThreadGate
from domain.errors import ThreadBusy
from domain.ids import DEFAULT_TENANT, Tenant, ThreadId
from domain.thread_queue import ThreadQueuePolicy

_THREAD = ThreadId("01928c3e-0000-7000-8000-000000000001")
_OTHER = ThreadId("01928c3e-0000-7000-8000-000000000002")


class ThreadGateSuite(ABC):
    """Subclass it, make the gate, and let pytest collect it."""

    @abstractmethod
    def open(self, policy: ThreadQueuePolicy) -> AbstractAsyncContextManager[ThreadGate]:
        """A started gate that shares with nobody else's test."""

    async def test_one_at_a_time_in_the_order_of_asking(self) -> None:
        """Fifty chats of one thread."""
        inside: list[int] = []
        order: list[int] = []

        async def chat(gate: ThreadGate, number: int) -> None:
            async with gate.hold(DEFAULT_TENANT, _THREAD):
                inside.append(number)
                assert [number] == inside
                order.append(number)
                await asyncio.sleep(0)
                inside.remove(number)

        async with self.open(ThreadQueuePolicy()) as gate, asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(chat(gate, number))

        assert list(range(50)) == order

    async def test_other_threads_and_other_tenants_do_not_wait(self) -> None:
        """A thread is held, not the gate."""
        async with self.open(ThreadQueuePolicy(when_busy="reject")) as gate:
            async with (
                gate.hold(DEFAULT_TENANT, _THREAD),
                gate.hold(DEFAULT_TENANT, _OTHER),
                gate.hold(Tenant("another"), _THREAD),
            ):
                pass

    async def test_who_comes_later_does_not_overtake(self) -> None:
        """Not even in the moment between a leaving and the next one's turn."""
        order: list[str] = []

        async def chat(gate: ThreadGate, name: str) -> None:
            async with gate.hold(DEFAULT_TENANT, _THREAD):
                order.append(name)

        async with self.open(ThreadQueuePolicy()) as gate:
            async with gate.hold(DEFAULT_TENANT, _THREAD):
                first = asyncio.create_task(chat(gate, "first"))
                await asyncio.sleep(0.01)
            await chat(gate, "second")
            await first

        assert order == ["first", "second"]

    async def test_reject_answers_at_once(self) -> None:
        """With what goes on, what to do, and when."""
        async with self.open(ThreadQueuePolicy(when_busy="reject")) as gate:
            async with gate.hold(DEFAULT_TENANT, _THREAD):
                with pytest.raises(ThreadBusy, match="is being answered: send this one when") as caught:
                    async with gate.hold(DEFAULT_TENANT, _THREAD):
                        raise AssertionError("let in")
            async with gate.hold(DEFAULT_TENANT, _THREAD):
                pass

        assert caught.value.retry_after_s == 1.0

    async def test_no_more_wait_than_may(self) -> None:
        """The one too many is told so; those before it get their turn."""
        got: list[int] = []

        async def chat(gate: ThreadGate, number: int) -> None:
            async with gate.hold(DEFAULT_TENANT, _THREAD):
                got.append(number)

        async with self.open(ThreadQueuePolicy(max_queued=2)) as gate:
            async with gate.hold(DEFAULT_TENANT, _THREAD):
                waiting = [asyncio.create_task(chat(gate, number)) for number in range(2)]
                await asyncio.sleep(0.01)
                with pytest.raises(ThreadBusy, match=r"no more than 2 may wait .*`threads\.max_queued`"):
                    await chat(gate, 2)
            await asyncio.gather(*waiting)

        assert got == [0, 1]

    async def test_waiting_ends(self) -> None:
        """Whoever gave up is not in the way of the others."""
        async with self.open(ThreadQueuePolicy(max_wait_s=0.05)) as gate:
            async with gate.hold(DEFAULT_TENANT, _THREAD):
                for _ in range(2):
                    with pytest.raises(ThreadBusy, match=r"waited 0\.05 s .* send it again"):
                        async with gate.hold(DEFAULT_TENANT, _THREAD):
                            raise AssertionError("let in")
            async with gate.hold(DEFAULT_TENANT, _THREAD):
                pass

    async def test_errors_and_cancellations_let_the_next_one_in(self) -> None:
        """Inside and in the queue, in the very moment of the turn too."""
        async with self.open(ThreadQueuePolicy(max_wait_s=5)) as gate:
            with pytest.raises(ZeroDivisionError):
                async with gate.hold(DEFAULT_TENANT, _THREAD):
                    raise ZeroDivisionError

            async def chat() -> None:
                async with gate.hold(DEFAULT_TENANT, _THREAD):
                    await asyncio.sleep(10)

            inside, in_queue, next_in_turn = (asyncio.create_task(chat()) for _ in range(3))
            await asyncio.sleep(0.05)
            in_queue.cancel()
            await asyncio.sleep(0.01)
            inside.cancel()
            await asyncio.sleep(0)
            next_in_turn.cancel()
            await asyncio.wait([inside, in_queue, next_in_turn])
            async with asyncio.timeout(30), gate.hold(DEFAULT_TENANT, _THREAD):
                pass

        assert inside.cancelled()
        assert in_queue.cancelled()
        assert next_in_turn.cancelled()


@asynccontextmanager
async def started(gate: ThreadGate) -> AsyncIterator[ThreadGate]:
    await gate.start()
    try:
        yield gate
    finally:
        await gate.aclose()
