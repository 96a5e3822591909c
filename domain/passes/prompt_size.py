"""How large a prompt is: at most, which is quick, or counted."""

import json
import math
from collections.abc import Mapping

from domain.chat import ChatRequest, Tool
from domain.json_value import JSONObject, JSONValue
from domain.message import Message, TextPart
from domain.model import ModelSpec
from domain.passes.compiler_pass import TokenMeter
from domain.passes.memory_lane import memory_turns
from domain.passes.token_framing import (
    ANSWER_PRIMING_TOKENS,
    MESSAGE_TOKENS,
    TOOL_CALL_TOKENS,
    framing_tokens,
    image_tokens,
)
from domain.values import frozen


@frozen(kw_only=True)
class PromptSize:
    fixed: int
    """System prompt, prelude, tools, schema and `messages`."""
    history: tuple[int, ...]
    """One number for each message of the history."""
    estimated: bool

    @property
    def total(self) -> int:
        return self.fixed + sum(self.history)


def prompt_bound(request: ChatRequest, margin: float = 0.0) -> int:
    """Tokens of the whole prompt, at most: every token is at least one byte of UTF-8.

    Args:
        margin: the spec's `count_margin`, for messages that bring a count of their own.
    """
    bound = ANSWER_PRIMING_TOKENS
    if request.system is not None:
        bound += MESSAGE_TOKENS + _utf8_length(request.system)
    prompt = request.prompt
    if prompt is not None:
        bound += MESSAGE_TOKENS + _utf8_length(prompt.system or "")
        for message in prompt.turns:
            bound += _message_bound(message, margin)
    memory = request.memory
    if memory is not None:
        for message in memory_turns(memory):
            bound += _message_bound(message, margin)
    for message in request.prelude:
        bound += _message_bound(message, margin)
    for message in request.history:
        bound += _message_bound(message, margin)
    for message in request.messages:
        bound += _message_bound(message, margin)
    if request.tools:
        bound += sum(TOOL_CALL_TOKENS + _utf8_length(_tool_text(tool)) for tool in request.tools)
    if request.output is not None and request.output.schema is not None:
        bound += schema_bytes(request.output.schema)
    return bound


def count_prompt(request: ChatRequest, spec: ModelSpec, meter: TokenMeter) -> PromptSize:
    """Counts whatever brings no count of its own. May take milliseconds."""
    fixed, estimated = ANSWER_PRIMING_TOKENS, bool(spec.count_margin)
    texts = [] if request.system is None else [request.system]
    fixed += MESSAGE_TOKENS * len(texts) + TOOL_CALL_TOKENS * len(request.tools)
    texts += [_tool_text(tool) for tool in request.tools]
    if request.output is not None and request.output.schema is not None:
        texts.append(_json_text(request.output.schema))
    for text in texts:
        count = meter.count_text(text, spec)
        fixed += count.tokens
        estimated = estimated or count.estimated
    sizes: list[int] = []
    for message in (*request.prelude, *request.messages, *request.history):
        if message.token_count is not None:
            margin = 0.0 if message.count_is_exact else spec.count_margin
            sizes.append(_with_margin(message.token_count, margin))
        else:
            count = meter.count_message(message, spec)
            sizes.append(count.tokens)
            estimated = estimated or count.estimated
    own = len(request.prelude) + len(request.messages)
    return PromptSize(fixed=fixed + sum(sizes[:own]), history=tuple(sizes[own:]), estimated=estimated)


def schema_bytes(schema: JSONObject) -> int:
    return _utf8_length(_json_text(schema))


def _message_bound(message: Message, margin: float) -> int:
    if message.token_count is not None:
        return _with_margin(message.token_count, 0.0 if message.count_is_exact else margin)
    bound = framing_tokens(message)
    for part in message.parts:
        bound += _utf8_length(part.text) if isinstance(part, TextPart) else image_tokens(part)
    for call in message.tool_calls:
        bound += _utf8_length(call.name) + _utf8_length(call.arguments)
    return bound


def _with_margin(tokens: int, margin: float) -> int:
    """A stored count is without a margin: which model the message goes to is known only now."""
    return math.ceil(tokens * (1 + margin)) if margin else tokens


def _utf8_length(text: str) -> int:
    if text.isascii():  # a flag of the string: no scan
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))


def _tool_text(tool: Tool) -> str:
    return f"{tool.name}\n{tool.description or ''}\n{_json_text(tool.parameters or {})}"


def _json_text(value: JSONObject) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> JSONValue:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
