"""Stored messages as the `UIMessage`s of Vercel's AI SDK: what `useChat` begins with (`messages`)."""

import json
from collections.abc import Iterable

import attrs

from domain.json_value import JSONObject, JSONValue
from domain.message import ImagePart, Message, TextPart, ToolCall
from domain.thread import StoredMessage
from entrypoints.prompt_rendering import time_text
from entrypoints.rendering import money, usage_json


def ui_messages_json(stored: Iterable[StoredMessage]) -> list[JSONValue]:
    """Oldest first, as they are given. The answers and tool results that follow a turn are one message, with the id of
    the first of them; of answers that were made in place of one another the newest that says something is there.
    """
    found: list[JSONValue] = []
    reply = _Reply()
    for each in stored:
        role = each.message.role
        if role == "assistant":
            reply.answer(each)
        elif role == "tool":
            reply.results.append(each)
        else:
            found += reply.messages()
            reply = _Reply()
            found.append(
                {
                    "id": each.id,
                    "role": role,
                    "metadata": {
                        "lor3": {"thread_id": each.thread_id, "created_at": time_text(each.created_at)}
                    },
                    "parts": [_part(part) for part in each.message.parts],
                }
            )
    return found + reply.messages()


@attrs.define
class _Reply:
    """What follows a user's turn."""

    answers: list[StoredMessage] = attrs.field(factory=list)
    results: list[StoredMessage] = attrs.field(factory=list)

    def answer(self, each: StoredMessage) -> None:
        if not each.message.parts and not each.message.tool_calls:
            return  # it failed, or was stopped, before it said anything
        place = next(
            (
                index
                for index, before in enumerate(self.answers)
                if each.parent is not None and before.parent == each.parent
            ),
            None,
        )
        if place is None:
            self.answers.append(each)
        elif each.status == "complete" or self.answers[place].status != "complete":
            # What came of the one before it goes with it.
            self.answers[place:] = [each]

    def messages(self) -> list[JSONValue]:
        if not self.answers:
            return []
        last = self.answers[-1]
        parts: list[JSONValue] = []
        for each in self.answers:
            parts.append({"type": "step-start"})
            parts += [
                {"type": "text", "text": part.text, "state": "done"}
                for part in each.message.parts
                if isinstance(part, TextPart)
            ]
            parts += [self._call(call) for call in each.message.tool_calls]
        return [
            {
                "id": self.answers[0].id,
                "role": "assistant",
                "metadata": {"lor3": _metadata(last)},
                "parts": parts,
            }
        ]

    def _call(self, call: ToolCall) -> JSONObject:
        result = next(
            (each.message for each in reversed(self.results) if each.message.tool_call_id == call.id), None
        )
        part: dict[str, JSONValue] = {"type": f"tool-{call.name}", "toolCallId": call.id}
        given = _read(call.arguments or "{}", call.arguments)
        if result is not None:
            return {**part, "state": "output-available", "input": given, "output": _output(result)}
        # Cut off: no client runs it.
        state = "input-available" if call.complete else "input-streaming"
        return {**part, "state": state, "input": given}


def _metadata(stored: StoredMessage) -> JSONObject:
    """As in the stream's `finish`, as far as it is stored."""
    return {
        "message_id": stored.id,
        "thread_id": stored.thread_id,
        "status": stored.status,
        "format": stored.format,
        "model": None if stored.model is None else str(stored.model),
        "prompt_version": stored.prompt_version,
        "finish_reason": stored.finish_reason,
        "usage": None if stored.usage is None else usage_json(stored.usage),
        "cost_usd": money(stored.cost_usd),
        "created_at": time_text(stored.created_at),
    }


def _part(part: TextPart | ImagePart) -> JSONObject:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if part.url is not None:
        return {"type": "file", "mediaType": part.media_type or "image/*", "url": part.url}
    url = f"data:{part.media_type};base64,{part.data}"
    return {"type": "file", "mediaType": part.media_type, "url": url}


def _output(result: Message) -> JSONValue:
    """A tool gave text, or an object or a list that became JSON on its way."""
    text = result.text
    return _read(text, text) if text[:1] in ("{", "[") else text


def _read(text: str, otherwise: str) -> JSONValue:
    try:
        value: JSONValue = json.loads(text)
    except (ValueError, RecursionError):
        return otherwise
    return value
