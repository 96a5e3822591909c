"""What a caller gets: events while an answer grows, and the answer."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import attrs

from domain.attempt import Attempt
from domain.chat import FinishReason, TextDelta, ToolCallDelta
from domain.ids import MessageId, SessionId, ThreadId
from domain.json_value import JSONValue
from domain.limits.budget import BudgetState
from domain.message import Message, ToolCall
from domain.model import ModelRef
from domain.usage import Usage
from domain.values import frozen

LeftOutReason: TypeAlias = Literal[
    "token_budget",  # they fit the depth, not the model's window
    "size_limit",  # they exceed what is injected at most, whatever the window
    "summary_too_large",  # the model's window does not hold the summary that stands for them
    "unanswered",  # their answer failed or was cut, so they are half an exchange
    "superseded",  # another answer was made in their place
    "open_tool_call",  # a call without its result, or a result without its call
    "cut_by_depth",  # the depth ends inside their exchange
]


@frozen(kw_only=True)
class LeftOut:
    """Messages within the depth that are not in the prompt."""

    reason: LeftOutReason
    messages: int


@frozen(kw_only=True)
class ContextUse:
    """How much of the thread went into the prompt."""

    injected: int = 0
    """Pinned ones included; the summary is none of them."""
    dropped: int = 0
    """The sum of `left_out`."""
    pinned: int = 0
    """Of those injected, how many are there because they are pinned: the depth would not reach them."""
    summarised: int = 0
    """How many older messages the summary stands for; 0 without one."""
    left_out: tuple[LeftOut, ...] = ()
    is_known: bool = True
    """False where nobody knows any more: it is not stored with an answer."""


UNKNOWN_CONTEXT: Final = ContextUse(is_known=False)


@frozen(kw_only=True)
class ChatAnswer:
    """A committed answer."""

    message_id: MessageId
    thread_id: ThreadId
    session_id: SessionId
    output: JSONValue
    """The text, or the parsed value when `format` is json."""
    format: str
    model: ModelRef
    """The model that answered."""
    prompt_version: str | None
    finish_reason: FinishReason
    tool_calls: tuple[ToolCall, ...]
    usage: Usage
    """All calls that were paid for together: a second ask for valid JSON counts."""
    cost_usd: Decimal | None
    attempts: tuple[Attempt, ...]
    """Those that were sent, in order."""
    fallbacks: int = 0
    """Candidates that were given up or passed over before the one that answered."""
    context: ContextUse
    warnings: tuple[str, ...]
    overhead_s: float
    """Time not spent waiting for a provider."""
    budget: tuple[BudgetState, ...] = ()
    """Where the caller's budgets stand after it; not stored with it."""
    is_replay: bool = False
    """True where it was given before: the request came again with its Idempotency-Key."""


@frozen(kw_only=True)
class ChatAdmitted:
    """The chat has its ids, and will be asked. For those who keep the answer's events; readers get `ChatStarted`."""

    message_id: MessageId
    thread_id: ThreadId
    session_id: SessionId
    turns: tuple[Message, ...] = attrs.field(default=(), repr=False)
    """What it answers, as far as it is not stored yet: it is stored with the answer."""
    parent: MessageId | None = None
    """The stored message that these, or the answer, follow, whatever came behind it; None where that is the thread's
    last one."""
    user: str | None = attrs.field(default=None, repr=False, eq=False)
    """Whose session it is in. Other processes are not told of it here: see `domain.live_answer.name_of_user`."""


@frozen(kw_only=True)
class ChatStarted:
    """Somebody has begun to answer."""

    message_id: MessageId
    thread_id: ThreadId
    session_id: SessionId
    model: ModelRef
    prompt_version: str | None
    is_replay: bool = False


Delta = TextDelta
"""Readers get the pieces as providers say them: byte for byte, and at no cost."""
ToolCallGrew = ToolCallDelta


@frozen
class ToolCalled:
    call: ToolCall


@frozen(kw_only=True)
class Reset:
    """All deltas so far are void; another model, or the same one again, starts from the beginning."""

    reason: str
    from_model: ModelRef
    to_model: ModelRef


@frozen
class ChatDone:
    answer: ChatAnswer


ChatEvent: TypeAlias = ChatStarted | Delta | ToolCallGrew | ToolCalled | Reset | ChatDone
"""In order: ChatStarted, (Delta | ToolCallGrew | ToolCalled | Reset)*, ChatDone. A failure is raised instead."""

ChatSteps: TypeAlias = "ChatAdmitted | Sequence[ChatEvent]"
"""What a streamed chat yields: `ChatAdmitted` first, unless the answer was given before; then events, those together
that came at once."""
