"""A ChatRequest as the body of `POST /v1/messages`.

Source: `anthropic.types.message_create_params` of the official SDK.
"""

from typing import Any, Final

from adapters.providers import json_text
from adapters.providers.anthropic.parameters import add_parameters
from adapters.providers.anthropic.schema import supported_schema
from adapters.providers.tool_names import accepted_id, accepted_name
from application.ports.chat_provider import ProviderCall
from domain.chat import Tool, ToolChoice
from domain.message import ImagePart, Message, ToolCall

DEFAULT_MAX_TOKENS: Final = 4096
"""`max_tokens` is mandatory; this is sent where neither the request nor the catalogue says one."""


def samples(call: ProviderCall) -> bool:
    """Whether the body holds `temperature`, `top_p` or `top_k`, which only the older API version takes."""
    request = call.request
    sampled = request.temperature is not None or request.top_p is not None or "top_k" in request.parameters
    return sampled and call.spec.can("sampling")


def messages_body(call: ProviderCall) -> dict[str, Any]:
    """The JSON object to send. What the model can't take (`spec.capabilities`) is left out."""
    request, spec = call.request, call.spec
    system = [request.system] if request.system else []
    turns: list[dict[str, Any]] = []
    for messages in (request.prelude, request.history, request.messages):
        for message in messages:
            if message.role == "system":
                # There is no such role on this wire: system turns join the system prompt.
                if message.text:
                    system.append(message.text)
            else:
                _append(turns, message)
    body: dict[str, Any] = {
        "model": spec.ref.model,
        "max_tokens": request.max_tokens or spec.max_output_tokens or DEFAULT_MAX_TOKENS,
        "messages": [_shortened(turn) for turn in turns],
    }
    if system:
        body["system"] = "\n\n".join(system)
    if samples(call):
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.top_p is not None:
            body["top_p"] = request.top_p
    if request.stop and spec.can("stop"):
        body["stop_sequences"] = request.stop
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if request.tool_choice is not None:
            body["tool_choice"] = _tool_choice(request.tool_choice)
    output = request.output
    if output is not None and output.schema is not None:
        # There is no json_object here; without a schema the format pass has put it into words.
        body["output_config"] = {"format": {"type": "json_schema", "schema": supported_schema(output.schema)}}
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    if call.stream:
        body["stream"] = True
    if request.parameters:
        add_parameters(body, request.parameters)
    return body


def _append(turns: list[dict[str, Any]], message: Message) -> None:
    """Adds a turn, or joins it to the last one of the same role: turns must alternate."""
    blocks = _blocks(message)
    if not blocks:
        return
    role = "assistant" if message.role == "assistant" else "user"
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"].extend(blocks)
    else:
        turns.append({"role": role, "content": blocks})


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        result: dict[str, Any] = {
            "type": "tool_result",
            "tool_use_id": accepted_id(message.tool_call_id or ""),
        }
        content = _parts(message)
        if content:
            result["content"] = content[0]["text"] if _is_one_text(content) else content
        return [result]
    blocks = _parts(message)
    blocks.extend(_tool_use(call) for call in message.tool_calls)
    return blocks


def _parts(message: Message) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, ImagePart):
            blocks.append(_image(part))
        elif part.text.strip():  # an empty text block is refused (400), and so is one of white space alone
            blocks.append({"type": "text", "text": part.text})
    return blocks


def _is_one_text(blocks: list[dict[str, Any]]) -> bool:
    return len(blocks) == 1 and blocks[0]["type"] == "text"


def _shortened(turn: dict[str, Any]) -> dict[str, Any]:
    """A lone text as a string, the wire's shorthand."""
    if _is_one_text(turn["content"]):
        return {"role": turn["role"], "content": turn["content"][0]["text"]}
    return turn


def _image(part: ImagePart) -> dict[str, Any]:
    if part.url is not None:
        if part.url.startswith("data:"):
            kind, _, data = part.url[len("data:") :].partition(",")
            return _inline_image(kind.partition(";")[0], data)
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    return _inline_image(part.media_type, part.data)


def _inline_image(media_type: str | None, data: str | None) -> dict[str, Any]:
    source = {"type": "base64", "media_type": media_type or "image/png", "data": data}
    return {"type": "image", "source": source}


def _tool_use(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json_text.parse(call.arguments.encode("utf-8", "replace")) if call.arguments else {}
    except ValueError:
        arguments = None
    if type(arguments) is not dict:
        # The wire wants an object; what the model wrote (cut short, NaN, bottomless, no object) is handed back as it
        # is, not repaired. Refusing it instead would end every thread that holds such a call.
        arguments = {"arguments": call.arguments}
    return {
        "type": "tool_use",
        "id": accepted_id(call.id),
        "name": accepted_name(call.name),
        "input": arguments,
    }


def _tool(tool: Tool) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tool.name, "input_schema": tool.parameters or {"type": "object"}}
    if tool.description is not None:
        described["description"] = tool.description
    if tool.strict is not None:
        described["strict"] = tool.strict
    return described


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    if choice.mode == "function":
        return {"type": "tool", "name": choice.name}
    return {"type": "any" if choice.mode == "required" else choice.mode}
