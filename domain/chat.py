"""The intermediate representation of a chat, and the events of its answer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from domain.json_value import JSONObject, JSONValue
from domain.message import Message
from domain.model import ModelRef
from domain.prompt.compiled import RenderedPrompt
from domain.usage import AT_LIST_PRICE, PricedApart
from domain.values import evolve, frozen

if TYPE_CHECKING:
    from domain.memory import Memory  # which needs the vocabulary of this module

FinishReason: TypeAlias = Literal["stop", "length", "content_filter", "tool_calls", "stopped"]
"""`stopped` is never a provider's: the caller ended the answer, which is incomplete."""


NO_PARAMETERS: Final[Mapping[str, JSONValue]] = {}


@frozen(kw_only=True)
class Tool:
    """A function the model may call. `parameters` is a JSON Schema of an object."""

    name: str
    description: str | None = None
    parameters: JSONObject | None = None
    strict: bool | None = None


@frozen(kw_only=True)
class ToolChoice:
    """Whether and which tool the model must call."""

    mode: Literal["auto", "none", "required", "function"]
    name: str | None = None
    """Set when `mode` is `function`."""


@frozen(kw_only=True)
class OutputConstraint:
    """Native structured output, set by the format pass where the model has it."""

    kind: Literal["json_object", "json_schema"]
    schema: JSONObject | None = None


@frozen(kw_only=True)
class ChatRequest:
    """A parsed request: what passes rewrite and provider adapters lower.

    Order on the wire: `system`, `prelude`, `history`, `messages`.
    """

    messages: tuple[Message, ...]
    """The caller's own turns; the last one is answered. Never trimmed."""
    history: tuple[Message, ...] = ()
    """Earlier turns, oldest first, from memory or from the caller; the budget may trim it from the front."""
    prompt: RenderedPrompt | None = None
    """From the Prompt Oven, until the pass `system-prompt` has put it into `system` and `prelude`."""
    memory: "Memory | None" = None
    """Of the thread, until the pass `memory-lane` has put it in front of `history`."""
    system: str | None = None
    prelude: tuple[Message, ...] = ()
    """The prompt's own user and assistant turns, such as worked examples. Never trimmed."""
    model: ModelRef
    fallbacks: tuple[ModelRef, ...] = ()
    format: str = "raw"
    schema: JSONObject | None = None
    output: OutputConstraint | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    user: str | None = None
    parameters: Mapping[str, JSONValue] = NO_PARAMETERS
    """Further fields of the provider's own wire, such as `logit_bias`, passed on as they are. A candidate whose
    provider does not take all of them is not asked."""

    def with_prompt_in(self, system: str | None, prelude: tuple[Message, ...]) -> "ChatRequest":
        return evolve(self, prompt=None, system=system, prelude=prelude)

    def with_memory_in(self, history: tuple[Message, ...]) -> "ChatRequest":
        return evolve(self, memory=None, history=history)


# What a provider adapter yields, each in a batch with what came at once, in order: AnswerStarted?, UsageReported*,
# (TextDelta | ToolCallDelta)*, UsageReported*, AnswerFinished. Usage before content is what is known of the prompt: it
# is what is left of an answer that is cut. An iterator that ends without AnswerFinished is a truncated answer.


@frozen(kw_only=True)
class AnswerStarted:
    """The provider accepted the call. Not yet content: falling back is still free."""

    response_id: str | None = None
    model: str | None = None
    """The model as the provider names it, often with a date."""


@frozen
class TextDelta:
    text: str


@frozen(kw_only=True)
class ToolCallDelta:
    """A piece of the call at `index`. `id` and `name` come with its first piece."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@frozen(kw_only=True)
class UsageReported:
    """The last one wins; they are never summed. Counts the provider left out or garbled are None."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    apart: PricedApart = AT_LIST_PRICE


@frozen(kw_only=True)
class AnswerFinished:
    reason: FinishReason


ProviderEvent: TypeAlias = AnswerStarted | TextDelta | ToolCallDelta | UsageReported | AnswerFinished
