"""Where a chat belongs: the session, the thread and the turn that it goes on from."""

import attrs

from application.ports.conversation_reader import ConversationReader
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.absence import no_message, no_session, no_thread
from application.services.open_calls import find_open_calls
from application.services.ownership import is_foreign
from application.services.regeneration import find_regeneration
from application.use_cases.chat_command import SendChatCommand
from application.use_cases.inject_memory import Injection, InjectMemory, InjectMemoryCommand
from domain.chat_defaults import ChatDefaults
from domain.clean_text import clean
from domain.errors import Absent, Fault, InvalidRequest
from domain.ids import MessageId, ThreadId
from domain.message import Message
from domain.thread import Conversation, Session, Thread
from domain.values import frozen, maker


@frozen(kw_only=True)
class Place:
    """Where a chat belongs and what it asks."""

    session: Session | None
    thread: Thread | None = None
    injection: Injection | None = None
    history: tuple[Message, ...] = ()
    turns: tuple[Message, ...]
    new_turns: tuple[Message, ...] = ()
    parent: MessageId | None = None


_place = maker(Place)


@frozen(kw_only=True)
class Placement:
    defaults: ChatDefaults
    unit_of_work: UnitOfWorkFactory
    conversations: ConversationReader
    memory: InjectMemory

    async def find(self, command: SendChatCommand) -> Place:
        """Where the chat belongs, and what is asked: one round trip, more where a stored exchange is gone on with."""
        if command.regenerates is not None:
            found = await find_regeneration(self.unit_of_work, command.tenant, command.regenerates)
            injection = await self._inject(command, found.thread_id, below=found.below)
            if is_foreign(command.caller, injection.conversation.session):
                raise no_message(command.regenerates)
            _demand_place(injection.conversation, command)
            return _place(
                session=injection.conversation.session,
                thread=injection.conversation.thread,
                injection=injection,
                turns=found.turns,
                parent=found.parent,
            )
        if command.thread_id is not None and command.own_history and command.messages[0].role == "tool":
            found = await find_open_calls(
                self.unit_of_work, command.tenant, command.thread_id, command.messages
            )
            injection = await self._inject(command, found.thread_id, below=found.below)
            if is_foreign(command.caller, injection.conversation.session):
                raise no_thread(command.thread_id, for_chat=True)
            _demand_place(injection.conversation, command)
            return _place(
                session=injection.conversation.session,
                thread=injection.conversation.thread,
                injection=injection,
                turns=found.turns + command.messages,
                new_turns=command.messages,
                parent=found.parent,
            )
        history, turns = (_split if command.own_history else _instructed)(command.messages)
        if command.thread_id is not None:
            try:
                injection = await self._inject(
                    command, command.thread_id, depth=0 if command.own_history else None
                )
            except Absent:
                raise no_thread(command.thread_id, for_chat=True) from None
            conversation = injection.conversation
            if is_foreign(command.caller, conversation.session):
                raise no_thread(command.thread_id, for_chat=True)
            if command.history_is_for_new and conversation.thread.length > 0:
                last = command.messages[-1:]
                return await self.find(
                    attrs.evolve(command, messages=last, own_history=False, history_is_for_new=False)
                )
            _demand_place(conversation, command)
            new_turns = turns
            if command.own_history:
                # A thread that was opened and not written to yet holds nothing of it.
                is_begun = conversation.thread.length > 0
                new_turns = _after_last_answer(command.messages) if is_begun else command.messages
            return _place(
                session=conversation.session,
                thread=conversation.thread,
                injection=None if command.own_history else injection,
                history=history,
                turns=turns,
                new_turns=new_turns,
            )
        session: Session | None = None
        if command.session_id is not None:
            session = await self.conversations.session(command.tenant, command.session_id)
            if session is None or is_foreign(command.caller, session):
                raise no_session(command.session_id, for_chat=True)
            _demand_user(session, command.user, of="session_id")
        new_turns = command.messages if command.own_history else turns
        return _place(session=session, history=history, turns=turns, new_turns=new_turns)

    async def _inject(
        self,
        command: SendChatCommand,
        thread_id: ThreadId,
        *,
        below: int | None = None,
        depth: int | None = None,
    ) -> Injection:
        if depth is None:
            depth = command.context_depth
        if depth is None:
            depth = self.defaults.context_depth
        return await self.memory.execute(
            InjectMemoryCommand(
                tenant=command.tenant,
                thread_id=thread_id,
                depth=depth,
                mode=command.memory or self.defaults.memory,
                below=below,
            )
        )


def _demand_place(conversation: Conversation, command: SendChatCommand) -> None:
    if command.session_id not in (None, conversation.session.id):
        message = "the thread belongs to another session; leave `session_id` out"
        raise InvalidRequest.of(Fault(path="session_id", message=message))
    _demand_user(conversation.session, command.user, of="thread_id")


def _demand_user(session: Session, user: str | None, *, of: str) -> None:
    """A session that is nobody's takes whatever user is named, and does not keep it."""
    if None not in (user, session.user) and clean(user) != session.user:
        what = "thread" if of == "thread_id" else "session"
        message = f"the {what} is not this user's; leave `user` out, or leave `{of}` out to start a {what} of theirs"
        raise InvalidRequest.of(Fault(path="user", message=message))


def _split(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The caller's own history, and the turns after the last answer: a tool's results stay with their call."""
    index = len(messages) - 1
    while index > 0 and messages[index - 1].role not in ("assistant", "system"):
        index -= 1
    if messages[index].role == "tool":
        index -= 1
        while index > 0 and messages[index - 1].role == "user":
            index -= 1
    return messages[: max(index, 0)], messages[max(index, 0) :]


def _instructed(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """System turns in front, which are for this answer alone and no part of the thread, and the turn to answer."""
    return messages[:-1], messages[-1:]


def _after_last_answer(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """What a continued thread does not hold yet."""
    answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
    return messages[answers[-1] + 1 :] if answers else messages
