"""Find out how a client's chat goes on: in which thread, and with what."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.absence import no_session
from application.services.chat_steps import (
    Anew,
    Fork,
    as_before,
    asked_by_client,
    everything,
    replaced_answer,
    submitted,
)
from application.services.thread_forking import ThreadForking
from application.services.thread_lookup import canonical_id
from application.use_cases.chat_command import SendChatCommand
from application.use_cases.continue_chat_command import Continuation, ContinueChatCommand
from application.use_cases.stop_answer import StopAnswer, UnderWay
from domain.clean_text import clean
from domain.client_chat import answer_name
from domain.errors import Conflict, InvalidRequest, LorError
from domain.idempotency import Claimed, IdempotencyKey
from domain.ids import MessageId, SessionId, ThreadId
from domain.message import Message, TextPart
from domain.thread import Session, Thread
from domain.values import frozen

Sends: TypeAlias = Callable[[Continuation], SendChatCommand]
Judge: TypeAlias = Callable[[SendChatCommand], Awaitable[None]]
"""As SendChat.judge."""

_TRIES: Final = 3
"""Of finding the chat as it was a moment ago."""


_ANYTHING: Final = (Message(role="user", parts=(TextPart(text="?"),)),)
"""In place of a turn that can't be known yet: what is judged is all the rest."""


class _Changed(Exception):
    """Somebody else went on with the chat meanwhile."""


@frozen(kw_only=True)
class ContinueChat:
    """The client's list of messages is the truth of what the chat is, the thread holds what was said.

    Two that begin the same chat at once get one thread. Where the client goes back, the chat goes on in a fork, and
    the thread stays as it is.
    """

    _unit_of_work: UnitOfWorkFactory
    _forking: ThreadForking
    _judge: Judge
    _stops: StopAnswer
    _clock: Clock
    _ids: IdGenerator

    async def execute(self, command: ContinueChatCommand, *, sends: Sends) -> Continuation:
        """Changes nothing before it is known that the chat would be begun: a refusal leaves the chat as it was. Of a
        client that goes back the answer that is being made is stopped then.

        Args:
            sends: makes what is sent; also of a continuation that is only to be judged.

        Raises:
            InvalidRequest: there is nothing to answer, or a message can't be sent to a model, or it can't be told
                which one is meant.
            ChatFailed, LorError: as SendChat.judge says.
            NotFound: there is no such session.
            Conflict: others change the chat all the time; or an exchange is too long to be read.
            Overloaded: as ThreadForking says.
            StorageUnavailable: nothing was changed.
        """
        if command.goes_back:
            await self._turn_away(command, sends)
        for _ in range(_TRIES):
            try:
                step = await self._plan(command)
                if isinstance(step, Continuation):
                    return step
                await self._judge(sends(_to_judge(step)))
                if isinstance(step, Fork):
                    return await self._fork(command, step)
                return await self._begin(command, step)
            except _Changed:
                continue
        raise Conflict(
            "the chat is being changed by others at the same time; read its messages, and try again"
        )

    async def _turn_away(self, command: ContinueChatCommand, sends: Sends) -> None:
        """Ends the answer that is being made, if the request would not be refused; why it ended is told elsewhere."""
        name = answer_name(command.chat_id)
        live = await self._stops.under_way(command.tenant, name)
        if live is None or await self._is_sent_again(command, live):
            return
        try:
            step = await self._plan(command)
            judged = step if isinstance(step, Continuation) else _to_judge(step)
        except InvalidRequest:
            if command.message_id is None or command.message_id != live.message_id:
                raise
            # It is stored as soon as it is stopped: that it is not yet is no fault.
            judged = Continuation(
                messages=asked_by_client(command) or _ANYTHING,
                thread_id=await self._bound_to(command),
                own_history=True,
            )
        await self._judge(sends(judged))
        with contextlib.suppress(LorError):
            await self._stops.by_name(command.tenant, name)

    async def _is_sent_again(self, command: ContinueChatCommand, live: UnderWay) -> bool:
        if command.idempotency is None:
            return False
        if live.idempotency is not None and live.idempotency.key == command.idempotency.key:
            return True  # it may not have taken its key yet
        async with self._unit_of_work(command.tenant) as work:
            return await self._was_sent(work, command.idempotency)

    async def _bound_to(self, command: ContinueChatCommand) -> ThreadId | None:
        async with self._unit_of_work(command.tenant) as work:
            chat = await work.client_chats.get(command.chat_id)
            return None if chat is None else chat.thread_id

    async def _plan(self, command: ContinueChatCommand) -> Continuation | Fork | Anew:
        async with self._unit_of_work(command.tenant) as work:
            chat = await work.client_chats.get(command.chat_id)
            thread = None if chat is None else await work.threads.get(chat.thread_id)
            if command.idempotency is not None and await self._was_sent(work, command.idempotency):
                # What it led to stays as it is: it is answered as it was, or refused.
                return await as_before(work, thread, command)
            if thread is None or thread.length == 0:
                messages, shown_as = everything(command)
                if thread is None:
                    return Anew(messages=messages, shown_as=shown_as)
                return Continuation(
                    thread_id=thread.id,
                    messages=messages,
                    own_history=len(messages) > 1,
                    history_is_for_new=messages[-1].role == "user",
                    shown_as=shown_as,
                )
            if command.trigger == "regenerate-message":
                return await replaced_answer(work, thread, command)
            return await submitted(work, thread, command)

    async def _was_sent(self, work: UnitOfWork, key: IdempotencyKey) -> bool:
        # Taken, if it is free, for the moment until this unit of work is left, which takes it back.
        return not isinstance(await work.idempotency.claim(key, owner=self._ids.new()), Claimed)

    async def _fork(self, command: ContinueChatCommand, step: Fork) -> Continuation:
        last: list[MessageId] = []

        async def bind(work: UnitOfWork, fork: Thread, last_id: MessageId) -> None:
            await _rebind(work, command.chat_id, step.source, fork)
            last.append(last_id)

        fork = await self._forking.fork(command.tenant, step.source.id, step.at, further=bind)
        if step.messages:
            return Continuation(thread_id=fork.id, messages=step.messages)
        return Continuation(regenerates=last[-1])

    async def _begin(self, command: ContinueChatCommand, step: Anew) -> Continuation:
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


def _to_judge(step: Fork | Anew) -> Continuation:
    """The same turns, in the thread that the chat is in as yet."""
    return Continuation(
        thread_id=None if step.source is None else step.source.id, messages=step.asks, own_history=True
    )


async def _rebind(work: UnitOfWork, chat_id: str, before: Thread, to: Thread) -> None:
    chat = await work.client_chats.lock(chat_id)
    if chat is None or chat.thread_id != before.id:
        raise _Changed
    await work.client_chats.bind(chat_id, to.id, at=to.created_at)
