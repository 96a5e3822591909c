"""The body of `POST /chat`: what it may hold, and the command it becomes."""

from typing import Any, Final, Literal, cast

import attrs

from application.use_cases.chat_command import NO_VARIABLES, SendChatCommand
from domain.access import ANYBODY, Caller
from domain.chat import Tool, ToolChoice
from domain.errors import InvalidRequest
from domain.ids import MessageId, SessionId, ThreadId
from domain.json_value import JSONObject, JSONValue
from domain.message import Message
from domain.values import frozen
from entrypoints.http.callers import user_of
from entrypoints.http.checks import (
    AnyObject,
    Boolean,
    Choice,
    Faults,
    Integer,
    ListOf,
    Number,
    Text,
    TextMap,
    TextOr,
    UUIDText,
    fault,
)
from entrypoints.http.message_body import MESSAGE, TEXT, MessageBody, look_over_messages, to_messages
from entrypoints.http.records import Record, given
from entrypoints.http.tool_body import TOOL, TOOL_CHOICE, ToolBody, ToolChoiceBody, to_tool_choice, to_tools

MAX_MESSAGES: Final = 1000
_MODEL: Final = Text(min_length=1, max_length=256)


def _own_first(_: type, fields: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    # People read the documentation from the top, and a record's own fields are what it is about.
    return sorted(fields, key=lambda field: field.inherited)  # type: ignore[attr-defined]  # attrs' own gap


@frozen(kw_only=True)
class AnswerOptions:
    """How an answer is made; whatever is left out is as configured."""

    system_prompt: str | None = given(
        Text(min_length=1, max_length=256),
        "A prompt of the Prompt Oven: `name` (its label `production`, else the newest version), `name:v3` or "
        "`name@label`. As configured by default.",
        example="support_agent:v3",
    )
    variables: JSONObject | None = given(
        AnyObject(),
        "The prompt's variables, each of the type that the prompt declares.",
        example={"name": "Ada"},
    )
    model: str | None = given(
        _MODEL,
        "`provider:model`, or an alias. The configured `primary` by default.",
        example="openai:gpt-5.2",
    )
    fallbacks: tuple[str, ...] | None = given(
        ListOf(item=_MODEL, max_items=10),
        "Models to try in order when `model` fails; `[]` turns falling back off. As configured by default.",
    )
    format: str | None = given(
        Text(min_length=1, max_length=64),
        "`raw`, `markdown` or `json`. As configured by default.",
        example="markdown",
    )
    schema: JSONObject | None = given(
        AnyObject(), "With `format` json: a JSON Schema that the answer has to validate against."
    )
    context_depth: int | None = given(
        Integer(minimum=0, maximum=200),
        "How many of the thread's last messages to inject. Only whole exchanges go in, each from the user's turn "
        "to its answer: a leading assistant turn is left out, and so is a turn that was not answered. "
        "As configured by default.",
    )
    memory: Literal["window", "summary"] | None = given(
        Choice(("window", "summary")),
        "`window`: the thread's last messages go into the prompt; `summary`: those, and what was before them in a "
        "few sentences of a cheap model. As configured by default.",
    )
    max_tokens: int | None = given(Integer(minimum=1, maximum=10_000_000), "The longest answer, in tokens.")
    temperature: float | None = given(Number(minimum=0, maximum=2), "Randomness: 0 is the least.")
    top_p: float | None = given(
        Number(minimum=0, maximum=1, open_below=True),
        "Nucleus sampling: the share of the probability to choose from.",
    )
    stop: str | tuple[str, ...] | None = given(
        TextOr(
            text=Text(min_length=1, max_length=256),
            other=ListOf(item=Text(min_length=1, max_length=256), max_items=4),
        ),
        "Texts that end the answer, at most 4.",
    )
    seed: int | None = given(
        Integer(minimum=-(2**63), maximum=2**63 - 1), "For repeatable sampling, best effort."
    )
    tools: tuple[ToolBody, ...] | None = given(
        ListOf(item=TOOL, max_items=128), "Functions that the model may call, in OpenAI's shape."
    )
    tool_choice: str | ToolChoiceBody | None = given(
        TOOL_CHOICE, "`auto`, `none`, `required`, or one function, in OpenAI's shape."
    )
    stream: bool | None = given(Boolean(), "Answer as server-sent events.", default=False)
    metadata: tuple[tuple[str, str], ...] | None = given(
        TextMap(max_items=16, key=Text(min_length=1, max_length=64), value=Text(max_length=512)),
        "Stored with the message: at most 16 strings.",
    )
    on_disconnect: Literal["finish", "cancel"] | None = given(
        Choice(("finish", "cancel")),
        "What a disconnect does: `finish` lets the answer end and stores it, `cancel` cuts it.",
        default="finish",
    )


@frozen(kw_only=True, field_transformer=_own_first)
class ChatBody(AnswerOptions):
    """A chat. Exactly one of `prompt` and `messages` is given; whatever is left out is as configured."""

    prompt: str | None = given(TEXT, "The user's text.", example="What is a hexagonal architecture?")
    messages: tuple[MessageBody, ...] | None = given(
        ListOf(item=MESSAGE, min_items=1, max_items=MAX_MESSAGES),
        "The caller's own history, oldest first, ending in the turn to answer (user or tool). "
        "Nothing is injected from the thread then, unless it begins with the results of the tool calls that the "
        "thread's last answer made: those go on from there.",
    )
    thread_id: str | None = given(UUIDText(), "The thread to continue; a new one where it is left out.")
    session_id: str | None = given(
        UUIDText(), "Groups the threads of one user; a new one where it is left out."
    )
    user: str | None = given(
        Text(max_length=256),
        "The caller's opaque id of its end user; empty is none. Of a thread or session that has a user it has to be that one; "
        "one that has none takes any, and keeps none.",
        example="u-4711",
    )


@frozen(kw_only=True)
class RegenerateBody(AnswerOptions):
    """Another answer in place of a thread's last one; whatever is left out is as configured."""


REGENERATE: Final = Record(RegenerateBody)
CHAT: Final = Record(ChatBody)


def read_command(
    value: JSONValue, *, request_id: str, accepts_stream: bool, caller: Caller = ANYBODY
) -> SendChatCommand:
    """The command in a decoded body. `accepts_stream` is true where the Accept header asks for events.

    Raises:
        InvalidRequest: with every fault at once, each with its path.
        Forbidden: it is for another user than the caller is bound to.
    """
    if isinstance(value, dict) and _OFTEN_ALONE.issuperset(value):
        command = _plain_command(value, request_id, caller, accepts_stream=accepts_stream)
        if command is not None:
            return command
    faults: Faults = []
    body = CHAT.read(value, "", faults)
    if isinstance(value, dict) and (value.get("prompt") is None) == (value.get("messages") is None):
        which = "neither is given" if value.get("prompt") is None else "both are given"
        fault(faults, "prompt", f"exactly one of `prompt` and `messages` is needed; {which}")
    if body is None or faults:
        if isinstance(value, dict):
            _look_further(value, faults)
        raise InvalidRequest.of(*faults)
    messages = _turns(body, faults)
    tools, choice = read_tools(body.tools, body.tool_choice, faults)
    if faults:
        raise InvalidRequest.of(*faults)
    return SendChatCommand(
        request_id=request_id,
        tenant=caller.tenant,
        caller=caller,
        messages=messages,
        own_history=body.messages is not None,
        thread_id=cast("ThreadId | None", body.thread_id),
        session_id=cast("SessionId | None", body.session_id),
        user=user_of(caller, body.user or None),
        stream=accepts_stream or bool(body.stream),
        tools=tools,
        tool_choice=choice,
        **options_of(body),
    )


_OFTEN_ALONE: Final = frozenset(("prompt", "stream", "thread_id", "session_id", "user"))
"""The fields that most bodies have no others than."""


def _plain_command(
    value: JSONObject, request_id: str, caller: Caller, *, accepts_stream: bool
) -> SendChatCommand | None:
    """The command in a body of those fields, at half the cost; None where it has a fault, or no prompt."""
    body = CHAT.acceptable(value)
    prompt = None if body is None else body.get("prompt")
    if body is None or prompt is None:
        return None
    return SendChatCommand(
        request_id=request_id,
        tenant=caller.tenant,
        caller=caller,
        messages=(Message.of("user", prompt),),
        thread_id=body.get("thread_id"),
        session_id=body.get("session_id"),
        user=user_of(caller, body.get("user") or None),
        stream=accepts_stream or bool(body.get("stream")),
    )


def read_regeneration(
    value: JSONValue,
    message_id: MessageId,
    *,
    request_id: str,
    accepts_stream: bool,
    caller: Caller = ANYBODY,
) -> SendChatCommand:
    """The command in the body of a regeneration. Raises as `read_command` does."""
    faults: Faults = []
    body = REGENERATE.read(value, "", faults)
    if body is None:
        if isinstance(value, dict):
            _look_further(value, faults)
        raise InvalidRequest.of(*faults)
    tools, choice = read_tools(body.tools, body.tool_choice, faults)
    if faults:
        raise InvalidRequest.of(*faults)
    return SendChatCommand(
        request_id=request_id,
        tenant=caller.tenant,
        caller=caller,
        user=caller.user,
        regenerates=message_id,
        stream=accepts_stream or bool(body.stream),
        tools=tools,
        tool_choice=choice,
        **options_of(body),
    )


def options_of(body: AnswerOptions) -> dict[str, Any]:
    """The fields of the command that are the body's own, under the same names."""
    stop = body.stop
    return {
        "system_prompt": body.system_prompt,
        "variables": body.variables or NO_VARIABLES,
        "model": body.model,
        "fallbacks": body.fallbacks,
        "format": body.format,
        "schema": body.schema,
        "context_depth": body.context_depth,
        "memory": body.memory,
        "max_tokens": body.max_tokens,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "stop": () if stop is None else (stop,) if isinstance(stop, str) else stop,
        "seed": body.seed,
        "metadata": body.metadata or (),
        "on_disconnect": body.on_disconnect or "finish",
    }


def _turns(body: ChatBody, faults: Faults) -> tuple[Message, ...]:
    if body.messages is not None:
        return to_messages(body.messages, faults, continues=body.thread_id is not None)
    return (Message.of("user", body.prompt or ""),)


def read_tools(
    bodies: tuple[ToolBody, ...] | None, choice: str | ToolChoiceBody | None, faults: Faults
) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    tools = () if bodies is None else to_tools(bodies, faults)
    return tools, None if choice is None else to_tool_choice(choice, tools, faults)


def _look_further(value: JSONObject, faults: Faults) -> None:
    """Checks what spans fields, as far as a body with faults lets one see."""
    bad = {each.path.partition("[")[0].partition(".")[0] for each in faults}
    if isinstance(value.get("messages"), list) and all(each.path != "messages" for each in faults):
        look_over_messages(value["messages"], faults, continues=value.get("thread_id") is not None)
    if not bad & {"tools", "tool_choice"}:
        read_tools(CHAT.field("tools", value), CHAT.field("tool_choice", value), faults)
