"""Find out how a client's chat goes on: in which thread, and with what."""

from typing import Final, Literal

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.absence import no_session
from application.services.client_history import ClientMessages, find_message, position_behind
from application.services.exchange_reading import read_around
from application.services.thread_forking import ThreadForking
from application.services.thread_lookup import canonical_id, position_of
from domain.clean_text import clean
from domain.errors import Conflict, Fault, InvalidRequest
from domain.idempotency import Claimed, IdempotencyKey
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.message import Message
from domain.suggestion import shown
from domain.thread import Session, StoredMessage, Thread

_TRIES: Final = 3
"""Of finding the chat as it was a moment ago."""


@attrs.frozen(kw_only=True)
class ContinueChatCommand:
    """What a client's library sends of a chat."""

    tenant: Tenant = DEFAULT_TENANT
    chat_id: str
    messages: ClientMessages
    is_whole: bool
    """Whether these are all the messages that the client has up to now; else the last one alone, or none."""
    trigger: Literal["submit-message", "regenerate-message"]
    message_id: str | None = None
    """Of a submitted message: it is there already, and is replaced with all that followed. Of a regeneration: the
    answer to replace, or the message it is for; the last one where it is None."""
    user: str | None = None
    """Of a new session."""
    session_id: SessionId | None = None
    """Of a new chat; a new one where it is None."""
    idempotency: IdempotencyKey | None = None


@attrs.frozen(kw_only=True)
class Continuation:
    """How to go on: fields of the same names in a SendChatCommand."""

    thread_id: ThreadId | None = None
    """None with `regenerates`."""
    messages: tuple[Message, ...] = ()
    own_history: bool = False
    history_is_for_new: bool = False
    regenerates: MessageId | None = None
    shown_as: str | None = None
    """The client's message that the answer goes on with; None where it begins one of its own."""


class _Changed(Exception):
    """Somebody else went on with the chat meanwhile."""


@attrs.frozen(kw_only=True)
class _Fork:
    """The chat goes on in a copy of its thread, up to a message and with it."""

    source: Thread
    at: MessageId
    messages: tuple[Message, ...] = ()
    """None: its last turn is answered again."""


@attrs.frozen(kw_only=True)
class _Anew:
    """The chat goes on in an empty thread with all that the client has."""

    instead_of: Thread | None = None
    messages: tuple[Message, ...]
    shown_as: str | None = None


@attrs.frozen(kw_only=True)
class ContinueChat:
    """The client's list of messages is the truth of what the chat is, the thread holds what was said.

    Two that begin the same chat at once get one thread. Where the client goes back, the chat goes on in a fork, and
    the thread stays as it is.
    """

    _unit_of_work: UnitOfWorkFactory
    _forking: ThreadForking
    _clock: Clock
    _ids: IdGenerator

    async def execute(self, command: ContinueChatCommand) -> Continuation:
        """
        Raises:
            InvalidRequest: there is nothing to answer, or a message can't be sent to a model, or it can't be told
                which one is meant; nothing was changed.
            NotFound: there is no such session.
            Conflict: others change the chat all the time; or an exchange is too long to be read.
            Overloaded: as ThreadForking says.
            StorageUnavailable: nothing was changed.
        """
        for _ in range(_TRIES):
            try:
                step = await self._plan(command)
                if isinstance(step, _Fork):
                    return await self._fork(command, step)
                if isinstance(step, _Anew):
                    return await self._begin(command, step)
            except _Changed:
                continue
            return step
        raise Conflict(
            "the chat is being changed by others at the same time; read its messages, and try again"
        )

    async def _plan(self, command: ContinueChatCommand) -> Continuation | _Fork | _Anew:
        async with self._unit_of_work(command.tenant) as work:
            chat = await work.client_chats.get(command.chat_id)
            thread = None if chat is None else await work.threads.get(chat.thread_id)
            if command.idempotency is not None and await self._was_sent(work, command.idempotency):
                # What it led to stays as it is: it is answered as it was, or refused.
                return await _as_before(work, thread, command)
            if thread is None or thread.length == 0:
                messages, shown_as = _everything(command)
                if thread is None:
                    return _Anew(messages=messages, shown_as=shown_as)
                return Continuation(
                    thread_id=thread.id,
                    messages=messages,
                    own_history=len(messages) > 1,
                    history_is_for_new=messages[-1].role == "user",
                    shown_as=shown_as,
                )
            if command.trigger == "regenerate-message":
                return await self._again(work, thread, command)
            return await _further(work, thread, command)

    async def _was_sent(self, work: UnitOfWork, key: IdempotencyKey) -> bool:
        # Taken, if it is free, for the moment until this unit of work is left, which takes it back.
        return not isinstance(await work.idempotency.claim(key, owner=self._ids.new()), Claimed)

    async def _again(
        self, work: UnitOfWork, thread: Thread, command: ContinueChatCommand
    ) -> Continuation | _Fork | _Anew:
        """Another answer, in place of the one that is named."""
        messages = command.messages
        asked = _last_of(messages, ("user", "system"))
        place = await find_message(work, thread, command.message_id)
        if place is None:
            if command.is_whole and asked is not None:
                begins = await position_behind(work, thread, messages, asked)
                if begins is None:
                    return _Anew(instead_of=thread, messages=messages.turns(0, asked + 1))
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
                return _Anew(instead_of=thread, messages=messages.turns(0, asked + 1))
            raise InvalidRequest.of(
                Fault(path="messageId", message="nothing that this answers is stored; send all `messages`")
            )
        is_last = position_of(exchange[-1]) == thread.length - 1
        if is_last and all(each.message.role != "tool" for each in exchange):
            return Continuation(regenerates=exchange[-1].id)
        # What tools had to say is a part of the answer that is replaced.
        return _Fork(source=thread, at=question.id)

    async def _fork(self, command: ContinueChatCommand, step: _Fork) -> Continuation:
        last: list[MessageId] = []

        async def bind(work: UnitOfWork, fork: Thread, last_id: MessageId) -> None:
            await _rebind(work, command.chat_id, step.source, fork)
            last.append(last_id)

        fork = await self._forking.fork(command.tenant, step.source.id, step.at, further=bind)
        if step.messages:
            return Continuation(thread_id=fork.id, messages=step.messages)
        return Continuation(regenerates=last[-1])

    async def _begin(self, command: ContinueChatCommand, step: _Anew) -> Continuation:
        now = self._clock.now()
        async with self._unit_of_work(command.tenant) as work:
            if step.instead_of is None:
                if await work.client_chats.lock(command.chat_id) is not None:
                    raise _Changed
                named = canonical_id(command.chat_id)
                existing = None if named is None else await work.threads.get(ThreadId(named))
                if existing is not None:  # a chat that is called as a thread is goes on in it
                    await work.client_chats.bind(command.chat_id, existing.id, at=now)
                    await work.commit()
                    raise _Changed
                session_id = await self._session(work, command)
            else:
                session_id = step.instead_of.session_id
            thread = Thread(
                id=ThreadId(self._ids.new()),
                tenant=command.tenant,
                session_id=session_id,
                created_at=now,
                updated_at=now,
            )
            await work.threads.add(thread)
            if step.instead_of is None:
                await work.client_chats.bind(command.chat_id, thread.id, at=now)
            else:
                await _rebind(work, command.chat_id, step.instead_of, thread)
            await work.commit()
        return Continuation(
            thread_id=thread.id,
            messages=step.messages,
            own_history=len(step.messages) > 1,
            history_is_for_new=step.messages[-1].role == "user",
            shown_as=step.shown_as,
        )

    async def _session(self, work: UnitOfWork, command: ContinueChatCommand) -> SessionId:
        if command.session_id is not None:
            if await work.sessions.get(command.session_id) is None:
                raise no_session(command.session_id, for_chat=True)
            return command.session_id
        session = Session(
            id=SessionId(self._ids.new()),
            tenant=command.tenant,
            user=None if command.user is None else clean(command.user),
            created_at=self._clock.now(),
        )
        await work.sessions.add(session)
        return session.id


async def _rebind(work: UnitOfWork, chat_id: str, before: Thread, to: Thread) -> None:
    chat = await work.client_chats.lock(chat_id)
    if chat is None or chat.thread_id != before.id:
        raise _Changed
    await work.client_chats.bind(chat_id, to.id, at=to.created_at)


async def _further(
    work: UnitOfWork, thread: Thread, command: ContinueChatCommand
) -> Continuation | _Fork | _Anew:
    """What was submitted goes behind what the thread holds; where it replaces something, behind what was before."""
    messages = command.messages
    last = len(messages) - 1
    if messages[last].role == "assistant":
        results = messages.results(last)
        if not results:
            raise _nothing_to_answer(last)
        return Continuation(
            thread_id=thread.id, messages=results, own_history=True, shown_as=messages[last].id
        )
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
        return _Anew(instead_of=thread, messages=before)
    if begins >= thread.length:
        return Continuation(thread_id=thread.id, messages=turns)
    kept = await work.messages.page(thread.id, below=begins, limit=1, newest_first=True)
    if not kept:
        return _Anew(instead_of=thread, messages=turns)
    return _Fork(source=thread, at=kept[0].id, messages=turns)


def _everything(command: ContinueChatCommand) -> tuple[tuple[Message, ...], str | None]:
    """All that the client has, up to what is to be answered; and the message that the answer goes on with."""
    messages = command.messages
    last = len(messages) - 1
    if command.trigger == "regenerate-message":
        asked = _last_of(messages, ("user", "system"))
        if asked is None:
            raise InvalidRequest.of(
                Fault(path="messages", message="the chat has no message yet that could be answered; send one")
            )
        return messages.turns(0, asked + 1), None
    if messages[last].role == "assistant":
        if not messages.results(last):
            raise _nothing_to_answer(last)
        return messages.turns(0, last + 1), messages[last].id
    return messages.turns(0, last + 1), None


async def _as_before(work: UnitOfWork, thread: Thread | None, command: ContinueChatCommand) -> Continuation:
    """For a request that came before: should that one fail meanwhile, this goes on in the thread as it is now."""
    if thread is not None and command.trigger == "regenerate-message":
        newest = await work.messages.page(thread.id, limit=1, newest_first=True)
        if newest:
            return Continuation(regenerates=newest[0].id)
    messages, _ = _everything(command)
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
