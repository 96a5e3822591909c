"""What callers of `/v1` read: answers, usage and models in OpenAI's shapes.

Source: `openai.types.chat.chat_completion`, `openai.types.completion_usage` and `openai.types.model` of the official SDK.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from domain.answer import ChatAnswer
from domain.chat import FinishReason
from domain.ids import MessageId
from domain.json_value import JSONValue
from domain.message import ToolCall
from domain.usage import Usage
from entrypoints.rendering import answer_json, to_json

FINISH_REASONS: Final[Mapping[FinishReason, str]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "stopped": "stop",  # OpenAI has no word for an answer that its caller ended
}
_IN_WORDS: Final = frozenset(("content_filter", "length", "stopped"))
"""Why an answer in JSON ended whose output is a string: that is its text then."""
_LOR3: Final = (
    "message_id", "thread_id", "session_id", "prompt_version", "format", "cost_usd", "attempts", "context", "budget",
    "warnings",
)  # fmt: skip


def completion_json(answer: ChatAnswer, *, warnings: Sequence[str] = ()) -> dict[str, JSONValue]:
    """A `chat.completion` object. Its id is lor3's `message_id`, by which the answer is rated, stopped and read."""
    content = content_of(answer)
    message: dict[str, JSONValue] = {
        "role": "assistant",
        "content": None if answer.tool_calls and not content else content,
        "refusal": None,
    }
    if answer.tool_calls:
        message["tool_calls"] = [tool_call_json(call) for call in answer.tool_calls]
    return {
        "id": answer.message_id,
        "object": "chat.completion",
        "created": created(answer.message_id),
        "model": str(answer.model),
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": FINISH_REASONS[answer.finish_reason],
            }
        ],
        "usage": usage_json(answer.usage),
        "lor3": lor3_json(answer, warnings=warnings),
    }


def content_of(answer: ChatAnswer) -> str:
    """The text of the answer; of a parsed value its JSON."""
    output = answer.output
    if isinstance(output, str) and (
        answer.format != "json" or answer.tool_calls or answer.finish_reason in _IN_WORDS
    ):
        return output
    if output is None and answer.tool_calls:
        return ""
    return to_json(output).decode()


def tool_call_json(call: ToolCall) -> dict[str, JSONValue]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def usage_json(usage: Usage) -> dict[str, JSONValue]:
    """The details are left out where lor3 counted by itself: then it knows none."""
    counted: dict[str, JSONValue] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    if not usage.estimated:
        counted["prompt_tokens_details"] = {"cached_tokens": usage.cached_input_tokens}
        counted["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return counted


def lor3_json(answer: ChatAnswer, *, warnings: Sequence[str] = ()) -> dict[str, JSONValue]:
    """What `POST /chat` would say beside; the names are its."""
    said = answer_json(answer)
    shown: dict[str, JSONValue] = {name: said[name] for name in _LOR3}
    shown["estimated"] = answer.usage.estimated
    if warnings:
        shown["warnings"] = [*answer.warnings, *warnings]
    return shown


def created(message_id: MessageId) -> int:
    """Unix seconds, out of the id itself (RFC 9562, section 5.7): the same in every chunk and replay."""
    try:
        return (UUID(message_id).int >> 80) // 1000
    except ValueError:  # made by a generator of one's own
        return 0


def model_json(name: str, *, owned_by: str, created_at: int = 0) -> dict[str, JSONValue]:
    """
    Args:
        created_at: Unix seconds; 0 where that is unknown, as it is of vendors' models.
    """
    return {"id": name, "object": "model", "created": created_at, "owned_by": owned_by}
