"""`lor3 thread memory`."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.ask import memory_mode
from entrypoints.cli.conversation import beginning_of
from entrypoints.cli.identifiers import check_thread_id, existing_thread_id
from entrypoints.cli.on_threads import on_threads, reading_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, print_table, printable, say

if TYPE_CHECKING:
    from application.use_cases.inject_memory import Injection
    from domain.answer import LeftOutReason
    from domain.ids import ThreadId
    from domain.memory import Memory
    from domain.thread import StoredMessage
    from entrypoints.application import Application
    from entrypoints.reading import Reading

_WHY: "Final[Mapping[LeftOutReason, str]]" = {
    "token_budget": "it does not fit the model's window",
    "size_limit": "it is more text than is ever injected",
    "summary_too_large": "the model's window does not hold its summary",
    "unanswered": "its exchange has no complete answer",
    "superseded": "another answer was made in its place",
    "open_tool_call": "a tool call without its result, or a result without its call",
    "cut_by_depth": "the depth ends inside its exchange",
}


@click.command(
    help="""Show what the next chat of a thread will remember: which messages, and why not the others.

Nothing is sent or stored. Messages beyond the depth are not listed, unless they are pinned.

\b
Examples:
  lor3 thread memory 01890a5d-ac96
  lor3 thread memory 01890a5d-ac96 --context-depth 4 --memory summary
"""
)
@click.argument("thread", metavar="THREAD_ID")
@click.option(
    "--context-depth",
    type=click.IntRange(0, 200),
    help="How many of its messages to inject. [default: as configured]",
)
@click.option("--memory", "mode", metavar="MODE", help="window or summary. [default: as configured]")
@common
@for_tenant
def memory(
    thread: str, context_depth: int | None, mode: str | None, config_path: Path | None, as_json: bool
) -> None:
    check_thread_id(thread, path="THREAD_ID")
    chosen = None if mode is None else memory_mode(mode)

    # First without all that a chat needs: it makes no database where there is none.
    thread_id = reading_threads(config_path, lambda reading: _existing(reading, thread))

    async def run(application: "Application") -> "Injection":
        from application.use_cases.inject_memory import InjectMemoryCommand

        defaults = application.settings.chat
        return await application.inject_memory.execute(
            InjectMemoryCommand(
                tenant=tenant_from(),
                thread_id=thread_id,
                depth=defaults.context_depth if context_depth is None else context_depth,
                mode=defaults.memory if chosen is None else chosen,
            )
        )

    injection = on_threads(config_path, run)
    if as_json:
        from entrypoints.memory_rendering import preview_json

        print_json(preview_json(injection))
    else:
        _print(injection)


async def _existing(reading: "Reading", text: str) -> "ThreadId":

    thread_id = await existing_thread_id(reading, text, path="THREAD_ID")
    return (await reading.read_threads.thread(tenant_from(), thread_id)).id


def _print(injection: "Injection") -> None:
    memory, command, due = injection.memory, injection.command, injection.due
    length = injection.conversation.thread.length
    if command.depth == 0:
        say("nothing is remembered: the context depth is 0")
        return
    parts = [f"{memory.use.injected:,} of {length:,} messages go in (context depth {command.depth})"]
    if memory.use.pinned:
        parts.append(f"{memory.use.pinned:,} of them because they are pinned")
    if memory.use.dropped:
        parts.append(f"{memory.use.dropped:,} stay{'s' if memory.use.dropped == 1 else ''} out")
    say(", ".join(parts), dim=True)
    if due is not None:
        say(f"before the next chat, what was said up to #{due.up_to} is summarised", dim=True)
    if memory.summary is not None:
        click.echo(click.style(f"Summary of #0 to #{memory.cover}", bold=True))
        click.echo(printable(memory.summary.rstrip("\n")))
        if memory.chosen or memory.left:
            click.echo()
    rows = _both(memory)
    if rows:
        _print_rows(rows)


def _print_rows(rows: "Sequence[tuple[StoredMessage, LeftOutReason | None]]") -> None:
    if not sys.stdout.isatty():
        print_table(
            (),
            [
                (stored.id, stored.position, stored.message.role, "out" if reason else "in", reason)
                for stored, reason in rows
            ],
        )
        return
    print_table(
        ("", "role", "", "why", "begins"),
        [
            (
                f"#{stored.position}",
                stored.message.role,
                "out" if reason else "in",
                _WHY[reason] if reason else "pinned" if stored.pinned else "recent",
                beginning_of(stored.message.text),
            )
            for stored, reason in rows
        ],
        folding=("begins", "why"),
    )


def _both(memory: "Memory") -> "list[tuple[StoredMessage, LeftOutReason | None]]":
    """Those that go in, with None, and those that stay out, with the reason, by position."""
    both: list[tuple[StoredMessage, LeftOutReason | None]] = [(each, None) for each in memory.chosen]
    both += [(each.stored, each.reason) for each in memory.left]
    return sorted(both, key=lambda each: each[0].position or 0)
