"""What the demonstration says. Pure and deterministic."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from domain.chat import ChatRequest, FinishReason, Tool

_SHOWN_CHARACTERS: Final = 80
_MAX_DEPTH: Final = 16
_WORD: Final = re.compile(r"\s*\S+")
_NOTICE: Final = (
    "This is a demonstration: no language model was asked. Set OPENAI_API_KEY or ANTHROPIC_API_KEY "
    "and start lor3 again to get real answers."
)
_BY_TYPE: Final[Mapping[str, Any]] = {
    "string": "demonstration", "integer": 1, "number": 1.5, "boolean": True, "null": None,
}  # fmt: skip


def asked(request: ChatRequest) -> str:
    """The user's last words, on one line and shortened."""
    for message in reversed(request.messages):
        if message.role == "user":
            text = " ".join(message.text.split())
            return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return ""


def tool_to_call(request: ChatRequest) -> Tool | None:
    """The tool that the request insists on; the demonstration calls none of its own accord."""
    choice = request.tool_choice
    if choice is None or not request.tools or choice.mode in ("auto", "none"):
        return None
    for tool in request.tools:
        if choice.mode == "required" or tool.name == choice.name:
            return tool
    return None


def answer(request: ChatRequest) -> tuple[str, FinishReason]:
    """The text, cut to `max_tokens` words; the arguments' JSON where a tool is called."""
    tool = tool_to_call(request)
    finish: FinishReason = "stop"
    if tool is not None:
        text, finish = json.dumps(value_for(tool.parameters or {"type": "object"})), "tool_calls"
    else:
        text = _text(request)
    words = words_of(text)
    if request.max_tokens is not None and len(words) > request.max_tokens:
        return "".join(words[: request.max_tokens]), "length"
    return text, finish


def words_of(text: str) -> list[str]:
    """The pieces that a stream sends; joined they are the text."""
    return _WORD.findall(text)


def prompt_words(request: ChatRequest) -> int:
    """What the demonstration counts as input tokens."""
    turns = (*request.prelude, *request.history, *request.messages)
    texts = [request.system or "", *(message.text for message in turns)]
    return sum(len(text.split()) for text in texts)


def _text(request: ChatRequest) -> str:
    question = asked(request)
    schema = request.schema or (request.output.schema if request.output is not None else None)
    if schema is not None:
        return json.dumps(value_for(schema), ensure_ascii=False)
    if request.output is not None or request.format == "json":
        return json.dumps(
            {"demonstration": True, "notice": _NOTICE, "you_said": question}, ensure_ascii=False
        )
    return f"{_NOTICE} You said: “{question}”" if question else _NOTICE


def value_for(schema: Any, *, root: Any = None, depth: int = 0) -> Any:
    """A value that fits a simple schema: types, enum, const, properties, items, combinations, local references."""
    root = schema if root is None else root
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    for key in ("default", "enum", "examples"):
        if key in schema:
            value = schema[key]
            if key == "default":
                return value
            if isinstance(value, (list, tuple)) and value:
                return value[0]
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return value_for(_resolve(reference, root), root=root, depth=depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        variants = schema.get(key)
        if isinstance(variants, (list, tuple)) and variants:
            merged = {**schema, **variants[0]} if isinstance(variants[0], Mapping) else schema
            return value_for({k: v for k, v in merged.items() if k != key}, root=root, depth=depth + 1)
    kind = schema.get("type")
    if isinstance(kind, (list, tuple)) and kind:
        kind = kind[0]
    if kind == "object" or (kind is None and "properties" in schema):
        properties = schema.get("properties")
        if not isinstance(properties, Mapping):
            return {}
        return {name: value_for(each, root=root, depth=depth + 1) for name, each in properties.items()}
    if kind == "array":
        count = max(1, _whole(schema.get("minItems"), 1))
        items = value_for(schema.get("items", {"type": "string"}), root=root, depth=depth + 1)
        return [items] * min(count, 100)
    if kind == "string":
        return _string(schema)
    if kind in ("integer", "number"):
        return _number(schema, kind)
    return _BY_TYPE.get(str(kind), "demonstration")


def _string(schema: Mapping[str, Any]) -> str:
    text: str = {
        "date": "2026-01-01",
        "date-time": "2026-01-01T00:00:00Z",
        "time": "00:00:00Z",
        "email": "demo@example.com",
        "uri": "https://example.com/",
        "uuid": "00000000-0000-4000-8000-000000000000",
    }.get(str(schema.get("format")), "demonstration")
    shortest = min(_whole(schema.get("minLength"), 0), 10_000)
    return text.ljust(shortest, ".")[: max(0, _whole(schema.get("maxLength"), 10_000))]


def _number(schema: Mapping[str, Any], kind: str) -> Any:
    value = _BY_TYPE[kind]
    low, high = schema.get("minimum"), schema.get("maximum")
    if isinstance(low, (int, float)) and value < low:
        value = low
    if isinstance(high, (int, float)) and value > high:
        value = high
    return value


def _whole(value: Any, otherwise: int) -> int:
    return value if type(value) is int else otherwise


def _resolve(reference: str, root: Any) -> Any:
    """The schema at a reference inside the same document, as in `#/$defs/Person`."""
    if not reference.startswith("#"):
        return None
    found = root
    for step in reference[1:].strip("/").split("/"):
        if step:
            found = found.get(step) if isinstance(found, Mapping) else None
    return found
