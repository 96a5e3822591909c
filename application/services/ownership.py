"""What is a bound caller's own: the one place that says so.

A caller who is bound to a user is that user's browser. To it what belongs to others is absent, in the very words that
an id gets which nobody has. Nothing is looked up for callers who are not bound: their tenant is all that binds them.
"""

import hashlib
from typing import Final

from application.ports.clock import Clock
from application.ports.event_log import AnswerAddress, EventLog
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.absence import no_message, no_session, no_thread
from application.services.live_answers import LiveAnswers
from application.services.mirrors import LOOK_AGAIN_S, LOOKS, Mirrors
from application.services.thread_lookup import canonical_id
from domain.access import Caller
from domain.clean_text import clean
from domain.client_chat import answer_name
from domain.errors import StorageUnavailable
from domain.ids import MessageId, SessionId, ThreadId
from domain.live_answer import name_of_user
from domain.thread import Session
from domain.values import frozen

_DIGITS: Final = 32
"""Of a user's digest: 128 bits."""


def is_foreign(caller: Caller, session: Session | None) -> bool:
    """Whether a bound caller may not know of what is in the session; of what is in none that is stored, too."""
    return caller.user is not None and (session is None or session.user != clean(caller.user))


@frozen(kw_only=True)
class Ownership:
    """One query each, and none for a caller who is not bound.

    Raises (from each method):
        StorageUnavailable: the database is away.
    """

    _unit_of_work: UnitOfWorkFactory
    _live: LiveAnswers
    _event_log: EventLog
    _mirrors: Mirrors
    _clock: Clock

    async def session(self, caller: Caller, session_id: SessionId, *, for_chat: bool = False) -> None:
        """
        Args:
            for_chat: as in `no_session`.

        Raises:
            NotFound: it is absent, or another user's.
        """
        if caller.user is None:
            return
        known = canonical_id(session_id)
        session: Session | None = None
        if known is not None:
            async with self._unit_of_work(caller.tenant) as work:
                session = await work.sessions.get(SessionId(known))
        if is_foreign(caller, session):
            raise no_session(session_id, for_chat=for_chat)

    async def thread(self, caller: Caller, thread_id: ThreadId, *, for_chat: bool = False) -> None:
        """As `session`."""
        if caller.user is None:
            return
        known = canonical_id(thread_id)
        session: Session | None = None
        if known is not None:
            async with self._unit_of_work(caller.tenant) as work:
                session = await work.sessions.of_thread(ThreadId(known))
        if is_foreign(caller, session):
            raise no_thread(thread_id, for_chat=for_chat)

    async def message(self, caller: Caller, message_id: MessageId) -> None:
        """As `session`."""
        if caller.user is not None and is_foreign(caller, await self._session_of(caller, message_id)):
            raise no_message(message_id)

    async def answer(self, caller: Caller, message_id: MessageId) -> None:
        """As `session`, of an answer that need not be stored yet, made here or by another process.

        Raises:
            AnswerUnknown: it is neither made here nor stored, and whether it is made elsewhere can't be found out now.
        """
        if caller.user is None:
            return
        known = canonical_id(message_id)
        if known is None:
            raise no_message(message_id)
        user, address = clean(caller.user), AnswerAddress(caller.tenant, MessageId(known))
        live = self._live.find(address.tenant, address.message_id)
        if live is not None and live.user is not None and clean(live.user) == user:
            return
        away: StorageUnavailable | None = None
        try:
            session = await self._session_of(caller, address.message_id)
            if session is not None:
                if is_foreign(caller, session):
                    raise no_message(message_id)
                return
        except StorageUnavailable as error:
            away = error
        if live is None and await self._is_made_elsewhere(user, address):
            return
        raise away or no_message(message_id)

    async def client_chat(self, caller: Caller, chat_id: str) -> str:
        """The id by which the caller's chat of that name is kept.

        Clients make up these ids, so two users may have the same: a bound caller's chats are kept apart by user. Chats
        of theirs that somebody else began for them, and threads of theirs by their own id, are found as well.
        """
        if caller.user is None:
            return chat_id
        user = clean(caller.user)
        own = f"{user_digest(user)}:{chat_id}"
        if self._live.named(caller.tenant, answer_name(own)) is not None:
            return own
        async with self._unit_of_work(caller.tenant) as work:
            if await work.client_chats.get(own) is not None:
                return own
            chat = await work.client_chats.get(chat_id)
            thread_id = canonical_id(chat_id) if chat is None else chat.thread_id
            session = None if thread_id is None else await work.sessions.of_thread(ThreadId(thread_id))
        return own if is_foreign(caller, session) else chat_id

    async def _session_of(self, caller: Caller, message_id: MessageId) -> Session | None:
        known = canonical_id(message_id)
        if known is None:
            return None
        async with self._unit_of_work(caller.tenant) as work:
            return await work.sessions.of_message(MessageId(known))

    async def _is_made_elsewhere(self, user: str, address: AnswerAddress) -> bool:
        if not self._event_log.is_shared:
            return False
        name = name_of_user(user, address.message_id)
        for _ in range(LOOKS):
            found = await self._event_log.find(address.tenant, name)
            if found is not None or not self._mirrors.is_new(address):
                return found == address.message_id
            await self._clock.sleep(LOOK_AGAIN_S)  # its process may not have told of it yet
        return False


def user_digest(user: str) -> str:
    """What tells a user's things from others' where they would go by the same name: nobody can make up a second user
    with the same one."""
    return hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
