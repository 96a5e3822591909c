"""Messages in a body: lor3's own parts, and OpenAI's `image_url` beside them."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from domain.json_value import JSONValue
from domain.message import ImagePart, Message, Part, Role, TextPart, ToolCall
from domain.values import frozen
from entrypoints.http.checks import Boolean, Choice, Faults, ListOf, Text, TextOr, fault
from entrypoints.http.records import Record, Tagged, given
from entrypoints.http.tool_body import CALLED_NAME

MAX_TEXT: Final = 1_000_000
_MEDIA_TYPES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
_MAX_URL: Final = 2048
TEXT: Final = Text(max_length=MAX_TEXT, blank=False)
CALL_ID: Final = Text(min_length=1, max_length=MAX_TEXT)
"""As long as a provider makes it: some servers keep in it what a model thought."""
MAX_CALLS: Final = 1024
"""In one turn; as many as an answer may hold."""
_DETAIL: Final = Choice(("auto", "low", "high"))
_DETAIL_DOC: Final = "How closely to look, where the provider lets one choose."
_URL: Final = Text(
    min_length=1, max_length=64 * 1024 * 1024
)  # a data: URL; the body's own limit is far below

Detail: TypeAlias = Literal["auto", "low", "high"]


@frozen(kw_only=True)
class TextPartBody:
    """A text."""

    type: Literal["text"] = given(Choice(("text",)), "Always `text`.", required=True)
    text: str = given(
        Text(max_length=MAX_TEXT), "The text; not empty in a system's or a user's turn.", required=True
    )


@frozen(kw_only=True)
class ImagePartBody:
    """An image, by `url` or inline by `data` and `media_type`."""

    type: Literal["image"] = given(Choice(("image",)), "Always `image`.", required=True)
    url: str | None = given(
        _URL, "An http(s) URL, passed on to the provider and never fetched by lor3; or a data: URL."
    )
    data: str | None = given(_URL, "The image in base64.")
    media_type: str | None = given(Choice(_MEDIA_TYPES), "The type of `data`.")
    detail: Detail | None = given(_DETAIL, _DETAIL_DOC)


@frozen(kw_only=True)
class ImageURLBody:
    """Where an image is."""

    url: str = given(_URL, "An http(s) or data: URL.", required=True)
    detail: Detail | None = given(_DETAIL, _DETAIL_DOC)


@frozen(kw_only=True)
class ImageURLPartBody:
    """An image in OpenAI's shape."""

    type: Literal["image_url"] = given(Choice(("image_url",)), "Always `image_url`.", required=True)
    image_url: ImageURLBody = given(Record(ImageURLBody), "The image.", required=True)


@frozen(kw_only=True)
class CalledFunctionBody:
    """The function that was called."""

    name: str = given(CALLED_NAME, "Its name, as the model wrote it.", required=True)
    arguments: str = given(
        Text(max_length=MAX_TEXT), "JSON text, exactly as the model wrote it.", required=True
    )


@frozen(kw_only=True)
class ToolCallBody:
    """A call that the model asked for; those of an answer can be sent back as they are."""

    id: str = given(CALL_ID, "The call's id.", required=True)
    type: Literal["function"] = given(Choice(("function",)), "Always `function`.", required=True)
    function: CalledFunctionBody = given(Record(CalledFunctionBody), "The function.", required=True)
    complete: bool | None = given(
        Boolean(), "False where the answer was cut off inside the arguments.", default=True
    )


PartBody: TypeAlias = TextPartBody | ImagePartBody | ImageURLPartBody
_PART: Tagged[PartBody] = Tagged(
    "type",
    {"text": Record(TextPartBody), "image": Record(ImagePartBody), "image_url": Record(ImageURLPartBody)},
)


@frozen(kw_only=True)
class MessageBody:
    """A turn of a conversation."""

    role: Role = given(Choice(("system", "user", "assistant", "tool")), "Whose turn it is.", required=True)
    content: str | tuple[PartBody, ...] | None = given(
        TextOr(text=Text(max_length=MAX_TEXT), other=ListOf(item=_PART, max_items=100)),
        "A string, or a list of parts. May be left out where an assistant only called tools, and empty in an "
        "assistant's or a tool's turn.",
    )
    tool_calls: tuple[ToolCallBody, ...] | None = given(
        ListOf(item=Record(ToolCallBody), max_items=MAX_CALLS), "The calls of an assistant's turn."
    )
    tool_call_id: str | None = given(CALL_ID, "In a tool's turn: which earlier call it answers.")


MESSAGE: Final = Record(MessageBody)


def to_messages(
    bodies: tuple[MessageBody, ...], faults: Faults, *, continues: bool = False
) -> tuple[Message, ...]:
    """Domain messages; checks what spans fields and turns.

    Args:
        continues: a thread is continued, so that the first messages may be results of calls that it holds.
    """
    called: set[str] = set()
    held = _results_of_the_thread([body.role for body in bodies]) if continues else 0
    messages = tuple(
        _message(body, f"messages[{index}]", called, faults, may_be_held=index < held)
        for index, body in enumerate(bodies)
    )
    last = bodies[-1].role
    if last not in ("user", "tool"):
        fault(
            faults,
            f"messages[{len(bodies) - 1}].role",
            f"the last message is the one to answer: its role must be `user` or `tool`, not `{last}`",
        )
    return messages


def look_over_messages(values: JSONValue, faults: Faults, *, continues: bool = False) -> None:
    """Appends what `to_messages` would find in a list of which some messages can't be read."""
    if not isinstance(values, list):
        return
    called: set[str] = set()
    roles = [value.get("role") if isinstance(value, dict) else None for value in values]
    held = _results_of_the_thread(roles) if continues else 0
    for index, value in enumerate(values):
        path = f"messages[{index}]"
        body = MESSAGE.read(value, path, [])
        if body is not None:
            _message(body, path, called, faults, may_be_held=index < held)
        elif isinstance(value, dict):
            calls = value.get("tool_calls")
            if value.get("content") is None and not calls and value.get("role") != "tool":
                fault(faults, f"{path}.content", "is required")
            for call in calls if isinstance(calls, list) else ():
                if isinstance(call, dict) and isinstance(call.get("id"), str):
                    called.add(str(call["id"]))


def _results_of_the_thread(roles: Sequence[object]) -> int:
    """How many messages at the begin answer calls that are not among them; with a history of its own, none."""
    if any(role not in ("tool", "user") for role in roles):
        return 0
    return next((index for index, role in enumerate(roles) if role != "tool"), len(roles))


def _message(body: MessageBody, path: str, called: set[str], faults: Faults, *, may_be_held: bool) -> Message:
    role = body.role
    calls = body.tool_calls or ()
    if calls and role != "assistant":
        fault(
            faults,
            f"{path}.tool_calls",
            f"only an `assistant` message has tool calls, not a `{role}` message",
        )
    if role == "tool":
        if body.tool_call_id is None:
            fault(faults, f"{path}.tool_call_id", "is required in a `tool` message")
        elif body.tool_call_id not in called and not may_be_held:
            fault(faults, f"{path}.tool_call_id", "answers no call of an earlier `assistant` message")
    elif body.tool_call_id is not None:
        fault(faults, f"{path}.tool_call_id", f"only a `tool` message answers a call, not a `{role}` message")
    called.update(call.id for call in calls)
    return Message(
        role=role,
        parts=_parts(body, path, faults),
        tool_calls=tuple(
            ToolCall(
                id=call.id,
                name=call.function.name,
                arguments=call.function.arguments,
                complete=call.complete is not False,
            )
            for call in calls
        ),
        tool_call_id=body.tool_call_id,
    )


def _parts(body: MessageBody, path: str, faults: Faults) -> tuple[Part, ...]:
    content = body.content
    asks = body.role in ("system", "user")
    if not content:
        if content is None and not body.tool_calls and body.role != "tool":
            fault(faults, f"{path}.content", "is required")
        elif content is not None and asks:
            fault(faults, f"{path}.content", "must not be empty")
        # An empty tool result is a result: the function returned nothing. An empty answer was one: the model said
        # nothing, or was kept from it, and who keeps the history sends it back.
        return (TextPart(text=""),) if body.role == "tool" else ()
    if isinstance(content, str):
        if not content.strip() and asks:
            fault(faults, f"{path}.content", "must not be empty")
        return (TextPart(text=content),)
    parts: list[Part] = []
    for index, part in enumerate(content):
        where = f"{path}.content[{index}]"
        if isinstance(part, TextPartBody):
            if asks and not part.text.strip():
                fault(faults, f"{where}.text", "must not be empty")
            parts.append(TextPart(text=part.text))
            continue
        if body.role != "user":
            fault(
                faults,
                f"{where}.type",
                f"an image belongs in a `user` message, not in a `{body.role}` message",
            )
        image = _image(part, where, faults)
        if image is not None:
            parts.append(image)
    return tuple(parts)


def _image(part: ImagePartBody | ImageURLPartBody, path: str, faults: Faults) -> ImagePart | None:
    if isinstance(part, ImageURLPartBody):
        return image_of_url(part.image_url.url, part.image_url.detail, f"{path}.image_url.url", faults)
    if (part.url is None) == (part.data is None):
        fault(faults, path, "an image has either `url`, or `data` and `media_type`")
        return None
    if part.url is not None:
        if part.media_type is not None:
            fault(faults, f"{path}.media_type", "belongs to `data`; leave it out beside `url`")
        return image_of_url(part.url, part.detail, f"{path}.url", faults)
    assert part.data is not None  # noqa: S101 - by the comparison above
    if part.media_type is None:
        fault(faults, f"{path}.media_type", "is required beside `data`")
    return _inline(part.data, part.media_type, part.detail, f"{path}.data", faults)


def image_of_url(url: str, detail: Detail | None, path: str, faults: Faults) -> ImagePart | None:
    if url[:5].lower() == "data:":
        head, comma, data = url[5:].partition(",")
        media_type, _, encoding = head.partition(";")
        if not comma or encoding != "base64" or media_type not in _MEDIA_TYPES:
            allowed = ", ".join(_MEDIA_TYPES)
            fault(faults, path, f"a data: URL must be `data:<type>;base64,…` with a type of {allowed}")
            return None
        return _inline(data, media_type, detail, path, faults)
    if len(url) > _MAX_URL:
        fault(faults, path, f"must have at most {_MAX_URL:,} characters; it has {len(url):,}")
    elif not _is_web_url(url):
        fault(faults, path, "must be an absolute http:// or https:// URL, or a data: URL")
    else:
        return ImagePart(url=url, detail=detail)
    return None


def _is_web_url(url: str) -> bool:
    if not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an address that is none
        return False


def _inline(
    data: str, media_type: str | None, detail: Detail | None, path: str, faults: Faults
) -> ImagePart | None:
    try:
        valid = bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):  # ValueError: characters beyond ASCII
        valid = False
    if not valid:
        fault(faults, path, "must be an image in base64, without white space")
        return None
    return ImagePart(data=data, media_type=media_type, detail=detail)
