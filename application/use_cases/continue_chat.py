"""Find out how a client's chat goes on: in which thread, and with what."""

from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.absence import no_session
from application.services.chat_steps import (
    Anew,
    Fork,
    as_before,
    everything,
    replaced_answer,
    submitted,
)
from application.services.thread_forking import ThreadForking
from application.services.thread_lookup import canonical_id
from application.use_cases.continue_chat_command import Continuation, ContinueChatCommand
from domain.clean_text import clean
from domain.errors import Conflict
from domain.idempotency import Claimed, IdempotencyKey
from domain.ids import MessageId, SessionId, ThreadId
from domain.thread import Session, Thread

_TRIES: Final = 3
"""Of finding the chat as it was a moment ago."""


class _Changed(Exception):
    """Somebody else went on with the chat meanwhile."""


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
                if isinstance(step, Fork):
                    return await self._fork(command, step)
                if isinstance(step, Anew):
                    return await self._begin(command, step)
            except _Changed:
                continue
            return step
        raise Conflict(
            "the chat is being changed by others at the same time; read its messages, and try again"
        )

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


async def _rebind(work: UnitOfWork, chat_id: str, before: Thread, to: Thread) -> None:
    chat = await work.client_chats.lock(chat_id)
    if chat is None or chat.thread_id != before.id:
        raise _Changed
    await work.client_chats.bind(chat_id, to.id, at=to.created_at)
