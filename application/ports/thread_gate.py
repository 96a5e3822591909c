"""One chat at a time in a thread."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from domain.ids import Tenant, ThreadId


class ThreadGate(Protocol):
    """Holds back a chat while another one of the same thread is being answered.

    So each chat sees the answers before its own. Positions are gap-free without it: the store sees to that.
    """

    def hold(self, tenant: Tenant, thread_id: ThreadId) -> AbstractAsyncContextManager[None]:
        """Inside, no other chat of the thread runs: in this process, and on other replicas that share a Redis.

        Those who wait come in in the order in which they asked. Leaving lets the next one in, also by an error
        or a cancellation. Where Redis is away, it holds within this process only.

        Raises (on entering):
            ThreadBusy: the policy is `reject`, too many wait already, or the wait took too long.
        """

    async def start(self) -> None: ...

    async def aclose(self) -> None: ...
