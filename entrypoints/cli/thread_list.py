"""`lor3 thread list`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from domain.values import frozen
from entrypoints.cli.conversation import beginning_of, when
from entrypoints.cli.identifiers import session_id
from entrypoints.cli.on_threads import reading_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, print_table, say
from entrypoints.cli.wrapping import columns_of

if TYPE_CHECKING:
    from application.use_cases.read_threads import ReadThreads
    from domain.ids import SessionId, ThreadId
    from domain.thread import Thread, ThreadOrder
    from entrypoints.reading import Reading

_PAGE: Final = 100
_WIDE: Final = 110
"""Columns of a terminal that has room for whole ids beside a title."""
_BEGINNING: Final = 13
"""Characters of a UUIDv7 that hold its time, to the millisecond."""


@frozen(kw_only=True)
class _Listed:
    threads: "list[Thread]"
    more: bool
    first_words: "dict[ThreadId, str]"


@click.command(
    "list",
    help="""List threads, newest first: when they were last written to, their length, title and tags.

On a terminal a thread without a title is known by its first words, in quotes, and one of less than 110 columns
shows the beginnings of ids, which every command takes. A pipe gets whole id, time, length, title (empty where there
is none) and tags.

\b
Examples:
  lor3 thread list
  lor3 thread list --user u-4711 --order updated --limit 5
  lor3 thread list --tag travel
  lor3 thread list --json | jq -r '.items[].id'
""",
)
@click.option("--session", metavar="ID", help="Those of this session.")
@click.option("--user", metavar="USER", help="Those of this user's sessions.")
@click.option("--tag", metavar="TAG", help="Those with this tag.")
@click.option(
    "--order",
    type=click.Choice(["created", "updated"]),
    default="created",
    show_default=True,
    help="By when they were opened, or last written to; the latter with --user or --session.",
)
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many to list at most."
)
@common
@for_tenant
def list_threads(
    session: str | None,
    user: str | None,
    tag: str | None,
    order: "ThreadOrder",
    limit: int,
    config_path: Path | None,
    as_json: bool,
) -> None:
    if session is not None and user is not None:
        raise click.UsageError("a session is of one user: give --session or --user, not both")
    if order == "updated" and session is None and user is None:
        raise click.UsageError("--order updated needs --user or --session: give one of them, or leave it out")
    of = None if session is None else session_id(session, path="--session")
    with_words = not as_json and sys.stdout.isatty()
    listed = reading_threads(
        config_path,
        lambda application: _read(
            application, of, user, tag=tag, order=order, limit=limit, with_words=with_words
        ),
    )
    if as_json:
        from entrypoints.thread_rendering import thread_json

        print_json({"items": [thread_json(thread) for thread in listed.threads]})
        return
    if not listed.threads:
        say(
            "there is no such thread"
            if of or user or tag
            else "there is no thread yet; `lor3 run` begins one"
        )
        return
    _print(listed.threads, listed.first_words)
    if listed.more:
        say(f"there are older ones; --limit {2 * limit} lists more", dim=True)


async def _read(
    application: "Reading",
    session: "SessionId | None",
    user: str | None,
    *,
    tag: str | None,
    order: "ThreadOrder",
    limit: int,
    with_words: bool,
) -> _Listed:
    reading = application.read_threads
    threads, more = await _newest(reading, session, user, tag=tag, order=order, limit=limit)
    words: dict[ThreadId, str] = {}
    if with_words:
        for thread in threads:
            if thread.title is None:
                words[thread.id] = await _first_words(reading, thread)
    return _Listed(threads=threads, more=more, first_words=words)


async def _newest(
    reading: "ReadThreads",
    session: "SessionId | None",
    user: str | None,
    *,
    tag: str | None,
    order: "ThreadOrder",
    limit: int,
) -> "tuple[list[Thread], bool]":
    """At most `limit`, and whether there are more."""
    from application.use_cases.read_threads import ThreadPage

    threads: list[Thread] = []
    page = ThreadPage(items=())
    while True:
        page = await reading.threads(
            tenant_from(),
            session_id=session,
            user=user,
            tag=tag,
            order=order,
            before=page.next_before,
            updated_before=page.next_updated_before,
            limit=min(_PAGE, limit - len(threads)),
        )
        threads += page.items
        if page.next_before is None or len(threads) >= limit:
            return threads, page.next_before is not None


async def _first_words(reading: "ReadThreads", thread: "Thread") -> str:
    from domain.errors import NotFound

    try:
        page = await reading.messages(tenant_from(), thread.id, limit=1)
    except NotFound:
        return ""  # it was deleted meanwhile
    return beginning_of(page.items[0].message.text) if page.items else ""


def _print(threads: "Sequence[Thread]", first_words: "dict[ThreadId, str]") -> None:
    if not sys.stdout.isatty():
        print_table((), [_row(thread) for thread in threads])
        return
    ids = _shown_ids([thread.id for thread in threads])
    print_table(
        ("thread", "updated (UTC)", "messages", "title"),
        [
            (
                shown,
                when(thread.updated_at or thread.created_at),
                f"{thread.length:,}",
                _title(thread, first_words.get(thread.id)),
            )
            for thread, shown in zip(threads, ids, strict=True)
        ],
        folding=("title",),
    )


def _row(thread: "Thread") -> tuple[object, ...]:
    """In a pipe: a title of its own or none, and the tags beside it."""
    return (
        thread.id,
        when(thread.updated_at or thread.created_at),
        thread.length,
        thread.title,
        ", ".join(thread.tags),
    )


def _title(thread: "Thread", first_words: str | None) -> str:
    title = thread.title or (f"“{first_words}”" if first_words else "")
    return " ".join([title, *(f"#{tag}" for tag in thread.tags)]).strip()


def _shown_ids(ids: Sequence[str]) -> list[str]:
    """Whole where there is room, else as much of their beginnings as tells them apart."""
    columns = columns_of(sys.stdout)
    if columns is None or columns >= _WIDE:
        return list(ids)
    length = _BEGINNING
    while len({each[:length] for each in ids}) < len(ids):
        length += 1
    return [each[:length].rstrip("-") for each in ids]
