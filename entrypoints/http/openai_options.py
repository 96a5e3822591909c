"""What a body of OpenAI's asks for beside messages and numbers: formats, stream options, and lor3's own powers.

Source: `openai.types.chat.completion_create_params` of the official SDK.
"""

from typing import Any, Final, Literal, TypeAlias

from domain.json_value import JSONObject
from domain.values import frozen
from entrypoints.http.chat_body import ChatBody
from entrypoints.http.checks import AnyObject, Boolean, Choice, Text
from entrypoints.http.records import Record, Tagged, given, notes_of


@frozen(kw_only=True)
class TextFormatBody:
    """Plain text: lor3's `raw`."""

    type: Literal["text"] = given(Choice(("text",)), "Always `text`.", required=True)


@frozen(kw_only=True)
class JSONObjectFormatBody:
    """Any JSON: lor3's `json`."""

    type: Literal["json_object"] = given(Choice(("json_object",)), "Always `json_object`.", required=True)


@frozen(kw_only=True)
class JSONSchemaBody:
    """The schema of an answer."""

    name: str | None = given(
        Text(max_length=64, pattern="[A-Za-z0-9_-]{1,64}", hint="1 to 64 letters, digits, `_` or `-`"),
        "The schema's name.",
        required=True,
        example="city",
    )
    description: str | None = given(Text(max_length=16_384), "What the answer is for; not passed on.")
    schema: JSONObject | None = given(AnyObject(), "A JSON Schema that the answer validates against.")
    strict: bool | None = given(
        Boolean(), "Passed over: lor3 validates every answer, and asks for what is not valid once more."
    )


@frozen(kw_only=True)
class JSONSchemaFormatBody:
    """JSON that validates: lor3's `json` with `schema`."""

    type: Literal["json_schema"] = given(Choice(("json_schema",)), "Always `json_schema`.", required=True)
    json_schema: JSONSchemaBody = given(Record(JSONSchemaBody), "The schema.", required=True)


ResponseFormatBody: TypeAlias = TextFormatBody | JSONObjectFormatBody | JSONSchemaFormatBody
RESPONSE_FORMAT: Final[Tagged[ResponseFormatBody]] = Tagged(
    "type",
    {
        "text": Record(TextFormatBody),
        "json_object": Record(JSONObjectFormatBody),
        "json_schema": Record(JSONSchemaFormatBody),
    },
)


@frozen(kw_only=True)
class StreamOptionsBody:
    """Options of a stream; without a stream they mean nothing."""

    include_usage: bool | None = given(
        Boolean(), "A last chunk without choices holds the usage; the others hold null.", default=False
    )
    include_obfuscation: bool | None = given(Boolean(), "Passed over: chunks are never padded.")


_NATIVE: Final = notes_of(ChatBody)


def _as_native(field: str) -> Any:
    """The field of `POST /chat` with that name."""
    note = _NATIVE[field]
    return given(note.check, note.doc, default=note.default, example=note.example)


@frozen(kw_only=True)
class Lor3Body:
    """What lor3 can and OpenAI can't: the fields of `POST /chat`, under the same names."""

    thread_id: str | None = _as_native("thread_id")
    session_id: str | None = _as_native("session_id")
    system_prompt: str | None = _as_native("system_prompt")
    variables: JSONObject | None = _as_native("variables")
    context_depth: int | None = _as_native("context_depth")
    memory: Literal["window", "summary"] | None = _as_native("memory")
    format: str | None = _as_native("format")
    schema: JSONObject | None = _as_native("schema")
    fallbacks: tuple[str, ...] | None = _as_native("fallbacks")
    on_disconnect: Literal["finish", "cancel"] | None = _as_native("on_disconnect")


LOR3: Final = Record(Lor3Body)
STREAM_OPTIONS: Final = Record(StreamOptionsBody)
