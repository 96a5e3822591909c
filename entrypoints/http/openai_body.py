"""From the body of `POST /v1/chat/completions` to the command it becomes.

Fields that lor3 has no word of its own for are passed on to providers that take them.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final, cast

from application.use_cases.chat_command import NO_VARIABLES, SendChatCommand
from domain.access import ANYBODY, Caller
from domain.errors import InvalidRequest
from domain.ids import SessionId, ThreadId
from domain.json_value import JSONObject, JSONValue
from domain.message import Message
from domain.values import frozen
from entrypoints.http.callers import user_of
from entrypoints.http.chat_names import Names
from entrypoints.http.checks import Faults, fault
from entrypoints.http.elsewhere import look_over_parameter
from entrypoints.http.openai_fields import FIELDS, OPENAI_CHAT, OpenAIChatBody
from entrypoints.http.openai_messages import read_messages
from entrypoints.http.openai_options import (
    LOR3,
    JSONSchemaFormatBody,
    Lor3Body,
    ResponseFormatBody,
    TextFormatBody,
)
from entrypoints.http.records import notes_of
from entrypoints.http.tool_body import to_tool_choice, to_tools

PROMPT_PREFIX: Final = "prompt/"
"""Of a `model` that is a stored prompt, answered by the configured model."""
_PASSED_ON: Final = (
    "frequency_penalty", "presence_penalty", "logit_bias", "reasoning_effort", "verbosity", "parallel_tool_calls",
    "prediction", "service_tier", "store", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
)  # fmt: skip
_SAY_NOTHING: Final[Mapping[str, JSONValue]] = {
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
    "store": False,
}
"""Defaults that OpenAI documents. Clients send them unasked, and no model is to be passed over for them."""
_NOTHING_ASKED: Final = Lor3Body()
_OWN_FIELDS: Final = frozenset(notes_of(Lor3Body))


@frozen(kw_only=True)
class OpenAIChat:
    """A body that was understood."""

    command: SendChatCommand
    names: Mapping[str, str]
    """Field of the command → where the body has it, for faults that are found later."""
    include_usage: bool = False
    warnings: tuple[str, ...] = ()
    """What was not passed on."""


def read_openai_chat(value: JSONObject, *, request_id: str, caller: Caller = ANYBODY) -> OpenAIChat:
    """
    Raises:
        InvalidRequest: with every fault at once, each with its path.
        Forbidden: it is for another user than the caller is bound to.
    """
    faults: Faults = []
    known, others = value, dict[str, JSONValue]()
    if not value.keys() <= FIELDS:
        known = {name: item for name, item in value.items() if name in FIELDS}
        others = {name: item for name, item in value.items() if name not in FIELDS and item is not None}
    body = OPENAI_CHAT.read(known, "", faults)
    for name in others:
        if name in _OWN_FIELDS:
            fault(faults, name, f'belongs in `lor3`: send {{"lor3": {{"{name}": …}}}}')
        else:
            look_over_parameter(name, others[name], faults)
    if body is None:
        _look_further(value, faults)
        raise InvalidRequest.of(*faults)
    lor3 = body.lor3 or _NOTHING_ASKED
    warnings: list[str] = []
    messages = read_messages(body.messages, faults, warnings, continues=lor3.thread_id is not None)
    tools = () if body.tools is None else to_tools(body.tools, faults)
    choice = None if body.tool_choice is None else to_tool_choice(body.tool_choice, tools, faults)
    model, system_prompt = _asked_of(body, lor3, faults)
    format_name, schema = _format(body, lor3, faults)
    max_tokens = _max_tokens(body, faults)
    if faults:
        raise InvalidRequest.of(*faults)
    stop = body.stop
    command = SendChatCommand(
        request_id=request_id,
        tenant=caller.tenant,
        caller=caller,
        messages=messages,
        own_history=not _is_one_turn(messages),
        thread_id=cast("ThreadId | None", lor3.thread_id),
        session_id=cast("SessionId | None", lor3.session_id),
        user=_user(body, caller),
        system_prompt=system_prompt,
        variables=lor3.variables or NO_VARIABLES,
        model=model,
        fallbacks=lor3.fallbacks,
        format=format_name,
        schema=schema,
        context_depth=lor3.context_depth,
        memory=lor3.memory,
        max_tokens=max_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        stop=() if stop is None else (stop,) if isinstance(stop, str) else stop,
        seed=body.seed,
        tools=tools,
        tool_choice=choice,
        stream=bool(body.stream),
        metadata=body.metadata or (),
        on_disconnect=lor3.on_disconnect or "finish",
        parameters={**_passed_on(body), **others},
    )
    return OpenAIChat(
        command=command,
        names=_places(
            _is_prompt(body.model),
            body.response_format is not None,
            body.max_completion_tokens is not None,
            not body.user and body.safety_identifier is not None,
        ),
        include_usage=body.stream_options is not None and bool(body.stream_options.include_usage),
        warnings=tuple(warnings),
    )


def _user(body: OpenAIChatBody, caller: Caller) -> str | None:
    if not body.user:
        return user_of(caller, body.safety_identifier or None, path="safety_identifier")
    return user_of(caller, body.user)


def _is_one_turn(messages: tuple[Message, ...]) -> bool:
    """Whether a user's turn is all there is, but for instructions: then it can go on with a thread."""
    return messages[-1].role == "user" and all(message.role == "system" for message in messages[:-1])


def _asked_of(body: OpenAIChatBody, lor3: Lor3Body, faults: Faults) -> tuple[str | None, str | None]:
    """The model and the prompt."""
    model = body.model
    if model is None or not model.startswith(PROMPT_PREFIX):
        return model, lor3.system_prompt
    if lor3.system_prompt is not None:
        fault(faults, "lor3.system_prompt", "`model` names a prompt already; leave one of the two out")
    return None, model.removeprefix(PROMPT_PREFIX)


def _format(body: OpenAIChatBody, lor3: Lor3Body, faults: Faults) -> tuple[str | None, JSONObject | None]:
    wanted = body.response_format
    if wanted is None:
        return lor3.format, lor3.schema
    for name, item in (("format", lor3.format), ("schema", lor3.schema)):
        if item is not None:
            fault(faults, f"lor3.{name}", "`response_format` says it already; leave one of the two out")
    if isinstance(wanted, TextFormatBody):
        return "raw", None
    return "json", wanted.json_schema.schema if isinstance(wanted, JSONSchemaFormatBody) else None


def _max_tokens(body: OpenAIChatBody, faults: Faults) -> int | None:
    older, newer = body.max_tokens, body.max_completion_tokens
    if older is not None and newer is not None and older != newer:
        fault(faults, "max_completion_tokens", "`max_tokens` says something else; send one of the two")
    return older if newer is None else newer


def _passed_on(body: OpenAIChatBody) -> dict[str, JSONValue]:
    parameters: dict[str, JSONValue] = {}
    for name in _PASSED_ON:
        item = getattr(body, name)
        if item is not None and not (name in _SAY_NOTHING and item == _SAY_NOTHING[name]):
            parameters[name] = item
    if body.user and body.safety_identifier is not None:
        parameters["safety_identifier"] = body.safety_identifier
    return parameters


def places_in(value: JSONObject) -> Mapping[str, str]:
    """Field of the command → where a body has it that could not be read as a whole."""
    return _places(
        _is_prompt(OPENAI_CHAT.field("model", value)),
        value.get("response_format") is not None,
        value.get("max_completion_tokens") is not None,
        not value.get("user") and value.get("safety_identifier") is not None,
    )


def _is_prompt(model: str | None) -> bool:
    return model is not None and model.startswith(PROMPT_PREFIX)


@cache
def _places(is_prompt: bool, is_formatted: bool, is_newer: bool, is_safety: bool) -> Mapping[str, str]:
    places = {name: f"lor3.{name}" for name in _OWN_FIELDS}
    if is_prompt:
        places["system_prompt"] = "model"
    if is_formatted:
        places |= {"format": "response_format", "schema": "response_format.json_schema.schema"}
    if is_newer:
        places["max_tokens"] = "max_completion_tokens"
    if is_safety:
        places["user"] = "safety_identifier"
    return places


def names_in_openai(value: JSONObject) -> Names:
    """Those that can be read; for a body that has other faults, so that all are named at once."""
    given = value.get("lor3")
    lor3 = given if isinstance(given, dict) else {}
    model: str | None = OPENAI_CHAT.field("model", value)
    prompt: str | None = LOR3.field("system_prompt", lor3)
    prompt_is_readable = prompt is not None or lor3.get("system_prompt") is None
    if model is not None and model.startswith(PROMPT_PREFIX):
        prompt = model.removeprefix(PROMPT_PREFIX)
        model = None
    variables_are_readable = lor3.get("variables") is None or LOR3.field("variables", lor3) is not None
    format_name: str | None = LOR3.field("format", lor3)
    schema: JSONObject | None = LOR3.field("schema", lor3)
    wanted: ResponseFormatBody | None = OPENAI_CHAT.field("response_format", value)
    if wanted is not None:
        format_name = "raw" if isinstance(wanted, TextFormatBody) else "json"
        schema = wanted.json_schema.schema if isinstance(wanted, JSONSchemaFormatBody) else None
    return Names(
        format=format_name,
        # Which format it is meant to go with is not known where that can't be read.
        schema=schema if format_name is not None or lor3.get("format") is None else None,
        model=model,
        fallbacks=LOR3.field("fallbacks", lor3),
        system_prompt=prompt,
        variables=(LOR3.field("variables", lor3) or {})
        if prompt_is_readable and variables_are_readable
        else None,
    )


def _look_further(value: JSONObject, faults: Faults) -> None:
    """Checks what spans fields, as far as a body with faults lets one see."""
    messages, lor3 = OPENAI_CHAT.field("messages", value), value.get("lor3")
    if messages:
        continues = isinstance(lor3, dict) and lor3.get("thread_id") is not None
        read_messages(messages, faults, [], continues=continues)
    tools, choice = OPENAI_CHAT.field("tools", value), OPENAI_CHAT.field("tool_choice", value)
    if tools is not None or value.get("tools") is None:
        known = () if tools is None else to_tools(tools, faults)
        if choice is not None:
            to_tool_choice(choice, known, faults)
