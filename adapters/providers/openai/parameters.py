"""The further fields of a request to `POST /chat/completions`: those that lor3 has no word of its own for.

Source: `openai.types.chat.completion_create_params` of the official SDK. What asks for something that an answer of
lor3's can't hold (`logprobs`, `audio`, `n`, …) is not among them.
"""

from collections.abc import Mapping
from typing import Any, Final

from domain.json_value import JSONValue

DOCUMENTED: Final = frozenset(
    (
        "frequency_penalty", "logit_bias", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
        "prompt_cache_options", "prompt_cache_retention", "reasoning_effort", "safety_identifier", "service_tier",
        "store", "verbosity",
    )
)  # fmt: skip
OWN: Final = frozenset(
    (
        "max_completion_tokens", "max_tokens", "messages", "model", "n", "response_format", "seed", "stop", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_p", "user",
    )
)  # fmt: skip
"""What lor3 writes itself, or leaves out for a reason: nothing that is passed on takes their place."""


def add_parameters(body: dict[str, Any], parameters: Mapping[str, JSONValue]) -> None:
    for name, value in parameters.items():
        # OpenAI refuses (400) `parallel_tool_calls` without tools.
        if name not in OWN and (name != "parallel_tool_calls" or "tools" in body):
            body[name] = value
