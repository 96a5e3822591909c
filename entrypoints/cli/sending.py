"""A chat from the command line: sent, shown while it grows or when it is whole, and stored as the server would."""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from entrypoints.cli.answer import close_line, print_footer, print_output, print_tool_calls, write
from entrypoints.cli.ask import Ask, chat_command, typed_variables, whole_thread
from entrypoints.cli.flowing import Flow
from entrypoints.cli.main import INTERRUPTED
from entrypoints.cli.options import untold_files
from entrypoints.cli.output import print_json, say
from entrypoints.cli.prompt_store import tell_files
from entrypoints.cli.wrapping import columns_of

if TYPE_CHECKING:
    from application.use_cases.chat_command import SendChatCommand
    from domain.answer import ChatAnswer, ChatEvent
    from domain.errors import AbsentKind
    from entrypoints.application import Application
    from entrypoints.cli.variables import Typed
    from entrypoints.settings import Settings

_REMEDIES: "Final[Mapping[AbsentKind, str]]" = {
    "session": "leave `--session` out to begin one",
    "thread": "leave `--thread` out to start one",
    "message": "`lor3 thread show THREAD_ID --json` has the whole ids of those there are",
}
_OPTIONS: Final[Mapping[str, str]] = {
    "format": "--format",
    "model": "--model",
    "schema": "--schema",
    "system_prompt": "--system",
}
"""The fields of the API whose values an option gave; the rest of an answer's faults only the database knows."""


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


def send_and_print(settings: "Settings", ask: Ask, *, as_json: bool) -> int:
    """The exit code; the answer is on stdout, and what is to be said of it on stderr."""
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


async def _send(settings: "Settings", ask: Ask, live: Live) -> "ChatAnswer":
    from entrypoints.bootstrap import running

    async with running(settings) as application:
        command, given = await prepared(application, ask)
        live.thread = command.thread_id
        try:
            with own_words(ask), given.hinting():
                if not ask.stream:
                    return await application.send_chat.execute(command)
                return await _stream(application, command, live)
        except asyncio.CancelledError:
            live.stored = True  # leaving a chat stores what there is, and waits for it
            raise


async def prepared(application: "Application", ask: Ask) -> "tuple[SendChatCommand, Typed]":
    """What is asked, and the variables in it. Says on stderr what is wrong with the prompt's file.

    Raises:
        NotFound: there is no such thread, prompt, version or label.
        InvalidRequest: several threads' ids begin like the one that is given.
    """
    ask = await whole_thread(application, ask)
    with own_words(ask):
        given = await typed_variables(application, ask)
    command = chat_command(application, ask, given)
    tell_files(application.prompt_report(), name=given.prompt or "")
    return command, given


@contextmanager
def own_words(ask: Ask) -> Iterator[None]:
    """Names the option where the API would name its field."""
    from domain.errors import Absent, Fault, InvalidRequest
    from entrypoints.cli.misuse import Misused
    from entrypoints.cli.on_threads import absent

    try:
        yield
    except Absent as error:
        raise absent(error, _REMEDIES[error.kind]) from error
    except InvalidRequest as error:
        paths = {fault.path for fault in error.faults}
        if paths == {"session_id"}:
            message = f"the thread does not belong to the session {ask.session}; leave `--session` out"
            raise InvalidRequest.of(Fault(path="--session", message=message)) from error
        if paths == {"message_id"}:
            raise InvalidRequest.of(
                *(attrs.evolve(fault, path="MESSAGE_ID") for fault in error.faults)
            ) from error
        given = {path for path in _OPTIONS if getattr(ask, path.removesuffix("_prompt")) is not None}
        if type(error) is not InvalidRequest or not paths or not paths <= {*given, *_OPTIONS.values()}:
            raise
        faults = [attrs.evolve(each, path=_OPTIONS.get(each.path, each.path)) for each in error.faults]
        raise Misused.of(*faults) from error


async def _stream(application: "Application", command: "SendChatCommand", live: Live) -> "ChatAnswer":
    """Prints the answer as it grows. Leaving early stores what there is."""
    from domain.answer import ChatAdmitted
    from domain.errors import LorError

    shown = Shown(flow=Flow(columns_of(sys.stdout)))
    try:
        async with aclosing(application.send_chat.stream(command)) as steps:
            async for step in steps:
                if not isinstance(step, ChatAdmitted):
                    answer = _print_events(step, shown, live)
                    if answer is not None:
                        return answer
    except LorError:
        shown.close()  # what is said of it stands on a line of its own
        raise
    except asyncio.CancelledError:
        write(shown.flow.end())
        raise
    raise AssertionError("a stream of chat events ends with ChatDone or raises")


@attrs.define
class Shown:
    """What stands on the terminal of the answer that grows."""

    flow: Flow
    text: str = ""

    def add(self, text: str) -> None:
        self.text += text
        write(self.flow.feed(text))

    def close(self) -> None:
        """Ends the text's last line."""
        write(self.flow.end())
        close_line(self.text)


def _print_events(events: "Sequence[ChatEvent]", shown: Shown, live: Live) -> "ChatAnswer | None":
    """The answer, once it is whole."""
    from domain.answer import ChatDone, ChatStarted, Delta, Reset

    for event in events:
        if isinstance(event, ChatStarted):
            live.thread = event.thread_id
        elif isinstance(event, Delta):
            shown.add(event.text)
        elif isinstance(event, Reset):
            shown.close()
            shown.flow, shown.text = Flow(shown.flow.columns), ""
            say(f"— {event.from_model}: {event.reason}; {event.to_model} starts again —", dim=True)
        elif isinstance(event, ChatDone):
            if shown.text:
                shown.close()
                print_tool_calls(event.answer)
            else:
                print_output(event.answer)
            return event.answer
    return None
