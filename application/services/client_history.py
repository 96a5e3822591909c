"""Finds in a stored thread what a client names in its own copy of the chat."""

from typing import Final, Literal, Protocol, TypeAlias

from application.ports.unit_of_work import UnitOfWork
from application.services.exchange_reading import read_on
from application.services.thread_lookup import position_of
from domain.clean_text import clean
from domain.ids import MessageId
from domain.message import Message
from domain.thread import StoredMessage, Thread
from domain.values import frozen

ClientRole: TypeAlias = Literal["system", "user", "assistant"]

_MOST_FORKS: Final = 32
"""Between a message and the copy of it that is looked for."""


@frozen(kw_only=True)
class ClientMessage:
    """A message as the client has it. An assistant's one may stand for several stored ones: its tool calls, their
    results, and the answer to them."""

    id: str
    """Of a user's message the client's own; of an answer that lor3 gave, that of its first stored message."""
    role: ClientRole


class ClientMessages(Protocol):
    """The client's copy of the chat, or its end. What messages say is read where it is needed, and judged then."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> ClientMessage: ...

    def text(self, index: int) -> str:
        """All text of the message."""

    def turns(self, first: int, end: int) -> tuple[Message, ...]:
        """What the messages from `first` up to and without `end` say.

        Raises:
            InvalidRequest: something in them can't be sent to a model.
        """

    def results(self, index: int) -> tuple[Message, ...]:
        """The results of the tools that the assistant's message called last; none where it waits for none.

        Raises:
            InvalidRequest: as above.
        """


async def find_message(work: UnitOfWork, thread: Thread, name: str | None) -> StoredMessage | None:
    """The message with that id in the thread, or the copy of it where the thread is a fork of its thread."""
    named = None if name is None else await work.messages.get(MessageId(name))
    if named is None or named.thread_id == thread.id:
        return named
    # A copy is where its original is, unless retention had taken the beginning of that thread.
    here = await work.messages.page(thread.id, after=position_of(named) - 1, limit=1)
    origin = here[0] if here else None
    for _ in range(_MOST_FORKS):
        if origin is None or origin.copied_from is None:
            return None
        if origin.copied_from == named.id:
            return here[0]
        origin = await work.messages.get(origin.copied_from)
    return None


async def position_behind(
    work: UnitOfWork, thread: Thread, messages: ClientMessages, index: int
) -> int | None:
    """Where in the thread that begins which the client has at `index`, by the last answer before it, and by the texts
    of the messages between them, which the client has no answer to.

    None where that answer is not of this thread.

    Raises:
        Conflict: that answer's exchange is too long to be read.
    """
    behind, position = 0, 0
    for before in range(index - 1, -1, -1):
        if messages[before].role == "assistant":
            answer = await find_message(work, thread, messages[before].id)
            if answer is None:
                return None
            behind, position = before + 1, position_of((await read_on(work, answer))[-1]) + 1
            break
    for unanswered in range(behind, index):
        page = await work.messages.page(thread.id, after=position - 1, limit=1)
        # It may have been refused, and not be stored.
        if (
            page
            and page[0].message.role == "user"
            and page[0].message.text == clean(messages.text(unanswered))
        ):
            position = position_of((await read_on(work, page[0]))[-1]) + 1
    return position
