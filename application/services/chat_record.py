"""What a chat leaves behind, as rows to be."""

import datetime
from decimal import Decimal

from application.services.accounting import Bill
from application.services.request_assembly import Assembly
from application.use_cases.chat_command import SendChatCommand
from domain.attempt import Attempt
from domain.chat import FinishReason
from domain.idempotency import KeyCompletion
from domain.ids import MessageId, SessionId, ThreadId
from domain.limits.budget import Spend
from domain.message import Message, TextPart, ToolCall
from domain.model import ModelRef
from domain.thread import ChatRecord, MessageStatus, Session, StoredMessage, Thread
from domain.usage import NO_USAGE
from domain.values import frozen, maker

_stored = maker(StoredMessage)
_message = maker(Message)
_text = maker(TextPart)
_session = maker(Session)
_thread = maker(Thread)
_record = maker(ChatRecord)


@frozen(kw_only=True)
class ChatIds:
    """All ids of a chat, made before it starts so that a retry of the commit is the same commit."""

    message: MessageId
    thread: ThreadId
    session: SessionId
    turns: tuple[MessageId, ...]


def chat_record(
    command: SendChatCommand,
    assembly: Assembly,
    ids: ChatIds,
    *,
    text: str,
    tool_calls: tuple[ToolCall, ...] = (),
    status: MessageStatus,
    attempts: tuple[Attempt, ...],
    model: ModelRef | None,
    bill: Bill | None,
    latency_ms: int,
    now: datetime.datetime,
    token_count: int = 0,
    finish_reason: FinishReason | None = None,
    error_code: str | None = None,
    completes: KeyCompletion | None = None,
    spends: tuple[Spend, ...] = (),
) -> ChatRecord:
    """The caller's new turns and the answer, or what there is of it; without a bill nothing was paid for.

    Args:
        text: of the answer, or what there is of it.
        token_count: of the answer alone; the bill may hold further calls.
    """
    tenant = command.tenant
    usage = NO_USAGE if bill is None else bill.usage
    turns: list[StoredMessage] = []
    parent = assembly.parent
    for turn_id, message in zip(ids.turns, assembly.new_turns, strict=True):
        turns.append(
            _stored(
                id=turn_id,
                tenant=tenant,
                thread_id=ids.thread,
                message=message,
                parent=parent,
                created_at=now,
            )
        )
        parent = turn_id
    reply = _stored(
        id=ids.message,
        tenant=tenant,
        thread_id=ids.thread,
        message=_message(
            role="assistant",
            # An empty text is no part at all.
            parts=(_text(text=text),) if text else (),
            tool_calls=tool_calls,
            token_count=token_count,
        ),
        status=status,
        error_code=error_code,
        parent=parent,
        format=assembly.request.format,
        model=model,
        prompt_version=assembly.prompt_version,
        prompt_label=assembly.prompt_label,
        finish_reason=finish_reason,
        usage=usage,
        cost_usd=Decimal(0) if bill is None else bill.cost_usd,
        latency_ms=latency_ms,
        key_id=command.caller.key_id,
        metadata=command.metadata,
        created_at=now,
    )
    return _record(
        session=assembly.session
        or _session(id=ids.session, tenant=tenant, user=command.user, created_at=now),
        new_session=assembly.session is None,
        thread=assembly.thread
        or _thread(id=ids.thread, tenant=tenant, session_id=ids.session, created_at=now),
        new_thread=assembly.thread is None,
        messages=(*turns, reply),
        attempts=attempts,
        completes=completes,
        spends=spends,
    )
