"""Sessions, threads and messages by their ids.

An id that is no UUID names nothing, as one that nobody has: both are told in the same words, and no store is
asked for it.
"""

import re
import uuid
from typing import Final

from application.ports.unit_of_work import UnitOfWork
from application.services.absence import no_message, no_session, no_thread
from domain.errors import PreconditionFailed
from domain.ids import MessageId, SessionId, ThreadId
from domain.thread import Session, StoredMessage, Thread

_UUID: Final = re.compile("[0-9a-fA-F]{8}(?:(?:-[0-9a-fA-F]{4}){3}-|[0-9a-fA-F]{12})[0-9a-fA-F]{12}")
"""As RFC 9562 writes it (section 4), and its digits alone."""


async def existing_session(work: UnitOfWork, session_id: SessionId) -> Session:
    """
    Raises:
        NotFound: there is no such session, or it is another tenant's.
    """
    known = canonical_id(session_id)
    session = None if known is None else await work.sessions.get(SessionId(known))
    if session is None:
        raise no_session(session_id)
    return session


async def existing_thread(work: UnitOfWork, thread_id: ThreadId) -> Thread:
    """
    Raises:
        NotFound: there is no such thread, it was deleted, or it is another tenant's.
    """
    known = canonical_id(thread_id)
    thread = None if known is None else await work.threads.get(ThreadId(known))
    if thread is None:
        raise no_thread(thread_id)
    return thread


async def locked_thread(work: UnitOfWork, thread_id: ThreadId) -> Thread:
    """As `existing_thread`; nobody else can change it until the unit of work ends."""
    known = canonical_id(thread_id)
    thread = None if known is None else await work.threads.lock(ThreadId(known))
    if thread is None:
        raise no_thread(thread_id)
    return thread


async def existing_message(work: UnitOfWork, message_id: MessageId) -> StoredMessage:
    """
    Raises:
        NotFound: there is no such message, its thread was deleted, or it is another tenant's.
    """
    known = canonical_id(message_id)
    message = None if known is None else await work.messages.get(MessageId(known))
    if message is None:
        raise no_message(message_id)
    return message


def demand_match(thread: Thread, if_match: tuple[str, ...] | None) -> None:
    """If-Match, as RFC 9110 has it (section 13.1.1): strong comparison, `*` is any that exists.

    Raises:
        PreconditionFailed: the thread has none of these ETags.
    """
    if if_match is not None and thread.etag not in if_match and "*" not in if_match:
        raise PreconditionFailed(
            f"the thread {thread.id} was changed or continued since: its ETag is {thread.etag} now; "
            "read it again, and repeat the change on what it says"
        )


def position_of(stored: StoredMessage) -> int:
    """Its place in the thread, which everything that was read from a store has."""
    assert stored.position is not None  # noqa: S101 - given by the store when it commits
    return stored.position


def canonical_id(text: str) -> str | None:
    """The one spelling of a UUID by which it is stored; None for what is no UUID."""
    # Not what `uuid.UUID` takes: that drops braces, `urn:` and hyphens wherever they are, and reads any digits.
    if _UUID.fullmatch(text) is None:
        return None
    return str(uuid.UUID(text))
