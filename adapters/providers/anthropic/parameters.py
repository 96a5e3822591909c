"""The further fields of a request to `POST /v1/messages`, under its own names or under OpenAI's.

Source: `anthropic.types.message_create_params` of the official SDK; `top_k` is of its versions before 2.0.
"""

from collections.abc import Mapping
from typing import Any, Final

from domain.json_value import JSONValue

_UNCHANGED: Final = frozenset(("cache_control", "inference_geo", "speed", "thinking", "top_k"))
TAKEN: Final = _UNCHANGED | {
    "parallel_tool_calls",
    "reasoning_effort",
    "safety_identifier",
    "service_tier",
}
_EFFORT: Final[Mapping[JSONValue, str]] = {"none": "low", "minimal": "low"}
"""OpenAI's words for less than Anthropic's least."""
_TIER: Final[Mapping[JSONValue, str]] = {"default": "standard_only"}


def add_parameters(body: dict[str, Any], parameters: Mapping[str, JSONValue]) -> None:
    for name, value in parameters.items():
        if name in _UNCHANGED:
            body[name] = value
        elif name == "parallel_tool_calls":
            _add_parallel(body, may=bool(value))
        elif name == "reasoning_effort":
            effort = _EFFORT.get(value, value) if isinstance(value, str) else value
            body["output_config"] = {**body.get("output_config", {}), "effort": effort}
        elif name == "safety_identifier":
            body["metadata"] = {"user_id": value}
        elif name == "service_tier":
            body["service_tier"] = _TIER.get(value, value) if isinstance(value, str) else value


def _add_parallel(body: dict[str, Any], *, may: bool) -> None:
    choice = body.get("tool_choice", {"type": "auto"})
    if "tools" in body and choice["type"] != "none":
        body["tool_choice"] = {**choice, "disable_parallel_tool_use": not may}
