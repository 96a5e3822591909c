"""`lor3 run`: one chat from the command line, by the same path as `POST /chat`."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from entrypoints.cli.answer import close_line, print_footer, print_output, print_tool_calls, write
from entrypoints.cli.ask import (
    Ask,
    chat_command,
    key_text,
    memory_mode,
    read_schema,
    typed_variables,
    user_name,
    whole_thread,
)
from entrypoints.cli.identifiers import check_thread_id, session_id
from entrypoints.cli.main import INTERRUPTED
from entrypoints.cli.options import common, quiet, settings_from, untold_files
from entrypoints.cli.output import print_json, say, unsaid, warn
from entrypoints.cli.prompt_store import tell_files
from entrypoints.cli.prompt_text import prompt_from
from entrypoints.cli.variables import texts_from, variable_options

if TYPE_CHECKING:
    from application.use_cases.chat_command import SendChatCommand
    from domain.answer import ChatAnswer
    from domain.explanation import Explanation
    from entrypoints.application import Application
    from entrypoints.settings import Settings


@attrs.define(kw_only=True)
class Live:
    """What is known of an answer that grows, for one who stops it."""

    thread: str | None
    stored: bool = False

    @property
    def stopped(self) -> str:
        """What to say to the one who did."""
        if self.thread is None or not self.stored:
            return "stopped"
        return f"stopped; what was said so far is stored in thread {self.thread}"


@click.command(
    help="""Answer one prompt, and store the answer as the server would.

The answer goes to stdout, everything else to stderr. A terminal sees it as it grows. What is piped in is the
prompt; with words or --prompt too, it follows them after a blank line.

\b
Examples:
  lor3 run --prompt "Why is the sky blue?"
  git diff | lor3 run "Summarise this diff" --model claude:opus --format markdown
  lor3 run --prompt "Three colours" --schema colours.json --json
  lor3 run "Where is my parcel?" --system support_agent:v3 --var name=Ada
  lor3 run --thread 01890a5d-ac96 "And in winter?" --context-depth 5
"""
)
@click.argument("words", nargs=-1, metavar="[PROMPT]")
@click.option("--prompt", help="The prompt; - reads it from stdin.")
@click.option(
    "--model", metavar="MODEL", help="provider:model or an alias. [default: the configured primary]"
)
@click.option(
    "--system",
    metavar="REFERENCE",
    help="A prompt: name, name:v3 or name@label. [default: as configured]",
)
@variable_options
@click.option(
    "--format", "output_format", metavar="NAME", help="raw, markdown or json. [default: as configured]"
)
@click.option(
    "--schema",
    "schema_path",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON Schema that the answer must fit; implies --format json.",
)
@click.option("--thread", metavar="ID", help="Continue this thread; the beginning of its id will do.")
@click.option("--session", metavar="ID", help="Begin the thread in this session.")
@click.option("--user", metavar="USER", help="For whom, as your own system calls them.")
@click.option(
    "--context-depth",
    type=click.IntRange(0, 200),
    help="How many of the thread's messages to inject. [default: as configured]",
)
@click.option(
    "--memory",
    metavar="MODE",
    help="window, or summary: also what was before those, in short. [default: as configured]",
)
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Run again with the same key within a day, it gives the same answer and costs nothing.",
)
@click.option("--max-tokens", type=click.IntRange(1), help="The longest answer, in tokens.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="Sampling temperature.")
@click.option("--stream/--no-stream", default=None, help="Print while it grows. [default: on a terminal]")
@click.option("--explain", is_flag=True, help="Show what would be sent, and send nothing.")
@common
def run(
    words: tuple[str, ...],
    prompt: str | None,
    model: str | None,
    system: str | None,
    variables: tuple[str, ...],
    variable_files: tuple[str, ...],
    output_format: str | None,
    schema_path: Path | None,
    thread: str | None,
    session: str | None,
    user: str | None,
    context_depth: int | None,
    memory: str | None,
    idempotency_key: str | None,
    max_tokens: int | None,
    temperature: float | None,
    stream: bool | None,
    explain: bool,
    config_path: Path | None,
    as_json: bool,
) -> int:
    if as_json and stream:
        raise click.UsageError("--json prints one whole object; leave out --stream")
    if schema_path is not None and output_format not in {None, "json"}:
        raise click.UsageError("--schema goes with --format json")
    ask = Ask(
        prompt=prompt_from(prompt, words),
        system=system,
        variables=texts_from(variables, variable_files),
        model=model,
        format="json" if schema_path else output_format,
        schema=read_schema(schema_path) if schema_path else None,
        thread=check_thread_id(thread, path="--thread") if thread is not None else None,
        session=session_id(session, path="--session") if session is not None else None,
        user=user_name(user) if user is not None else None,
        context_depth=context_depth,
        memory=memory_mode(memory) if memory is not None else None,
        idempotency_key=key_text(idempotency_key) if idempotency_key is not None else None,
        max_tokens=max_tokens,
        temperature=temperature,
        stream=sys.stdout.isatty() and not as_json if stream is None else stream,
    )
    settings = quiet(settings_from(config_path))
    if ask.variables and (system or settings.chat.system_prompt) is None:
        raise click.UsageError("--var fills in a prompt; name one with --system")
    warn(settings.warnings)
    if explain:
        with untold_files(settings):
            explanation = asyncio.run(_explain(settings, ask))
        _print_explanation(explanation, settings, as_json=as_json)
        return 0
    live = Live(thread=None)
    try:
        with untold_files(settings):
            answer = asyncio.run(_send(settings, ask, live))
    except KeyboardInterrupt:
        say(f"\n{live.stopped}")
        return INTERRUPTED
    if as_json:
        from entrypoints.rendering import answer_json

        print_json(answer_json(answer))
    elif not ask.stream:
        print_output(answer)
    print_footer(answer, settings)
    return 0


async def _explain(settings: "Settings", ask: Ask) -> "Explanation":
    from entrypoints.bootstrap import running

    async with running(settings) as application:
        ask = await whole_thread(application, ask)
        given = await typed_variables(application, ask)
        command = chat_command(application, ask, given)
        tell_files(application.prompt_report(), name=given.prompt or "")
        with _own_words(ask), given.hinting():
            return await application.explain_chat.execute(command)


async def _send(settings: "Settings", ask: Ask, live: Live) -> "ChatAnswer":
    from entrypoints.bootstrap import running

    async with running(settings) as application:
        ask = await whole_thread(application, ask)
        live.thread = ask.thread
        given = await typed_variables(application, ask)
        command = chat_command(application, ask, given)
        tell_files(application.prompt_report(), name=given.prompt or "")
        try:
            with _own_words(ask), given.hinting():
                if not ask.stream:
                    return await application.send_chat.execute(command)
                return await _stream(application, command, live)
        except asyncio.CancelledError:
            live.stored = True  # leaving a chat stores what there is, and waits for it
            raise


@contextmanager
def _own_words(ask: Ask) -> Iterator[None]:
    """Names the option where the API would name its field."""
    from domain.errors import Fault, InvalidRequest, NotFound

    try:
        yield
    except InvalidRequest as error:
        if [fault.path for fault in error.faults] != ["session_id"]:
            raise
        message = f"the thread does not belong to the session {ask.session}; leave `--session` out"
        raise InvalidRequest.of(Fault(path="--session", message=message)) from error
    except NotFound as error:
        # The prompt has been looked up: it is the thread or the session that is not there.
        if ask.session is not None and (ask.thread is None or ask.session in error.detail):
            raise NotFound(
                f"there is no session {ask.session}; leave `--session` out to begin one"
            ) from error
        raise NotFound(f"there is no thread {ask.thread}; leave `--thread` out to start one") from error


async def _stream(application: "Application", command: "SendChatCommand", live: Live) -> "ChatAnswer":
    """Prints the answer as it grows. Leaving early stores what there is."""
    from domain.answer import ChatDone, ChatStarted, Delta, Reset

    shown = ""
    async with application.send_chat.stream(command) as events:
        async for event in events:
            if isinstance(event, ChatStarted):
                live.thread = event.thread_id
            elif isinstance(event, Delta):
                shown += event.text
                write(event.text)
            elif isinstance(event, Reset):
                close_line(shown)
                shown = ""
                say(f"— {event.from_model}: {event.reason}; {event.to_model} starts again —", dim=True)
            elif isinstance(event, ChatDone):
                if not shown:
                    print_output(event.answer)
                else:
                    close_line(shown)
                    print_tool_calls(event.answer)
                return event.answer
    raise AssertionError("a stream of chat events ends with ChatDone or raises")


def _print_explanation(explanation: "Explanation", settings: "Settings", *, as_json: bool) -> None:
    warn(unsaid(explanation.warnings, settings.warnings))
    if as_json:
        from entrypoints.rendering import explanation_json

        print_json(explanation_json(explanation))
    else:
        from entrypoints.cli.explanation import print_explanation

        print_explanation(explanation)
