"""What lets a chat begin: its idempotency key, and its turn in its thread."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.thread_gate import ThreadGate
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.absence import no_message
from application.services.background import Background
from application.services.idempotency_guard import IdempotencyGuard
from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatAnswer
from domain.idempotency import Answered, Claimed
from domain.ids import ThreadId
from domain.values import frozen

RELEASE_S: Final = 2.0
"""How long a chat that failed is held up by giving its key back; past it the lease lapses by itself."""


@attrs.define(kw_only=True)
class Admitted:
    """A chat that may go on, or need not."""

    replay: ChatAnswer | None = None
    """The answer that the key completed with before: nothing is left to do."""
    claim: Claimed | None = None
    is_complete: bool = False
    """Set by the chat once its answer is durable, and its key with it. Else leaving frees the key."""
    queued_s: float = 0.0
    """How long it waited for its turn."""


@frozen(kw_only=True)
class Admission:
    """The key comes first: a second request with the same key is told so at once, not after a wait in the queue."""

    guard: IdempotencyGuard
    gate: ThreadGate
    unit_of_work: UnitOfWorkFactory
    background: Background
    clock: Clock

    @asynccontextmanager
    async def admitted(self, command: SendChatCommand) -> AsyncIterator[Admitted]:
        """Inside, the chat holds its key and its thread.

        Raises (on entering):
            KeyInFlight, KeyReused: as IdempotencyGuard says.
            ThreadBusy: as ThreadGate says.
            NotFound: there is no such message to regenerate.
            StorageUnavailable: there is a key, or a message to regenerate, and the database is away.
        """
        admitted = Admitted()
        if command.idempotency is not None:
            outcome = await self.guard.claim(
                command.tenant, command.idempotency, request_id=command.request_id
            )
            if isinstance(outcome, Answered):
                admitted.replay = attrs.evolve(outcome.answer, is_replay=True)
                yield admitted
                return
            admitted.claim = outcome
        try:
            thread_id = command.thread_id
            if command.regenerates is not None:
                thread_id = await self._thread_of(command)
            if thread_id is None:
                yield admitted  # a new thread is nobody else's yet
                return
            asked_at = self.clock.monotonic()
            async with self.gate.hold(command.tenant, thread_id):
                admitted.queued_s = self.clock.monotonic() - asked_at
                yield admitted
        finally:
            claim = admitted.claim
            if claim is not None:
                if admitted.is_complete:
                    self.guard.forget(claim)
                else:
                    await self.background.finish(
                        self.guard.release(command.tenant, claim), within_s=RELEASE_S
                    )

    async def _thread_of(self, command: SendChatCommand) -> ThreadId:
        assert command.regenerates is not None  # noqa: S101 - asked for by the caller above
        async with self.unit_of_work(command.tenant) as work:
            message = await work.messages.get(command.regenerates)
        if message is None:
            raise no_message(command.regenerates)
        return message.thread_id
