"""A whole thread as a document, piece by piece: JSON for programs, Markdown for people.

In Markdown everything that somebody wrote stands in a quotation, line by line, so that no heading, rule or fence
in it can be taken for one of the document's own; names and titles have their markup escaped.
"""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final, Literal, TypeAlias

from application.use_cases.export_thread import ThreadExport
from domain.message import ImagePart, TextPart
from domain.thread import StoredMessage
from entrypoints.prompt_rendering import time_text
from entrypoints.rendering import money, to_json
from entrypoints.thread_rendering import session_json, stored_message_json, thread_json

ExportFormat: TypeAlias = Literal["json", "markdown"]
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>#|~&])")
_UNSEEN: Final = re.compile("[\0-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Controls but the tab, and marks of direction. What joins characters, as in emoji and Persian, stays."""
_ROLES: Final = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


def export_pieces(export: ThreadExport, format: ExportFormat) -> AsyncIterator[bytes]:  # noqa: A002 - as it is called outside
    """The document in UTF-8. Raises what reading the thread raises."""
    return _json(export) if format == "json" else _markdown(export)


def export_name(export: ThreadExport, format: ExportFormat) -> str:  # noqa: A002 - as above
    """A file's name without anything that somebody wrote."""
    return f"thread-{export.thread.id}.{'json' if format == 'json' else 'md'}"


async def _json(export: ThreadExport) -> AsyncIterator[bytes]:
    head = to_json({"session": session_json(export.session), "thread": thread_json(export.thread)})
    yield head[:-1] + b',"messages":['
    separator = b"\n"
    async for portion in export.portions:
        for stored in portion:
            yield separator + to_json(stored_message_json(stored))
            separator = b",\n"
    yield b"\n]}\n"


async def _markdown(export: ThreadExport) -> AsyncIterator[bytes]:
    thread, session = export.thread, export.session
    lines = [
        f"# {inline(thread.title or 'Thread')}",
        "",
        f"- Thread: {thread.id}",
        f"- Session: {session.id}" + ("" if session.user is None else f" of {inline(session.user)}"),
        f"- Begun: {time_text(thread.created_at)}",
        f"- Messages: {thread.length}",
    ]
    if thread.tags:
        lines.append(f"- Tags: {', '.join(inline(tag) for tag in thread.tags)}")
    if thread.forked_from is not None:
        lines.append(f"- Forked at the message: {thread.forked_from}")
    yield _text(lines)
    async for portion in export.portions:
        for stored in portion:
            yield _text(_message(stored))


def inline(text: str) -> str:
    """`text` on one line, without any markup of its own."""
    return _MARKUP.sub(r"\\\1", visible(" ".join(text.split())))


def quoted(text: str) -> list[str]:
    """`text` as a quotation, whatever ends a line in it."""
    return [f"> {visible(line)}" if line else ">" for line in text.splitlines()] or [">"]


def visible(text: str) -> str:
    """`text` with a sign for every character that a terminal obeys or that turns the direction of what follows."""
    return text if text.isprintable() else _UNSEEN.sub("�", text)


def _message(stored: StoredMessage) -> Iterator[str]:
    yield ""
    yield f"## {stored.position}. {_ROLES[stored.message.role]}"
    yield ""
    yield f"*{' · '.join(_facts(stored))}*"
    message = stored.message
    texts = [part.text for part in message.parts if isinstance(part, TextPart)]
    if any(texts):
        yield ""
        yield from quoted("\n".join(texts))
    for part in message.parts:
        if isinstance(part, ImagePart):
            yield ""
            yield _image(part)
    for call in message.tool_calls:
        yield ""
        yield f"Calls {inline(call.name)} ({inline(call.id)}){'' if call.complete else ', cut off'}:"
        yield ""
        yield from quoted(call.arguments)
    if stored.feedback is not None:
        feedback = stored.feedback
        by = "" if feedback.user is None else f" by {inline(feedback.user)}"
        tags = f" ({', '.join(inline(tag) for tag in feedback.tags)})" if feedback.tags else ""
        yield ""
        yield f"Feedback: {inline(str(feedback.rating))}{tags}{by}, {time_text(feedback.given_at)}"
        if feedback.comment:
            yield ""
            yield from quoted(feedback.comment)


def _facts(stored: StoredMessage) -> Iterator[str]:
    yield time_text(stored.created_at)
    if stored.model is not None:
        yield inline(str(stored.model))
    if stored.prompt_version is not None:
        yield f"prompt {inline(stored.prompt_version)}"
    if stored.message.tool_call_id is not None:
        yield f"answers {inline(stored.message.tool_call_id)}"
    if stored.status != "complete":
        yield stored.status if stored.error_code is None else f"{stored.status}: {inline(stored.error_code)}"
    if stored.cost_usd:
        yield f"{money(stored.cost_usd)} USD"
    if stored.pinned:
        yield "pinned"


def _image(part: ImagePart) -> str:
    if part.url is not None:
        return f"Image: {inline(part.url)}"
    return f"Image: {inline(part.media_type or 'unknown type')}, inline, {len(part.data or ''):,} characters of base64"


def _text(lines: Iterator[str] | list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
