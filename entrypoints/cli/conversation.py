"""A conversation, for a person to read in a terminal."""

import datetime
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.output import printable
from entrypoints.cli.wrapping import columns_of, fitted, prose

if TYPE_CHECKING:
    from domain.feedback import Feedback
    from domain.ids import MessageId
    from domain.message import Message
    from domain.thread import Session, StoredMessage, Thread

_WORDS: Final = 60
"""Columns of a text that are enough to know it by."""


def print_thread(thread: "Thread", session: "Session | None", *, shown: int) -> None:
    """What there is to know of a thread; `shown` is how many of its messages follow."""
    title = thread.title or "untitled"
    click.echo(click.style(printable(title), bold=True))
    user = session.user if session is not None else None
    count = f"{thread.length:,}"
    if shown < thread.length:
        count += f", the last {shown:,} below" if shown else ""
    facts = [
        ("thread", thread.id),
        ("session", thread.session_id),
        *([("user", user)] if user else []),
        *([("tags", ", ".join(thread.tags))] if thread.tags else []),
        *([("forked at", thread.forked_from)] if thread.forked_from is not None else []),
        ("begun", f"{when(thread.created_at)} UTC"),
        *([("changed", f"{when(thread.updated_at)} UTC")] if thread.updated_at is not None else []),
        ("messages", count),
    ]
    width = max(len(name) for name, _ in facts)
    for name, fact in facts:
        _line(click.style(name.ljust(width), dim=True), fact)


def print_messages(messages: "Sequence[StoredMessage]") -> None:
    """Each with who, when, its id, what is known of how it came to be, and its text as it is."""
    replaced = replacements(messages)
    for stored in messages:
        head = f"{_number(stored)} {stored.message.role}"
        click.echo(
            f"\n{click.style(head, bold=True)}  {click.style(f'{when(stored.created_at)}  {stored.id}', dim=True)}"
        )
        trouble = _trouble(stored, replaced.get(stored.id))
        if trouble:
            click.echo(click.style(fit(trouble), fg="yellow"))
        facts = " · ".join(_facts(stored))
        if facts:
            click.echo(click.style(fit(facts), dim=True))
        if stored.feedback is not None:
            click.echo(click.style(fit(feedback_text(stored.feedback)), fg="cyan"))
        click.echo()
        body = content_text(stored.message)
        click.echo(prose(body, columns_of(sys.stdout)) if body else click.style("(no text)", dim=True))


def content_text(message: "Message") -> str:
    """Texts, images by name and tool calls, without what a terminal would obey."""
    from domain.message import TextPart

    pieces = [
        part.text
        if isinstance(part, TextPart)
        else f"[image {part.url or part.media_type or ''}]".replace(" ]", "]")
        for part in message.parts
    ]
    pieces += [
        f"{call.name}({call.arguments}){'' if call.complete else ' … cut off'}  [call {call.id}]"
        for call in message.tool_calls
    ]
    if message.tool_call_id is not None:
        pieces.insert(0, f"[result of call {message.tool_call_id}]")
    return printable("\n".join(piece for piece in pieces if piece).rstrip("\n"))


def feedback_text(feedback: "Feedback") -> str:
    """On one line: the rating, who gave it and when, the comment, the tags."""
    text = f"rated {rating_text(feedback)}"
    if feedback.user:
        text += f" by {feedback.user}"
    text += f" on {when(feedback.given_at)}"
    if feedback.comment:
        text += f": “{' '.join(feedback.comment.split())}”"
    if feedback.tags:
        text += f" ({', '.join(feedback.tags)})"
    return printable(text)


def rating_text(feedback: "Feedback") -> str:
    return f"{feedback.rating} of 5" if isinstance(feedback.rating, int) else feedback.rating


def rating_cells(feedback: "Feedback") -> tuple[object, ...]:
    """A rating in a pipe: rating, user, time, comment and tags."""
    from entrypoints.prompt_rendering import time_text

    return (
        feedback.rating,
        feedback.user,
        time_text(feedback.given_at),
        feedback.comment,
        ", ".join(feedback.tags),
    )


def beginning_of(text: str) -> str:
    """The first words of a text, on one line."""
    from rich.cells import cell_len

    words = printable(" ".join(text[: 4 * _WORDS].split()))
    if len(text) <= 4 * _WORDS and cell_len(words) <= _WORDS:
        return words
    while cell_len(words) >= _WORDS:
        shorter, blank, _ = words.rpartition(" ")
        words = shorter if blank else words[:-1]
    return words.rstrip(" ,;:") + "…"


def when(moment: datetime.datetime) -> str:
    """A UTC time to the minute."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M")


def dollars(amount: Decimal | None) -> str:
    from entrypoints.rendering import money

    text = money(amount)
    return "cost unknown" if text is None else f"${text}"


def replacements(messages: "Sequence[StoredMessage]") -> "dict[MessageId, StoredMessage]":
    """Of each answer that was made again, the newest whole one that was made in its place."""
    newest: dict[MessageId, StoredMessage] = {}
    replaced: dict[MessageId, StoredMessage] = {}
    for stored in reversed(messages):
        if stored.message.role != "assistant" or stored.parent is None:
            continue
        if stored.parent in newest:
            replaced[stored.id] = newest[stored.parent]
        elif stored.status == "complete":
            newest[stored.parent] = stored
    return replaced


def _trouble(stored: "StoredMessage", by: "StoredMessage | None") -> str:
    told = []
    if stored.status != "complete":
        told.append(f"{stored.status}: {stored.error_code}" if stored.error_code else stored.status)
    if by is not None:
        told.append(f"{_number(by)} was made in its place")
    return " · ".join(told)


def _facts(stored: "StoredMessage") -> Iterator[str]:
    if stored.model is not None:
        yield str(stored.model)
    if stored.prompt_version is not None:
        yield stored.prompt_version + (f" ({stored.prompt_label})" if stored.prompt_label else "")
    usage = stored.usage
    if usage is not None:
        about = "about " if usage.estimated else ""
        yield f"{about}{usage.input_tokens:,} + {usage.output_tokens:,} tokens"
        yield "paid for in the thread it was copied from" if stored.copied_from else dollars(stored.cost_usd)
    if stored.latency_ms is not None:
        yield f"{stored.latency_ms} ms" if stored.latency_ms < 1000 else f"{stored.latency_ms / 1000:.1f} s"
    if stored.finish_reason not in {None, "stop"}:
        yield f"ended by {stored.finish_reason}"
    if stored.pinned:
        yield "pinned"
    for name, value in stored.metadata:
        yield f"{name}={value}"


def _number(stored: "StoredMessage") -> str:
    return "#–" if stored.position is None else f"#{stored.position}"


def _line(head: str, text: str) -> None:
    click.echo(f"{head}  {printable(text)}")


def fit(text: str) -> str:
    """Lines as wide as the terminal, without what it would obey."""
    return fitted(printable(text), columns_of(sys.stdout))
