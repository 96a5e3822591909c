"""Writes back what had to be counted of stored messages, so that nothing is counted twice."""

from typing import Final

import attrs

from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.background import Background
from domain.errors import StorageUnavailable
from domain.ids import MessageId, Tenant
from domain.memory import Memory
from domain.message import Message
from domain.model import ModelSpec
from domain.passes.compiler_pass import TokenCount, TokenMeter

_WAITING: Final = 100
"""Requests whose counts may wait to be written: where the database is slow, counting again is the lesser evil."""


@attrs.define
class RecordingMeter:
    """Remembers what it counted of whole messages."""

    _meter: TokenMeter
    _counted: dict[int, int] = attrs.field(factory=dict)
    """By the identity of the message: passes hand on the very ones that they get."""

    def count_text(self, text: str, spec: ModelSpec) -> TokenCount:
        return self._meter.count_text(text, spec)

    def count_message(self, message: Message, spec: ModelSpec) -> TokenCount:
        count = self._meter.count_message(message, spec)
        self._counted[id(message)] = count.tokens
        return count

    def tokens_of(self, message: Message) -> int | None:
        """None where it did not have to be counted."""
        return self._counted.get(id(message))


@attrs.define(kw_only=True)
class TokenNotes:
    """Notes counts in the background; a count that is lost is made again."""

    _unit_of_work: UnitOfWorkFactory
    _background: Background
    _waiting: int = 0

    def note(self, memory: Memory, meter: RecordingMeter, spec: ModelSpec) -> None:
        """Stores what `meter` counted of the thread's messages, without the margin of the model it counted for."""
        counts: dict[MessageId, int] = {}
        for stored, message in zip(memory.chosen, memory.messages, strict=True):
            tokens = meter.tokens_of(message)
            if tokens is not None:
                counts[stored.id] = int(tokens / (1 + spec.count_margin))
        if counts and self._waiting < _WAITING:
            self._waiting += 1
            self._background.begin(self._write(memory.chosen[0].tenant, counts))

    async def _write(self, tenant: Tenant, counts: dict[MessageId, int]) -> None:
        try:
            async with self._unit_of_work(tenant) as work:
                await work.messages.note_token_counts(counts)
                await work.commit()
        except StorageUnavailable:
            return  # the next chat counts them again, and tries again
        finally:
            self._waiting -= 1
