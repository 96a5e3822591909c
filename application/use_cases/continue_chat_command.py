"""The command that ContinueChat takes, and what it answers."""

from typing import Literal

from application.services.client_history import ClientMessages
from domain.idempotency import IdempotencyKey
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.message import Message
from domain.values import frozen


@frozen(kw_only=True)
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
    """Of a new session; of a chat that has one it has to be that one's."""
    session_id: SessionId | None = None
    """Of a new chat; a new one where it is None."""
    idempotency: IdempotencyKey | None = None
    goes_back: bool = False
    """Whether the client gives up what it had: an answer, or all that came after an earlier message."""


@frozen(kw_only=True)
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
