"""An event log that several applications of one process share, as replicas share a Redis."""

from collections.abc import Callable

import attrs

from application.ports.event_log import AnswerAddress, PortionSink
from domain.answer import ChatAdmitted
from domain.errors import AnswerInterrupted, AnswerUnknown
from domain.ids import MessageId, Tenant
from domain.live_answer import Ending, Portion


@attrs.define(eq=False)
class _Told:
    asked: ChatAdmitted | None = None
    portions: list[Portion] = attrs.field(factory=list)
    ending: Ending | None = None
    readers: "list[_Following]" = attrs.field(factory=list)


@attrs.define(eq=False)
class _Following:
    told: _Told
    sink: PortionSink

    def close(self) -> None:
        if self in self.told.readers:
            self.told.readers.remove(self)


@attrs.define
class EventHub:
    """What all of them know. Everything is handed on at once."""

    told: dict[AnswerAddress, _Told] = attrs.field(factory=dict)
    names: dict[tuple[Tenant, str], MessageId] = attrs.field(factory=dict)
    listeners: list[Callable[[AnswerAddress], None]] = attrs.field(factory=list)
    is_deaf: bool = False
    """Whether words that ask to stop are lost."""
    unheard: int = 0
    """How often an answer is still looked for in vain: what is told comes by and by."""
    is_away: bool = False
    """Whether nobody can ask it."""

    def following(self, address: AnswerAddress) -> int:
        """How many applications read the answer here."""
        return len(self.told[address].readers)

    def die(self, address: AnswerAddress) -> None:
        """As if the process that makes the answer were gone."""
        SharedLog(self).end(address, Ending(error=AnswerInterrupted("gone")))


@attrs.frozen
class SharedLog:
    """One application's view of the hub."""

    hub: EventHub
    is_shared: bool = True

    def begin(
        self, address: AnswerAddress, *, names: tuple[str, ...] = (), asked: ChatAdmitted | None = None
    ) -> None:
        self.hub.told[address] = _Told(asked)
        for name in names:
            self.hub.names[address.tenant, name] = address.message_id

    def publish(self, address: AnswerAddress, portion: Portion) -> None:
        told = self.hub.told[address]
        if told.ending is None:
            told.portions.append(portion)
            for reader in told.readers:
                reader.sink.append(portion)

    def end(self, address: AnswerAddress, ending: Ending) -> None:
        told = self.hub.told[address]
        if told.ending is None:
            told.ending = ending
            for reader in tuple(told.readers):
                reader.sink.end(ending)

    async def find(self, address_of: Tenant, name: str) -> MessageId | None:
        if self.hub.is_away:
            raise AnswerUnknown("the hub is away")
        return self.hub.names.get((address_of, name))

    async def asked(self, address_of: Tenant, name: str) -> ChatAdmitted | None:
        message_id = self.hub.names.get((address_of, name))
        told = None if message_id is None else self.hub.told.get(AnswerAddress(address_of, message_id))
        return None if told is None or told.ending is not None else told.asked

    async def follow(self, address: AnswerAddress, into: PortionSink) -> _Following | None:
        if self.hub.is_away:
            raise AnswerUnknown("the hub is away")
        told = self.hub.told.get(address)
        self.hub.unheard -= 1
        if told is None or self.hub.unheard >= 0:
            return None
        for portion in told.portions:
            into.append(portion)
        following = _Following(told, into)
        if told.ending is None:
            told.readers.append(following)
        else:
            into.end(told.ending)
        return following

    async def ask_to_stop(self, address: AnswerAddress) -> None:
        for listener in () if self.hub.is_deaf or self.hub.is_away else self.hub.listeners:
            listener(address)

    def on_stop(self, asked: Callable[[AnswerAddress], None]) -> None:
        self.hub.listeners.append(asked)

    async def start(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""
