"""What callers read: domain values in the shapes of the public contract. Pure functions, shared by all faces."""

import json
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import attrs
import orjson

from domain.json_value import JSONObject, JSONValue
from domain.message import TextPart
from entrypoints.memory_rendering import context_json, memory_json

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence

    from domain.answer import ChatAnswer, ChatStarted, Reset, ToolCallGrew
    from domain.attempt import Attempt
    from domain.chat import ChatRequest, OutputConstraint, Tool, ToolChoice
    from domain.explanation import CostView, Explanation, TokenView, WireView
    from domain.limits.budget import BudgetState
    from domain.message import ImagePart, Message, Part, ToolCall
    from domain.prompt.compiled import RenderedPrompt
    from domain.usage import Usage


_LINE_ENDS: Final = (
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
    ("\x85".encode(), b"\\u0085"),
)
"""What JSON may hold as it is and Python's `splitlines`, among others, breaks at; those below U+0020 are escapes."""


def to_json(value: JSONValue) -> bytes:
    """Compact UTF-8 JSON of any JSON value.

    orjson refuses integers beyond 64 bits and lone surrogates, which a model's JSON may hold; such a
    value is written by the standard library instead, with the surrogates escaped.
    """
    try:
        return orjson.dumps(value, default=_plain)
    except orjson.JSONEncodeError:
        return json.dumps(value, default=_plain, separators=(",", ":")).encode()


def to_json_texts(texts: "Sequence[str]") -> list[bytes]:
    """Each text as JSON, all written in one call: a line of indented JSON each, and no JSON string holds a line break."""
    if len(texts) == 1:
        return [to_json(texts[0])]
    try:
        lines = orjson.dumps(texts, option=orjson.OPT_INDENT_2).split(b"\n")
    except orjson.JSONEncodeError:
        return [to_json(text) for text in texts]
    written = [line[2:-1] for line in lines[1:-2]]
    written.append(lines[-2][2:])
    return written


def to_json_line(value: JSONValue) -> bytes:
    """As `to_json`, with a line feed at the end and nothing inside that any reader ends a line at."""
    line = to_json(value)
    for char, escaped in _LINE_ENDS:
        line = line.replace(char, escaped)
    return line + b"\n"


def money(amount: Decimal | None) -> str | None:
    """USD as a decimal string without an exponent or trailing zeros; None stays None, "don't know"."""
    if amount is None:
        return None
    text = str(amount)  # five times as quick as `format`, and the same where there is no exponent
    if "E" in text:
        text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def answer_json(answer: "ChatAnswer") -> dict[str, JSONValue]:
    """The answer object of `POST /chat`, of the `done` event and of `lor3 run --json`."""
    return {
        "message_id": answer.message_id,
        "thread_id": answer.thread_id,
        "session_id": answer.session_id,
        "output": answer.output,
        "format": answer.format,
        "model": str(answer.model),
        "prompt_version": answer.prompt_version,
        "finish_reason": answer.finish_reason,
        "tool_calls": [tool_call_json(call) for call in answer.tool_calls] if answer.tool_calls else [],
        "usage": usage_json(answer.usage),
        "cost_usd": money(answer.cost_usd),
        "attempts": [_attempt(each) for each in answer.attempts],
        "context": context_json(answer.context),
        "budget": budget_json(answer.budget) if answer.budget else None,
        "warnings": list(answer.warnings),
    }


def budget_json(states: "Sequence[BudgetState]") -> dict[str, JSONValue] | None:
    """What is left under all hard budgets together, and each; None where there is none."""
    if not states:
        return None
    hard = [state for state in states if not state.soft]
    tightest = min(hard, key=lambda state: state.left_usd, default=None)
    return {
        "left_usd": None if tightest is None else money(tightest.left_usd),
        "resets_at": None if tightest is None else _moment(tightest.resets_at),
        "budgets": [
            {
                "subject": state.subject,
                "period": state.period,
                "soft": state.soft,
                "limit_usd": money(state.limit_usd),
                "spent_usd": money(state.spent_usd),
                "left_usd": money(state.left_usd),
                "resets_at": _moment(state.resets_at),
            }
            for state in states
        ],
    }


@lru_cache(maxsize=64)
def _moment(at: "datetime.datetime | None") -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _attempt(attempt: "Attempt") -> dict[str, JSONValue]:
    """`purpose` stands only where the call was not for the answer itself."""
    rendered: dict[str, JSONValue] = {
        "model": str(attempt.model),
        "outcome": attempt.outcome,
        "latency_ms": attempt.latency_ms,
    }
    if attempt.purpose != "answer":
        rendered["purpose"] = attempt.purpose
    return rendered


def usage_json(usage: "Usage") -> dict[str, JSONValue]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "estimated": usage.estimated,
    }


def tool_call_json(call: "ToolCall") -> dict[str, JSONValue]:
    """A call in OpenAI's shape, so that it can be sent back as it is; `complete` is false where it was cut off."""
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
        "complete": call.complete,
    }


def started_json(event: "ChatStarted") -> dict[str, JSONValue]:
    return {
        "message_id": event.message_id,
        "thread_id": event.thread_id,
        "session_id": event.session_id,
        "model": str(event.model),
        "prompt_version": event.prompt_version,
    }


def tool_call_delta_json(event: "ToolCallGrew") -> dict[str, JSONValue]:
    return {"index": event.index, "id": event.id, "name": event.name, "arguments": event.arguments}


def reset_json(event: "Reset") -> dict[str, JSONValue]:
    return {"reason": event.reason, "from": str(event.from_model), "to": str(event.to_model)}


def explanation_json(explanation: "Explanation") -> dict[str, JSONValue]:
    """The answer of `POST /chat/explain` and of `lor3 run --explain --json`."""
    compiled = explanation.compiled
    return {
        "request": request_json(explanation.request),
        "passes": [
            {
                "name": step.name,
                "before": request_json(step.before),
                "after": request_json(step.after),
                "notes": list(step.notes),
            }
            for step in explanation.passes
        ],
        "compiled": None if compiled is None else request_json(compiled),
        "prompt_version": None if explanation.prompt is None else str(explanation.prompt.ref),
        "prompt": _prompt(explanation.prompt),
        "context": context_json(explanation.context),
        "messages": {"kept": explanation.kept_messages, "dropped": explanation.dropped_messages},
        "candidates": [
            {"model": str(each.model), "included": each.included, "reason": each.reason}
            for each in explanation.candidates
        ],
        "tokens": _tokens(explanation.tokens),
        "wire": _wire(explanation.wire),
        "cost": _cost(explanation.cost),
        "warnings": list(explanation.warnings),
    }


def _prompt(prompt: "RenderedPrompt | None") -> "JSONObject | None":
    if prompt is None:
        return None
    return {
        "version": str(prompt.ref),
        "hash": prompt.hash,
        "fragments": [str(ref) for ref in prompt.fragments],
        "system": prompt.system,
        "messages": [message_json(turn) for turn in prompt.turns],
    }


def request_json(request: "ChatRequest") -> dict[str, JSONValue]:
    """The intermediate representation, in the names of `POST /chat`."""
    return {
        "model": str(request.model),
        "fallbacks": [str(each) for each in request.fallbacks],
        "prompt": None if request.prompt is None else str(request.prompt.ref),
        "memory": memory_json(request.memory),
        "system": request.system,
        "prelude": [message_json(each) for each in request.prelude],
        "history": [message_json(each) for each in request.history],
        "messages": [message_json(each) for each in request.messages],
        "format": request.format,
        "schema": request.schema,
        "output": _constraint(request.output),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop),
        "seed": request.seed,
        "tools": [_tool(each) for each in request.tools],
        "tool_choice": _tool_choice(request.tool_choice),
        "user": request.user,
        "parameters": dict(request.parameters),
    }


def message_json(message: "Message") -> dict[str, JSONValue]:
    """A turn; its content is a string where it is one text, else a list of parts."""
    parts = message.parts
    rendered: dict[str, JSONValue] = {"role": message.role}
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        rendered["content"] = parts[0].text
    else:
        rendered["content"] = [_part(part) for part in parts]
    if message.tool_calls:
        rendered["tool_calls"] = [tool_call_json(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        rendered["tool_call_id"] = message.tool_call_id
    return rendered


def _plain(value: object) -> object:
    """Mappings and sequences of other types, such as a frozen value may hold, as JSON writers know them."""
    if hasattr(value, "items"):
        return dict(value.items())
    if hasattr(value, "__iter__"):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _part(part: "Part") -> dict[str, JSONValue]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return _image(part)


def _image(part: "ImagePart") -> dict[str, JSONValue]:
    given = attrs.asdict(part, filter=lambda _attribute, value: value is not None)
    if part.url is not None:
        given.pop("media_type", None)  # what a caller sends back has it beside `data` alone
    return {"type": "image", **given}


def _tool(tool: "Tool") -> dict[str, JSONValue]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": tool.strict,
        },
    }


def _tool_choice(choice: "ToolChoice | None") -> JSONValue:
    if choice is None:
        return None
    if choice.mode == "function":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _constraint(output: "OutputConstraint | None") -> JSONValue:
    if output is None:
        return None
    return {"kind": output.kind, "schema": output.schema}


def _tokens(tokens: "TokenView | None") -> "JSONObject | None":
    if tokens is None:
        return None
    return {
        "prompt_tokens": tokens.prompt_tokens,
        "estimated": tokens.estimated,
        "max_output_tokens": tokens.max_output_tokens,
        "context_window": tokens.context_window,
        "model_max_output_tokens": tokens.model_max_output_tokens,
    }


def _wire(wire: "WireView | None") -> "JSONObject | None":
    if wire is None:
        return None
    return {"method": wire.method, "url": wire.url, "body": wire.body}


def _cost(cost: "CostView | None") -> "JSONObject | None":
    if cost is None:
        return None
    return {"prompt_usd": money(cost.prompt_usd), "max_total_usd": money(cost.max_total_usd)}
