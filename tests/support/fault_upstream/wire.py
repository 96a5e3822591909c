"""Healthy answers and refusals as OpenAI (chat completions) and Anthropic (messages) write them.

Shapes: https://platform.openai.com/docs/api-reference/chat and https://docs.anthropic.com/en/api/messages.
"""

import json
from typing import Any, Final, Literal, TypeAlias

Wire: TypeAlias = Literal["openai", "anthropic"]

HEALTHY_TEXT: Final = "Hello from upstream."
INPUT_TOKENS: Final = 12
OUTPUT_TOKENS: Final = 5
PROVIDER_TEXT_CANARY: Final = "CANARY-PROVIDER-TEXT-7f3a"
"""Stands in every error that the upstream writes; a client of the gateway must never see it."""


def openai_error(kind: str | None, code: str | None, message: str = "") -> dict[str, Any]:
    text = f"{message} {PROVIDER_TEXT_CANARY}".strip()
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


def anthropic_error(kind: str, message: str = "") -> dict[str, Any]:
    text = f"{message} {PROVIDER_TEXT_CANARY}".strip()
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_fault"}


def openai_answer(model: str, text: str | None = HEALTHY_TEXT) -> dict[str, Any]:
    return {
        "id": "chatcmpl-fault",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": INPUT_TOKENS,
            "completion_tokens": OUTPUT_TOKENS,
            "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        },
    }


def anthropic_answer(model: str, text: str = HEALTHY_TEXT) -> dict[str, Any]:
    return {
        "id": "msg_fault",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
    }


def answer(wire: Wire, model: str) -> dict[str, Any]:
    """A whole healthy answer; the caller may change it."""
    return openai_answer(model) if wire == "openai" else anthropic_answer(model)


def openai_chunk(model: str, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """One chunk of a stream; the caller may change it."""
    return {
        "id": "chatcmpl-fault",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        "usage": None,
    }


def openai_stream(model: str, text: str = HEALTHY_TEXT, finish: str = "stop") -> list[bytes]:
    """The frames of a healthy stream with `stream_options.include_usage`, word by word."""
    chunks = [openai_chunk(model, {"role": "assistant", "content": ""})]
    chunks += [openai_chunk(model, {"content": piece}) for piece in words(text)]
    chunks.append(openai_chunk(model, {}, finish))
    last = openai_chunk(model, {})
    last["choices"] = []
    last["usage"] = openai_answer(model)["usage"]
    chunks.append(last)
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def anthropic_stream(model: str, text: str = HEALTHY_TEXT, finish: str = "end_turn") -> list[bytes]:
    """The frames of a healthy stream, word by word, with a ping as the real service sends one."""
    head = anthropic_answer(model)
    head |= {"content": [], "stop_reason": None, "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": head},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(anthropic_delta(piece) for piece in words(text)),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": finish, "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop"},
    ]
    return [anthropic_frame(event) for event in events]


def anthropic_delta(text: str) -> dict[str, Any]:
    """A piece of the first block's text."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def anthropic_frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def stream(wire: Wire, model: str) -> list[bytes]:
    """The frames of a whole healthy stream."""
    return openai_stream(model) if wire == "openai" else anthropic_stream(model)


def words(text: str) -> list[str]:
    """The pieces in which a text is streamed."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]
