"""The fields of `POST /v1/chat/completions`: one description reads them and documents them.

Source: `openai.types.chat.completion_create_params` of the official SDK.
"""

from typing import Final

from domain.json_value import JSONObject, JSONValue
from domain.values import frozen
from entrypoints.http.chat_body import MAX_MESSAGES, ChatBody
from entrypoints.http.checks import AnyObject, Boolean, ListOf, Number, Text
from entrypoints.http.openai_checks import Exactly, Refused
from entrypoints.http.openai_messages import OPENAI_MESSAGE, OpenAIMessage
from entrypoints.http.openai_options import (
    LOR3,
    RESPONSE_FORMAT,
    STREAM_OPTIONS,
    Lor3Body,
    ResponseFormatBody,
    StreamOptionsBody,
)
from entrypoints.http.records import Record, given, notes_of
from entrypoints.http.tool_body import TOOL, TOOL_CHOICE, ToolBody, ToolChoiceBody

_CHECKS: Final = {name: note.check for name, note in notes_of(ChatBody).items()}
_PENALTY: Final = Number(minimum=-2, maximum=2)
_NO_FUNCTIONS: Final = "functions were replaced by tools; send `tools` and `tool_choice`"
_ONE_ANSWER: Final = "lor3 gives one answer to a request; leave it out, or send 1"
_TEXT_ALONE: Final = 'lor3 carries text; leave it out, or send ["text"]'


@frozen(kw_only=True)
class OpenAIChatBody:
    """A chat completion. Further fields are passed on to a provider that takes them, and refused by name where none
    of the models does."""

    messages: tuple[OpenAIMessage, ...] = given(
        ListOf(item=OPENAI_MESSAGE, min_items=1, max_items=MAX_MESSAGES),
        "The conversation, oldest first, ending in the turn to answer (user or tool). With `lor3.thread_id` a single "
        "user's turn, alone or behind system turns, goes on with the thread and its memory; anything longer is the "
        "caller's own history.",
        required=True,
    )
    model: str | None = given(
        _CHECKS["model"],
        "`provider:model`, an alias, the name alone of a model that the catalogue lists, or a stored prompt: "
        "`prompt/name`, `prompt/name:v3`, `prompt/name@label`, which the configured model answers. As configured by "
        "default.",
        example="prompt/support_agent@production",
    )
    stream: bool | None = given(Boolean(), "Answer in chunks, as server-sent events.", default=False)
    stream_options: StreamOptionsBody | None = given(STREAM_OPTIONS, "How to stream.")
    max_tokens: int | None = given(
        _CHECKS["max_tokens"], "The longest answer, in tokens; the older name of `max_completion_tokens`."
    )
    max_completion_tokens: int | None = given(_CHECKS["max_tokens"], "The longest answer, in tokens.")
    temperature: float | None = given(_CHECKS["temperature"], "Randomness: 0 is the least.")
    top_p: float | None = given(
        _CHECKS["top_p"], "Nucleus sampling: the share of the probability to choose from."
    )
    stop: str | tuple[str, ...] | None = given(_CHECKS["stop"], "Texts that end the answer, at most 4.")
    seed: int | None = given(_CHECKS["seed"], "For repeatable sampling, best effort.")
    tools: tuple[ToolBody, ...] | None = given(
        ListOf(item=TOOL, max_items=128), "Functions that the model may call."
    )
    tool_choice: str | ToolChoiceBody | None = given(
        TOOL_CHOICE, "`auto`, `none`, `required`, or one function."
    )
    response_format: ResponseFormatBody | None = given(
        RESPONSE_FORMAT, "`text`, `json_object` or `json_schema`. As configured by default."
    )
    n: int | None = given(Exactly(value=1, why=_ONE_ANSWER), "Always 1.", default=1)
    user: str | None = given(
        _CHECKS["user"],
        "The caller's opaque id of its end user, as in `POST /chat`.",
        example="u-4711",
    )
    safety_identifier: str | None = given(
        Text(max_length=256), "Stands for `user` where that is left out; beside it, passed on."
    )
    metadata: tuple[tuple[str, str], ...] | None = given(
        _CHECKS["metadata"], "Stored with the message: at most 16 strings."
    )
    lor3: Lor3Body | None = given(LOR3, 'lor3\'s own powers; in the SDKs `extra_body={"lor3": {…}}`.')
    frequency_penalty: float | None = given(_PENALTY, "Passed on: less of what was said already.")
    presence_penalty: float | None = given(_PENALTY, "Passed on: more of what was not said yet.")
    logit_bias: JSONObject | None = given(AnyObject(), "Passed on: tokens to favour or to shun.")
    reasoning_effort: str | None = given(Text(min_length=1, max_length=32), "Passed on: how long to think.")
    verbosity: str | None = given(Text(min_length=1, max_length=32), "Passed on: how much to say.")
    parallel_tool_calls: bool | None = given(
        Boolean(), "Passed on: whether several tools may be called at once."
    )
    prediction: JSONObject | None = given(AnyObject(), "Passed on: what most of the answer will be.")
    service_tier: str | None = given(Text(min_length=1, max_length=32), "Passed on: the provider's lane.")
    store: bool | None = given(
        Boolean(), "Passed on: whether the provider keeps the answer. lor3 always does."
    )
    prompt_cache_key: str | None = given(
        Text(min_length=1, max_length=256), "Passed on: which cache to look in."
    )
    prompt_cache_options: JSONObject | None = given(AnyObject(), "Passed on: how to cache.")
    prompt_cache_retention: str | None = given(
        Text(min_length=1, max_length=32), "Passed on: how long to cache."
    )
    modalities: JSONValue = given(Exactly(value=["text"], why=_TEXT_ALONE), 'Always `["text"]`.')
    logprobs: None = given(
        Refused(why="lor3's answers hold no probabilities; leave it out", harmless=(False,)),
        "Refused: lor3's answers hold no probabilities.",
    )
    top_logprobs: None = given(
        Refused(why="lor3's answers hold no probabilities; leave it out"),
        "Refused: lor3's answers hold no probabilities.",
    )
    audio: None = given(Refused(why="lor3 carries text; leave it out"), "Refused: lor3 carries text.")
    web_search_options: None = given(
        Refused(why="lor3's answers hold no sources; leave it out"),
        "Refused: lor3's answers hold no sources.",
    )
    moderation: None = given(
        Refused(why="lor3's answers hold no moderation results; leave it out"),
        "Refused: lor3's answers hold no moderation results.",
    )
    functions: None = given(Refused(why=_NO_FUNCTIONS), "Refused: send `tools`.")
    function_call: None = given(Refused(why=_NO_FUNCTIONS), "Refused: send `tool_choice`.")


OPENAI_CHAT: Final = Record(OpenAIChatBody)
FIELDS: Final = frozenset(notes_of(OpenAIChatBody))
