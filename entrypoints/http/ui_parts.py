"""Messages of Vercel's AI SDK (`UIMessage`) as turns.

Source: `convertToModelMessages` and `UIMessagePart` of the npm package `ai`, versions 5.0.277, 6.0.326 and 7.0.173.
Fields that are not read here are let be: each release adds some.
"""

import json
import re
from collections.abc import Sequence
from typing import Final, cast

import attrs

from application.services.client_history import ClientMessage, ClientRole
from domain.errors import InvalidRequest
from domain.json_value import JSONObject, JSONValue
from domain.message import Message, Part, TextPart, ToolCall
from domain.suggestion import shown
from domain.values import frozen
from entrypoints.http.chat_body import MAX_MESSAGES
from entrypoints.http.checks import Choice, Faults, ListOf, Schemas, Text, fault, kind_of
from entrypoints.http.message_body import CALL_ID, MAX_TEXT, image_of_url
from entrypoints.http.tool_body import CALLED_NAME

_ROLE: Final = Choice(("system", "user", "assistant"))
_ID: Final = Text(max_length=256)
_TEXT: Final = Text(max_length=MAX_TEXT)
_URL: Final = Text(min_length=1, max_length=64 * 1024 * 1024)
_ANSWERED: Final = ("output-available", "output-error", "output-denied")
_SILENT: Final = ("data-", "reasoning", "step-start", "source-", "custom")
"""Beginnings of the types of parts that no model is told of."""
_IMAGE_TYPE: Final = re.compile("image/[a-zA-Z0-9.+-]{1,64}")
"""One that is worth keeping: no range."""
_DENIED: Final = "the user did not allow this call"


@frozen
class _AnyPart:
    """An object with a `type`; what else it holds is read where it is needed."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> JSONObject | None:
        if not isinstance(value, dict):
            fault(faults, path, f"must be an object, not {kind_of(value)}")
        elif not isinstance(value.get("type"), str):
            fault(faults, f"{path}.type", "is required")
        else:
            return value
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {
            "type": "object",
            "properties": {"type": {"type": "string", "description": "What kind of part it is."}},
            "required": ["type"],
            "description": "A part of a `UIMessage`: `text`; `file` with an image; `tool-NAME` and `dynamic-tool` with "
            "a result. `reasoning`, `step-start`, `source-*` and `data-*` are let be; other ones are refused.",
        }


_PARTS: Final = ListOf(item=_AnyPart(), max_items=1000)


@frozen
class UIMessageCheck:
    """A `UIMessage`, as far as to know whose it is."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> "UIMessageBody | None":
        if not isinstance(value, dict):
            fault(faults, path, f"must be an object, not {kind_of(value)}")
            return None
        before = len(faults)
        role = _ROLE.read(value.get("role"), f"{path}.role", faults)
        name = _ID.read(value.get("id") or "", f"{path}.id", faults)
        if value.get("parts") is None:
            fault(faults, f"{path}.parts", "is required: the AI SDK from version 5 on sends a list of parts")
            return None
        parts = _PARTS.read(value["parts"], f"{path}.parts", faults)
        if len(faults) > before or role is None or name is None or parts is None:
            return None
        return UIMessageBody(id=name, role=cast("ClientRole", role), parts=parts)

    def schema(self, schemas: Schemas) -> JSONObject:
        if "UIMessage" not in schemas:
            schemas["UIMessage"] = {
                "type": "object",
                "description": "A message as the AI SDK has it. Fields that are not listed are let be.",
                "properties": {
                    "id": {**_ID.schema(schemas), "description": "The client's own; lor3's, of an answer."},
                    "role": {**_ROLE.schema(schemas), "description": "Whose it is."},
                    "parts": {**_PARTS.schema(schemas), "description": "What it says."},
                },
                "required": ["role", "parts"],
            }
        return {"$ref": "#/components/schemas/UIMessage"}


@frozen(kw_only=True)
class UIMessageBody:
    id: str
    role: ClientRole
    parts: tuple[JSONObject, ...]


@frozen(kw_only=True)
class SentMessages:
    """The messages of a request. They are read when somebody asks what they say: mostly it is the last one alone."""

    bodies: tuple[UIMessageBody, ...]
    path: str = "messages"
    """`message`, where the client sends its last one alone."""

    def __len__(self) -> int:
        return len(self.bodies)

    def __getitem__(self, index: int) -> ClientMessage:
        body = self.bodies[index]
        return ClientMessage(id=body.id, role=body.role)

    def text(self, index: int) -> str:
        parts = self.bodies[index].parts
        texts = [part.get("text") for part in parts if part["type"] == "text"]
        return "".join(text for text in texts if isinstance(text, str))

    def turns(self, first: int, end: int) -> tuple[Message, ...]:
        faults: Faults = []
        found: list[Message] = []
        if end - first > MAX_MESSAGES:
            fault(
                faults,
                self.path,
                f"a chat begins with at most {MAX_MESSAGES:,} messages; leave the oldest out",
            )
            first = end
        for index in range(first, end):
            body, path = self.bodies[index], self._path(index)
            if body.role == "assistant":
                for step in _steps(body):
                    found += _said(step, path, faults)
            else:
                found.append(Message(role=body.role, parts=_content(body, path, faults)))
        if faults:
            raise InvalidRequest.of(*faults)
        return tuple(found)

    def results(self, index: int) -> tuple[Message, ...]:
        faults: Faults = []
        step = _steps(self.bodies[index])[-1]
        answered = [each for each in step if _is_answered(each[1])]
        found = [_result(part, f"{self._path(index)}.parts[{at}]", faults) for at, part in answered]
        if faults:
            raise InvalidRequest.of(*faults)
        return tuple(found)

    def _path(self, index: int) -> str:
        return f"{self.path}[{index}]" if self.path == "messages" else self.path


_Step = Sequence[tuple[int, JSONObject]]
"""Parts with their indexes."""


def _steps(body: UIMessageBody) -> list[_Step]:
    """One for each call of a model; at least one."""
    steps: list[list[tuple[int, JSONObject]]] = [[]]
    for index, part in enumerate(body.parts):
        if part["type"] == "step-start":
            steps.append([])
        else:
            steps[-1].append((index, part))
    return [step for step in steps if step] or [[]]


def _content(body: UIMessageBody, path: str, faults: Faults) -> tuple[Part, ...]:
    before = len(faults)
    parts: list[Part] = []
    for index, part in enumerate(body.parts):
        where, kind = f"{path}.parts[{index}]", str(part["type"])
        if kind == "text":
            text = _TEXT.read(part.get("text"), f"{where}.text", faults)
            if text:
                parts.append(TextPart(text=text))
        elif kind == "file" and body.role == "user":
            image = _image(part, where, faults)
            if image is not None:
                parts.append(image)
        elif not kind.startswith(_SILENT):
            _refuse(kind, body.role, where, faults)
    has_more = any(not isinstance(each, TextPart) or each.text.strip() for each in parts)
    if len(faults) == before and not has_more:
        fault(faults, f"{path}.parts", "must hold a text or an image")
    return tuple(parts)


def _image(part: JSONObject, path: str, faults: Faults) -> Part | None:
    media_type = part.get("mediaType")
    if not isinstance(media_type, str) or not (media_type == "image" or media_type.startswith("image/")):
        given = f"`{shown(media_type)}`" if isinstance(media_type, str) else kind_of(media_type)
        fault(faults, f"{path}.mediaType", f"only images can be sent to a model; it is {given}")
        return None
    url = _URL.read(part.get("url"), f"{path}.url", faults)
    image = None if url is None else image_of_url(url, None, f"{path}.url", faults)
    if image is not None and image.url is not None and _IMAGE_TYPE.fullmatch(media_type):
        return attrs.evolve(image, media_type=media_type)
    return image


def _said(step: _Step, path: str, faults: Faults) -> list[Message]:
    """An answer, and the results of the tools that it called. A call without a result is left out: nobody takes it."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    results: list[Message] = []
    for index, part in step:
        where, kind = f"{path}.parts[{index}]", str(part["type"])
        if kind == "text":
            texts.append(_TEXT.read(part.get("text"), f"{where}.text", faults) or "")
        elif _is_tool(part):
            if _is_answered(part):
                result = _result(part, where, faults)
                name = CALLED_NAME.read(_tool_name(part), where, faults)
                calls.append(
                    ToolCall(
                        id=result.tool_call_id or "",
                        name=name or "",
                        arguments=_text_of(part.get("input", {})),
                    )
                )
                results.append(result)
        elif not kind.startswith(_SILENT) and not _is_provider_tool(part):
            _refuse(kind, "assistant", where, faults)
    text = "".join(texts)
    if not text and not calls:
        return []
    parts = (TextPart(text=text),) if text else ()
    return [Message(role="assistant", parts=parts, tool_calls=tuple(calls)), *results]


def _result(part: JSONObject, path: str, faults: Faults) -> Message:
    call_id = CALL_ID.read(part.get("toolCallId"), f"{path}.toolCallId", faults)
    state = part.get("state")
    if state == "output-available":
        said: JSONValue = part.get("output")
    elif state == "output-error":
        said = part.get("errorText")
    else:
        approval = part.get("approval")
        said = (approval.get("reason") if isinstance(approval, dict) else None) or _DENIED
    text = _TEXT.read(_text_of(said), f"{path}.output", faults)
    return Message(role="tool", parts=(TextPart(text=text or ""),), tool_call_id=call_id)


def _text_of(value: JSONValue) -> str:
    """A string as it is, anything else as JSON; nothing where there is nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _is_tool(part: JSONObject) -> bool:
    """Whether it is a call of a tool that the caller runs."""
    kind = str(part["type"])
    return (kind == "dynamic-tool" or kind.startswith("tool-")) and part.get("providerExecuted") is not True


def _is_answered(part: JSONObject) -> bool:
    """Whether it is such a call, with its result."""
    return _is_tool(part) and part.get("state") in _ANSWERED


def _is_provider_tool(part: JSONObject) -> bool:
    return str(part["type"]).startswith(("tool-", "dynamic-tool"))


def _tool_name(part: JSONObject) -> JSONValue:
    kind = str(part["type"])
    return part.get("toolName") if kind == "dynamic-tool" else kind.removeprefix("tool-")


def _refuse(kind: str, role: str, path: str, faults: Faults) -> None:
    fault(
        faults,
        f"{path}.type",
        f"a part `{shown(kind)}` can't be sent to a model in a message of role {role}; leave it out",
    )
