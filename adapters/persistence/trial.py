"""What a writer stores and takes back, to find out whether chats could be stored."""

import datetime
import uuid

from adapters.persistence.months import first_id_at
from domain.attempt import Attempt
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, ThreadId
from domain.message import Message
from domain.model import ModelRef
from domain.thread import ChatRecord, Session, StoredMessage, Thread


def trial_record() -> ChatRecord:
    """A chat of now, in a thread and a session of its own."""
    now = datetime.datetime.now(datetime.UTC)
    tenant, model = DEFAULT_TENANT, ModelRef("lor3", "trial")
    session = Session(id=SessionId(_id(now)), tenant=tenant, created_at=now)
    thread = Thread(id=ThreadId(_id(now)), tenant=tenant, session_id=session.id, created_at=now)
    message = StoredMessage(
        id=MessageId(_id(now)),
        tenant=tenant,
        thread_id=thread.id,
        message=Message.of("user", "trial"),
        created_at=now,
    )
    return ChatRecord(
        session=session,
        new_session=True,
        thread=thread,
        new_thread=True,
        messages=(message,),
        attempts=(Attempt(model=model, outcome="ok", started_at=now, latency_ms=0),),
    )


def _id(now: datetime.datetime) -> str:
    """A UUIDv7, so that its rows go to this month's partitions."""
    return f"{first_id_at(now)[:14]}7{str(uuid.uuid4())[15:]}"
