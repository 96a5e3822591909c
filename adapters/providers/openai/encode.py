"""A ChatRequest as the body of `POST /chat/completions`.

Source: `openai.types.chat.completion_create_params` of the official SDK.
"""

from collections.abc import Sequence
from typing import Any, Final

from adapters.providers.openai.parameters import add_parameters
from adapters.providers.tool_names import accepted_id, accepted_name
from application.ports.chat_provider import ProviderCall
from domain.chat import OutputConstraint, Tool, ToolChoice
from domain.json_value import JSONValue
from domain.message import ImagePart, Message, TextPart

_PLAIN: Final = frozenset(("user", "system"))
"""Roles whose turns have nothing but what they say."""


def chat_body(call: ProviderCall, *, stream_usage: bool, any_call_id: bool = False) -> dict[str, Any]:
    """The JSON object to send. What the model can't take (`spec.capabilities`) is left out.

    Args:
        any_call_id: the server takes ids of tool calls as it made them. Some keep more in them than a name, such as
            what a model thought, and need all of it back.
    """
    request, spec = call.request, call.spec
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    for turns in (request.prelude, request.history, request.messages):
        for message in turns:
            parts = message.parts
            if len(parts) == 1 and type(parts[0]) is TextPart and message.role in _PLAIN:
                messages.append({"role": message.role, "content": parts[0].text})
            else:
                messages.append(_turn(message, any_call_id=any_call_id))
    body: dict[str, Any] = {"model": spec.ref.model, "messages": messages}
    if request.max_tokens is not None:
        body[spec.token_limit_field] = request.max_tokens
    if request.temperature is not None and spec.can("sampling"):
        body["temperature"] = request.temperature
    if request.top_p is not None and spec.can("sampling"):
        body["top_p"] = request.top_p
    if request.stop and spec.can("stop"):
        body["stop"] = request.stop
    if request.seed is not None and spec.can("seed"):
        body["seed"] = request.seed
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        # OpenAI refuses (400) a tool_choice without tools.
        if request.tool_choice is not None:
            body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.output is not None:
        body["response_format"] = _response_format(request.output)
    if request.user is not None:
        body["user"] = request.user
    if call.stream:
        body["stream"] = True
        if stream_usage:
            body["stream_options"] = {"include_usage": True}
    if request.parameters:
        add_parameters(body, request.parameters)
    return body


def _turn(message: Message, *, any_call_id: bool) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.role == "tool":
        turn["tool_call_id"] = _call_id(message.tool_call_id or "", any_call_id=any_call_id)
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": _call_id(each.id, any_call_id=any_call_id),
                "type": "function",
                "function": {"name": accepted_name(each.name), "arguments": each.arguments},
            }
            for each in message.tool_calls
        ]
        if not message.parts:
            turn["content"] = None
    return turn


def _call_id(call_id: str, *, any_call_id: bool) -> str:
    return call_id if any_call_id else accepted_id(call_id)


def _content(message: Message) -> str | list[dict[str, Any]]:
    parts = message.parts
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    if message.role != "user" or not parts:
        return message.text  # images are the user's alone
    return [{"type": "text", "text": p.text} if isinstance(p, TextPart) else _image(p) for p in parts]


def _image(part: ImagePart) -> dict[str, Any]:
    url = part.url if part.url is not None else f"data:{part.media_type or 'image/png'};base64,{part.data}"
    image = {"url": url}
    if part.detail is not None:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "function":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _response_format(output: OutputConstraint) -> dict[str, Any]:
    if output.kind == "json_object" or output.schema is None:
        return {"type": "json_object"}
    schema = output.schema
    wrapped: dict[str, Any] = {"name": "answer", "schema": schema}
    # Strict mode guarantees the schema, but is refused (400) for one with optional or open properties.
    if schema.get("type") == "object" and _fits_strict(schema):
        wrapped["strict"] = True
    return {"type": "json_schema", "json_schema": wrapped}


def _fits_strict(schema: JSONValue) -> bool:
    if isinstance(schema, dict):
        if "properties" in schema or schema.get("type") == "object":
            properties, required = schema.get("properties"), schema.get("required")
            if schema.get("additionalProperties") is not False or not isinstance(properties, dict):
                return False
            if not isinstance(required, Sequence) or set(properties) - set(required):
                return False
        return all(_fits_strict(value) for value in schema.values())
    if isinstance(schema, (list, tuple)):
        return all(_fits_strict(value) for value in schema)
    return True
