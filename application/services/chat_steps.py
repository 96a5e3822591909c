"""How a client's chat goes on, by its own copy of it and by what is stored."""

from application.ports.unit_of_work import UnitOfWork
from application.services.client_history import ClientMessages, find_message, position_behind
from application.services.exchange_reading import read_around
from application.services.thread_lookup import position_of
from application.use_cases.continue_chat_command import Continuation, ContinueChatCommand
from domain.errors import Fault, InvalidRequest
from domain.ids import MessageId
from domain.message import Message
from domain.suggestion import shown
from domain.thread import StoredMessage, Thread
from domain.values import frozen


@frozen(kw_only=True)
class Fork:
    """The chat goes on in a copy of its thread, up to a message and with it."""

    source: Thread
    at: MessageId
    messages: tuple[Message, ...] = ()
    """To go on with there. Without any, the last turn of the copy is answered again."""
    again: tuple[Message, ...] = ()
    """That turn, then."""

    @property
    def asks(self) -> tuple[Message, ...]:
        return self.messages or self.again


@frozen(kw_only=True)
class Anew:
    """The chat goes on in an empty thread with all that the client has."""

    instead_of: Thread | None = None
    messages: tuple[Message, ...]
    shown_as: str | None = None

    @property
    def source(self) -> Thread | None:
        return self.instead_of

    @property
    def asks(self) -> tuple[Message, ...]:
        return self.messages


async def replaced_answer(
    work: UnitOfWork, thread: Thread, command: ContinueChatCommand
) -> Continuation | Fork | Anew:
    """Another answer, in place of the one that is named.

    Raises:
        InvalidRequest: it can't be told which one, or nothing that it answers is stored.
        Conflict: an exchange is too long to be read.
    """
    messages = command.messages
    asked = _last_of(messages, ("user", "system"))
    place = await find_message(work, thread, command.message_id)
    if place is None:
        if command.is_whole and asked is not None:
            begins = await position_behind(work, thread, messages, asked)
            if begins is None:
                return Anew(instead_of=thread, messages=messages.turns(0, asked + 1))
            if begins >= thread.length:  # it was never stored, so there is nothing to replace
                return Continuation(thread_id=thread.id, messages=messages.turns(asked, asked + 1))
        elif command.message_id is not None:
            raise _unknown(command.message_id)
        else:
            begins = thread.length - 1
        page = await work.messages.page(thread.id, after=begins - 1, limit=1)
        place = page[0] if page else None
    exchange = [] if place is None else await read_around(work, place)
    question = _question(exchange)
    if question is None:
        if asked is not None and command.is_whole:
            return Anew(instead_of=thread, messages=messages.turns(0, asked + 1))
        raise InvalidRequest.of(
            Fault(path="messageId", message="nothing that this answers is stored; send all `messages`")
        )
    is_last = position_of(exchange[-1]) == thread.length - 1
    if is_last and all(each.message.role != "tool" for each in exchange):
        return Continuation(regenerates=exchange[-1].id)
    # What tools had to say is a part of the answer that is replaced.
    return Fork(source=thread, at=question.id, again=(question.message,))


async def submitted(
    work: UnitOfWork, thread: Thread, command: ContinueChatCommand
) -> Continuation | Fork | Anew:
    """What was submitted goes behind what the thread holds; where it replaces something, behind what was before.

    Raises: as `replaced_answer` does.
    """
    messages = command.messages
    last = len(messages) - 1
    if messages[last].role == "assistant":
        results = messages.results(last)
        if not results:
            raise _nothing_to_answer(last)
        return Continuation(
            thread_id=thread.id, messages=results, own_history=True, shown_as=messages[last].id
        )
    _demand_question(messages)
    named = command.message_id
    edited = next(
        (index for index in range(last + 1) if messages[index].id == named and named is not None), last
    )
    turns = messages.turns(edited, edited + 1)
    if named is None:
        return Continuation(thread_id=thread.id, messages=turns)
    replaced = await find_message(work, thread, named)
    if replaced is not None and replaced.message.role in ("user", "system"):
        begins: int | None = position_of(replaced)
    elif command.is_whole:
        begins = await position_behind(work, thread, messages, edited)
    else:
        raise _unknown(named)
    if begins is None or begins == 0:
        before = messages.turns(0, edited + 1) if command.is_whole else turns
        return Anew(instead_of=thread, messages=before)
    if begins >= thread.length:
        return Continuation(thread_id=thread.id, messages=turns)
    kept = await work.messages.page(thread.id, below=begins, limit=1, newest_first=True)
    if not kept:
        return Anew(instead_of=thread, messages=turns)
    return Fork(source=thread, at=kept[0].id, messages=turns)


def everything(command: ContinueChatCommand) -> tuple[tuple[Message, ...], str | None]:
    """All that the client has, up to what is to be answered; and the message that the answer goes on with."""
    messages = command.messages
    last = len(messages) - 1
    if command.trigger == "regenerate-message":
        asked = _last_of(messages, ("user",))
        if asked is None:
            raise InvalidRequest.of(
                Fault(path="messages", message="the chat has no message yet that could be answered; send one")
            )
        return messages.turns(0, asked + 1), None
    if messages[last].role == "assistant":
        if not messages.results(last):
            raise _nothing_to_answer(last)
        return messages.turns(0, last + 1), messages[last].id
    _demand_question(messages)
    return messages.turns(0, last + 1), None


def asked_by_client(command: ContinueChatCommand) -> tuple[Message, ...]:
    """The turn of the client's that is to be answered; none where it does not send it.

    Raises:
        InvalidRequest: it can't be sent to a model.
    """
    asked = _last_of(command.messages, ("user", "system"))
    return () if asked is None else command.messages.turns(asked, asked + 1)


async def as_before(work: UnitOfWork, thread: Thread | None, command: ContinueChatCommand) -> Continuation:
    """For a request that came before: should that one fail meanwhile, this goes on in the thread as it is now."""
    if thread is not None and command.trigger == "regenerate-message":
        newest = await work.messages.page(thread.id, limit=1, newest_first=True)
        if newest:
            return Continuation(regenerates=newest[0].id)
    messages, _ = everything(command)
    last = len(messages) - 1
    while last > 0 and messages[last].role == messages[last - 1].role == "tool":
        last -= 1
    return Continuation(
        thread_id=None if thread is None else thread.id,
        messages=messages[last:],
        own_history=messages[last].role == "tool",
    )


def _last_of(messages: ClientMessages, roles: tuple[str, ...]) -> int | None:
    return next((index for index in range(len(messages) - 1, -1, -1) if messages[index].role in roles), None)


def _question(exchange: list[StoredMessage]) -> StoredMessage | None:
    """The last of the caller's turns at its beginning."""
    asked: StoredMessage | None = None
    for each in exchange:
        if each.message.role not in ("user", "system"):
            break
        asked = each
    return asked


def _demand_question(messages: ClientMessages) -> None:
    last = len(messages) - 1
    if messages[last].role != "user":
        raise InvalidRequest.of(
            Fault(
                path=f"messages[{last}]",
                message="is an instruction, which nothing answers: send a `user` message behind it",
            )
        )


def _nothing_to_answer(index: int) -> InvalidRequest:
    return InvalidRequest.of(
        Fault(
            path=f"messages[{index}]",
            message="is an answer, and waits for no tool: send a `user` message behind it, or the output of a tool in it",
        )
    )


def _unknown(message_id: str) -> InvalidRequest:
    return InvalidRequest.of(
        Fault(
            path="messageId",
            message=f"`{shown(message_id)}` is no message that lor3 knows in this chat; send all `messages` up to it",
        )
    )
