"""Token counts that can be done in the head."""

import math

from domain.message import Message
from domain.model import ModelSpec
from domain.passes.compiler_pass import TokenCount
from domain.passes.token_framing import framing_tokens, image_tokens
from domain.values import frozen


@frozen
class WordMeter:
    """One token a word; framing, images and the spec's margin as the real meter has them."""

    def count_text(self, text: str, spec: ModelSpec) -> TokenCount:
        return _with_margin(len(text.split()), spec)

    def count_message(self, message: Message, spec: ModelSpec) -> TokenCount:
        words = len(message.text.split()) + sum(
            len(call.name.split()) + len(call.arguments.split()) for call in message.tool_calls
        )
        images = sum(image_tokens(image) for image in message.images)
        return _with_margin(words + images + framing_tokens(message), spec)


def _with_margin(tokens: int, spec: ModelSpec) -> TokenCount:
    if not spec.count_margin:
        return TokenCount(tokens=tokens)
    return TokenCount(tokens=math.ceil(tokens * (1 + spec.count_margin)), estimated=True)
