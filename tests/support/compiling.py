"""Short forms for tests of compiler passes."""

from typing import Any

import attrs

from adapters.in_memory.token_meter import WordMeter
from domain.chat import ChatRequest
from domain.json_value import JSONObject
from domain.message import Message, ToolCall
from domain.model import ALL_CAPABILITIES, Capability, ModelRef, ModelSpec
from domain.output.formatter import Formatted, Formatter
from domain.output.raw import RawFormatter
from domain.passes.compiler_pass import Target

MODEL = ModelRef("openai", "gpt-4")


@attrs.frozen(kw_only=True)
class PlainFormatter:
    """A formatter that only asks."""

    name: str
    wants_json: bool = False
    is_instant: bool = True
    instruction: str | None = None

    def format(self, text: str, *, schema: JSONObject | None) -> Formatted:
        return Formatted(output=text, text=text)


def spec(*, without: tuple[Capability, ...] = (), **fields: Any) -> ModelSpec:
    return ModelSpec(ref=MODEL, capabilities=ALL_CAPABILITIES - set(without), **fields)


def target(model: ModelSpec | None = None, formatter: Formatter | None = None) -> Target:
    return Target(spec=model or spec(), meter=WordMeter(), formatter=formatter or RawFormatter())


def user(text: str, **fields: Any) -> Message:
    return attrs.evolve(Message.of("user", text), **fields)


def assistant(text: str, **fields: Any) -> Message:
    return attrs.evolve(Message.of("assistant", text), **fields)


def calls(*ids: str) -> Message:
    return Message(
        role="assistant", tool_calls=tuple(ToolCall(id=each, name="look", arguments="{}") for each in ids)
    )


def result(call_id: str, text: str = "found") -> Message:
    return attrs.evolve(Message.of("tool", text), tool_call_id=call_id)


def request(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(messages=messages or (user("Hello"),), model=MODEL, **fields)
