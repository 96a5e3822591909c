"""Messages in OpenAI's shape, read into lor3's own. Images, tools and their calls have one shape on both surfaces.

Source: `openai.types.chat.chat_completion_message_param` of the official SDK. What an answer of ours, of OpenAI's or of
a compatible server holds can be sent back as it came: clients append it to their history.
"""

from typing import Final, Literal, TypeAlias

import attrs

from domain.json_value import JSONObject, JSONValue
from domain.message import Message
from domain.values import frozen
from entrypoints.http.checks import Choice, Faults, ListOf, Schemas, Text, TextOr, fault
from entrypoints.http.message_body import (
    CALL_ID,
    MAX_CALLS,
    MAX_TEXT,
    TEXT,
    CalledFunctionBody,
    ImageURLPartBody,
    MessageBody,
    PartBody,
    TextPartBody,
    ToolCallBody,
    to_messages,
)
from entrypoints.http.openai_checks import LeftOut, Refused, Tolerated
from entrypoints.http.records import Record, Tagged, given, notes_of
from entrypoints.http.tool_body import CALLED_NAME

OpenAIRole: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]


@frozen(kw_only=True)
class RefusalPartBody:
    """What an assistant would not do."""

    type: Literal["refusal"] = given(Choice(("refusal",)), "Always `refusal`.", required=True)
    refusal: str = given(TEXT, "Its words.", required=True)


OpenAIPart: TypeAlias = TextPartBody | ImageURLPartBody | RefusalPartBody
_PART: Final[Tagged[OpenAIPart]] = Tagged(
    "type",
    {
        "text": Record(TextPartBody),
        "image_url": Record(ImageURLPartBody),
        "refusal": Record(RefusalPartBody),
    },
)
_LEFT_OUT: Final = "Of an answer that is sent back. Not passed on; the answer's `lor3.warnings` say so."
_FUNCTIONS: Final = "functions were replaced by tools; send `tools` and `tool_calls`"


@frozen
class RoleName:
    """Refuses the legacy role by its name."""

    roles: Choice = Choice(("system", "developer", "user", "assistant", "tool"))

    def read(self, value: JSONValue, path: str, faults: Faults) -> str | None:
        if value == "function":
            fault(
                faults, path, "the role `function` was replaced by `tool`; send tool calls and their results"
            )
            return None
        return self.roles.read(value, path, faults)

    def schema(self, schemas: Schemas) -> JSONObject:
        return self.roles.schema(schemas)


@frozen(kw_only=True)
class OpenAICalledFunction:
    """The function that was called."""

    name: str = given(CALLED_NAME, "Its name, as the model wrote it.", required=True)
    arguments: str = given(
        Text(max_length=MAX_TEXT), "JSON text, exactly as the model wrote it.", required=True
    )
    parsed_arguments: None = given(Tolerated(), "The SDK's own; not passed on.")
    strict: None = given(Tolerated(), "Of the tool, not of its call; not passed on.")
    provider_specific_fields: bool | None = given(LeftOut(), _LEFT_OUT)


@frozen(kw_only=True)
class OpenAICall:
    """A call that the model asked for."""

    id: str = given(CALL_ID, "The call's id.", required=True)
    type: Literal["function"] = given(Choice(("function",)), "Always `function`.", required=True)
    function: OpenAICalledFunction = given(Record(OpenAICalledFunction), "The function.", required=True)
    index: None = given(Tolerated(), "Of a streamed call; not passed on.")
    extra_content: bool | None = given(LeftOut(), _LEFT_OUT)
    provider_specific_fields: bool | None = given(LeftOut(), _LEFT_OUT)


@frozen(kw_only=True)
class OpenAIMessage:
    """A turn of a conversation, in OpenAI's shape."""

    role: OpenAIRole = given(RoleName(), "Whose turn it is; `developer` is `system`.", required=True)
    content: str | tuple[OpenAIPart, ...] | None = given(
        TextOr(text=Text(max_length=MAX_TEXT), other=ListOf(item=_PART, max_items=100)),
        "A string, or a list of parts: `text`, `image_url` in a user's turn, `refusal` in an assistant's. "
        "May be null where an assistant only called tools, and empty in an assistant's or a tool's turn.",
    )
    refusal: str | None = given(
        Text(max_length=MAX_TEXT), "Of an assistant: what it said in place of `content`."
    )
    tool_calls: tuple[OpenAICall, ...] | None = given(
        ListOf(item=Record(OpenAICall), max_items=MAX_CALLS), "The calls of an assistant's turn."
    )
    tool_call_id: str | None = given(CALL_ID, "In a tool's turn: which earlier call it answers.")
    name: str | None = given(
        Text(max_length=256), "A participant's name. Not passed on; the answer's `lor3.warnings` say so."
    )
    function_call: None = given(Refused(why=_FUNCTIONS), "Refused: send `tool_calls`.")
    audio: None = given(Refused(why="lor3 carries no audio; send text"), "Refused: lor3 carries no audio.")
    annotations: None = given(Tolerated(), "Of an answer that is sent back; not passed on.")
    parsed: None = given(Tolerated(), "Of an answer that is sent back; not passed on.")
    reasoning: bool | None = given(LeftOut(), _LEFT_OUT)
    reasoning_content: bool | None = given(LeftOut(), _LEFT_OUT)
    reasoning_details: bool | None = given(LeftOut(), _LEFT_OUT)
    thinking_blocks: bool | None = given(LeftOut(), _LEFT_OUT)
    provider_specific_fields: bool | None = given(LeftOut(), _LEFT_OUT)


def _left_out(record: type[attrs.AttrsInstance]) -> tuple[str, ...]:
    return tuple([name for name, note in notes_of(record).items() if isinstance(note.check, LeftOut)])


_OF_A_MESSAGE: Final = _left_out(OpenAIMessage)
_OF_A_CALL: Final = _left_out(OpenAICall)
_OF_A_FUNCTION: Final = _left_out(OpenAICalledFunction)
OPENAI_MESSAGE: Final = Record(OpenAIMessage)


def read_messages(
    bodies: tuple[OpenAIMessage, ...], faults: Faults, warnings: list[str], *, continues: bool
) -> tuple[Message, ...]:
    """Domain messages; checks what spans fields and turns.

    Args:
        warnings: takes what is not passed on.
        continues: a thread is continued.
    """
    if any(body.name for body in bodies):
        warnings.append("the `name` of messages was not passed on: not every provider has a place for it")
    left_out = _names_left_out(bodies)
    if left_out:
        names = ", ".join(f"`{name}`" for name in left_out)
        warnings.append(f"fields of messages that were not passed on: {names}")
    own = tuple([_own(body, f"messages[{index}]", faults) for index, body in enumerate(bodies)])
    return to_messages(own, faults, continues=continues)


def _names_left_out(bodies: tuple[OpenAIMessage, ...]) -> list[str]:
    """Each once, in the order in which they stand."""
    found = dict[str, None]()
    for body in bodies:
        found.update((name, None) for name in _OF_A_MESSAGE if getattr(body, name))
        for call in body.tool_calls or ():
            found.update((f"tool_calls.{name}", None) for name in _OF_A_CALL if getattr(call, name))
            found.update(
                (f"tool_calls.function.{name}", None)
                for name in _OF_A_FUNCTION
                if getattr(call.function, name)
            )
    return list(found)


def _own(body: OpenAIMessage, path: str, faults: Faults) -> MessageBody:
    if body.refusal and body.role != "assistant":
        fault(
            faults,
            f"{path}.refusal",
            f"only an `assistant` message has a refusal, not a `{body.role}` message",
        )
    return MessageBody(
        role="system" if body.role == "developer" else body.role,
        content=_content(body, path, faults),
        tool_calls=None if body.tool_calls is None else tuple([_own_call(call) for call in body.tool_calls]),
        tool_call_id=body.tool_call_id,
    )


def _own_call(call: OpenAICall) -> ToolCallBody:
    function = CalledFunctionBody(name=call.function.name, arguments=call.function.arguments)
    return ToolCallBody(id=call.id, type="function", function=function)


def _content(body: OpenAIMessage, path: str, faults: Faults) -> str | tuple[PartBody, ...] | None:
    content = body.content
    if not content and body.refusal:
        return body.refusal
    if content is None or isinstance(content, str):
        return content
    parts: list[PartBody] = []
    for index, part in enumerate(content):
        if isinstance(part, RefusalPartBody):
            if body.role != "assistant":
                where = f"{path}.content[{index}].type"
                fault(
                    faults, where, f"only an `assistant` message has a refusal, not a `{body.role}` message"
                )
            parts.append(TextPartBody(type="text", text=part.refusal))
        else:
            parts.append(part)
    return tuple(parts)
