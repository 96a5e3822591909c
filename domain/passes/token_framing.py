"""Tokens that no text shows: the frame around a message, and images.

Framing is as OpenAI documents it for chat models ("How to count tokens with tiktoken", OpenAI Cookbook): three
tokens a message, the role's own token, and three at the end that prime the answer. Other vendors differ by a
token or two a message, which the spec's `count_margin` covers.
"""

from typing import Final

from domain.message import ImagePart, Message

MESSAGE_TOKENS: Final = 4
"""Three for the frame, one for the role."""
ANSWER_PRIMING_TOKENS: Final = 3
TOOL_CALL_TOKENS: Final = 8
"""What frames a call's name and arguments; an estimate, OpenAI does not say."""
TOOL_RESULT_TOKENS: Final = 4
"""What ties a result to its call; an estimate."""

LOW_DETAIL_IMAGE_TOKENS: Final = 85
"""OpenAI's fixed price of `detail: low`."""
IMAGE_TOKENS: Final = 1600
"""An estimate for any other image, whose size lor3 does not know.

OpenAI's tile rule gives 85 + 170 a tile, at most 1445; Anthropic's (width x height / 750) about 1600 for the
largest image that it does not scale down.
"""


def image_tokens(image: ImagePart) -> int:
    return LOW_DETAIL_IMAGE_TOKENS if image.detail == "low" else IMAGE_TOKENS


def framing_tokens(message: Message) -> int:
    """All of a message's tokens that are neither text nor image."""
    tokens = MESSAGE_TOKENS + TOOL_CALL_TOKENS * len(message.tool_calls)
    return tokens + TOOL_RESULT_TOKENS if message.tool_call_id is not None else tokens
