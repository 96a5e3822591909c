"""The events of answers under way, for readers on other replicas."""

from collections.abc import Callable
from typing import Protocol

from domain.answer import ChatAdmitted
from domain.ids import MessageId, Tenant
from domain.live_answer import Ending, Portion, Position
from domain.values import frozen


@frozen
class AnswerAddress:
    """Names one answer."""

    tenant: Tenant
    message_id: MessageId


class PortionSink(Protocol):
    """Takes the events of one answer, in order and without a gap."""

    @property
    def ends(self) -> Position:
        """Of the last event that it has."""

    def append(self, portion: Portion) -> None: ...

    def end(self, ending: Ending) -> None:
        """Nothing follows."""


class EventLog(Protocol):
    """What one process tells others of the answers it makes, by (message, position). Bounded in size and time.

    Nobody waits for it: what is published is sent by and by, many answers at a time. Where it can't be reached, chats
    go on, and their events are for readers of this process alone.
    """

    @property
    def is_shared(self) -> bool:
        """False where there are no other processes to tell: then nothing below need be called."""

    def begin(
        self, address: AnswerAddress, *, names: tuple[str, ...] = (), asked: ChatAdmitted | None = None
    ) -> None:
        """An answer is being made here. It is kept, and can be found, until `end` and a while after; if this process
        dies, for a few seconds.

        Args:
            names: further names by which it can be found, such as that of a client's chat; unique in the tenant, and
                the last answer to take one has it.
            asked: what it is made for, for those who find it by a name.
        """

    def publish(self, address: AnswerAddress, portion: Portion) -> None: ...

    def end(self, address: AnswerAddress, ending: Ending) -> None: ...

    async def find(self, address_of: Tenant, name: str) -> MessageId | None:
        """The answer with that name, if it is being made or was until a moment ago; None where there is none.

        Raises:
            AnswerUnknown: the log can't be asked now.
        """

    async def asked(self, address_of: Tenant, name: str) -> ChatAdmitted | None:
        """What the answer with that name is being made for. None where none is being made, it was not said, or nobody
        knows. Of inline images that are too large to be told only the text beside them is there.
        """

    async def follow(self, address: AnswerAddress, into: PortionSink) -> "Following | None":
        """Feeds `into` from `into.ends` on, in the background, up to the answer's end or until it is closed.

        Once it returns, `into` has all that there was of the answer, its end included, unless that is so much that it
        takes long. None where the log knows nothing of the answer. Where its process died, `into` ends with
        `AnswerInterrupted`; where the log was lost, or can't be read, and the answer may still be made, with
        `AnswerUnknown`.

        Raises:
            AnswerUnknown: the log can't be asked now.
        """

    async def ask_to_stop(self, address: AnswerAddress) -> None:
        """Tells the process that makes the answer to stop it."""

    def on_stop(self, asked: Callable[[AnswerAddress], None]) -> None:
        """`asked` is called whenever another process wants an answer to be stopped, its own or not."""

    async def start(self) -> None:
        """
        Raises:
            ConfigurationError: the URL is not one.
        """

    async def aclose(self) -> None: ...


class Following(Protocol):
    """A reader of the log at work."""

    def close(self) -> None:
        """Ends it; the sink is left as it is."""
