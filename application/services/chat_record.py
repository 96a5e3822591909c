"""What a chat leaves behind, as rows to be."""

import datetime
from decimal import Decimal

import attrs

from application.services.accounting import Bill
from application.services.request_assembly import Assembly
from application.use_cases.chat_command import SendChatCommand
from domain.attempt import Attempt
from domain.chat import FinishReason
from domain.ids import MessageId, SessionId, ThreadId
from domain.message import Message
from domain.model import ModelRef
from domain.thread import ChatRecord, MessageStatus, Session, StoredMessage, Thread
from domain.usage import NO_USAGE


@attrs.frozen(kw_only=True)
class ChatIds:
    """All ids of a chat, made before it starts so that a retry of the commit is the same commit."""

    message: MessageId
    thread: ThreadId
    session: SessionId
    turns: tuple[MessageId, ...]


def answer_record(
    command: SendChatCommand,
    assembly: Assembly,
    ids: ChatIds,
    *,
    answer: Message,
    attempts: tuple[Attempt, ...],
    model: ModelRef,
    finish_reason: FinishReason,
    bill: Bill,
    latency_ms: int,
    now: datetime.datetime,
) -> ChatRecord:
    """The caller's new turns and the complete answer."""
    return _record(
        command,
        assembly,
        ids,
        attempts,
        now,
        StoredMessage(
            id=ids.message,
            tenant=command.tenant,
            thread_id=ids.thread,
            message=attrs.evolve(answer, token_count=bill.usage.output_tokens),
            format=assembly.request.format,
            model=model,
            finish_reason=finish_reason,
            usage=bill.usage,
            cost_usd=bill.cost_usd,
            latency_ms=latency_ms,
            metadata=command.metadata,
            created_at=now,
        ),
    )


def failure_record(
    command: SendChatCommand,
    assembly: Assembly,
    ids: ChatIds,
    *,
    status: MessageStatus,
    error_code: str | None,
    text: str,
    attempts: tuple[Attempt, ...],
    model: ModelRef | None,
    bill: Bill | None,
    latency_ms: int,
    now: datetime.datetime,
) -> ChatRecord:
    """The caller's new turns and an answer that is not one, with the text so far where there is some."""
    return _record(
        command,
        assembly,
        ids,
        attempts,
        now,
        StoredMessage(
            id=ids.message,
            tenant=command.tenant,
            thread_id=ids.thread,
            message=Message.of("assistant", text) if text else Message(role="assistant"),
            status=status,
            error_code=error_code,
            format=assembly.request.format,
            model=model,
            usage=NO_USAGE if bill is None else bill.usage,
            cost_usd=Decimal(0) if bill is None else bill.cost_usd,
            latency_ms=latency_ms,
            metadata=command.metadata,
            created_at=now,
        ),
    )


def _record(
    command: SendChatCommand,
    assembly: Assembly,
    ids: ChatIds,
    attempts: tuple[Attempt, ...],
    now: datetime.datetime,
    answer: StoredMessage,
) -> ChatRecord:
    tenant = command.tenant
    session = assembly.session or Session(id=ids.session, tenant=tenant, user=command.user, created_at=now)
    thread = assembly.thread or Thread(id=ids.thread, tenant=tenant, session_id=ids.session, created_at=now)
    turns = tuple(
        StoredMessage(id=turn_id, tenant=tenant, thread_id=ids.thread, message=message, created_at=now)
        for turn_id, message in zip(ids.turns, assembly.new_turns, strict=True)
    )
    return ChatRecord(
        session=session,
        new_session=assembly.session is None,
        thread=thread,
        new_thread=assembly.thread is None,
        messages=(*turns, answer),
        attempts=attempts,
    )
