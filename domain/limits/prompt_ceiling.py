"""How many tokens a provider can bill for a prompt, at most."""

import json
from collections.abc import Mapping
from typing import Final

from domain.chat import ChatRequest
from domain.message import Message, TextPart

MESSAGE_SLACK: Final = 16
"""For a message's frame: no vendor is known to take more than 7."""
IMAGE_TOKENS: Final = 8_192
"""For an image whose size lor3 does not know: several times what vendors bill for the largest they do not scale down."""
TOOLS_SLACK: Final = 1_024
"""For what vendors write around tools: up to 675 tokens at Anthropic."""
SCHEMA_SLACK: Final = 512
"""For what vendors write around a schema."""
_CALL_SLACK: Final = 64


def prompt_ceiling(request: ChatRequest) -> int:
    """Tokens of a compiled request, at most: each is at least one byte of UTF-8.

    Stored counts are not asked: they may be of another tokenizer, and estimates.
    """
    total = 2 * MESSAGE_SLACK
    if request.system is not None:
        total += _bytes(request.system)
    for messages in (request.prelude, request.history, request.messages):
        for message in messages:
            total += _message(message)
    if request.tools:
        total += TOOLS_SLACK
        for tool in request.tools:
            total += _CALL_SLACK + _bytes(tool.name) + _bytes(tool.description or "")
            total += _json_bytes(tool.parameters)
    if request.output is not None:
        total += SCHEMA_SLACK + _json_bytes(request.output.schema)
    return total


def _message(message: Message) -> int:
    total = MESSAGE_SLACK
    for part in message.parts:
        total += _bytes(part.text) if isinstance(part, TextPart) else IMAGE_TOKENS
    for call in message.tool_calls:
        total += _CALL_SLACK + _bytes(call.name) + _bytes(call.arguments)
    return total


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _json_bytes(value: object) -> int:
    return 0 if value is None else _bytes(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
