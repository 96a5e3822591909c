"""A lor3 on a real socket, with the demo provider and SQLite, and raw connections to it."""

import asyncio
import datetime
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import aiohttp
import attrs
from aiohttp import web

from adapters.in_memory.event_log import LocalEventLog
from application.services.live_answers import LiveAnswers
from application.services.stop_signal import StopSignal
from application.use_cases.chat_command import SendChatCommand
from application.use_cases.send_chat import SendChat
from domain.answer import ChatAnswer, ChatDone, ChatEvent, ChatStarted, ContextUse
from domain.attempt import Attempt
from domain.errors import Fault
from domain.ids import MessageId, SessionId, ThreadId
from domain.model import ModelRef
from domain.telemetry import Event, RequestServed
from domain.usage import Usage
from entrypoints.application import Application
from entrypoints.bootstrap import running
from entrypoints.configuration.load import load_settings
from entrypoints.http.app import create_app
from entrypoints.http.runner import Runner
from entrypoints.http.state import STATE, ServerState
from entrypoints.settings import ServerSettings
from tests.support.sqlite_files import put_migrated
from tests.support.waiting import HANGS_S

MODEL = ModelRef("demo", "scripted")
_ID = "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e0"


def an_answer(**changes: Any) -> ChatAnswer:
    """An answer as SendChat would give it."""
    at = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    answer = ChatAnswer(
        message_id=MessageId(_ID + "1"),
        thread_id=ThreadId(_ID + "2"),
        session_id=SessionId(_ID + "3"),
        output="Hello",
        format="raw",
        model=MODEL,
        prompt_version=None,
        finish_reason="stop",
        tool_calls=(),
        usage=Usage(input_tokens=3, output_tokens=1),
        cost_usd=Decimal("0.0051680"),
        attempts=(Attempt(model=MODEL, outcome="ok", started_at=at, latency_ms=12),),
        context=ContextUse(),
        warnings=(),
        overhead_s=0.0015,
    )
    return attrs.evolve(answer, **changes)


def started() -> ChatStarted:
    return ChatStarted(
        message_id=MessageId(_ID + "1"),
        thread_id=ThreadId(_ID + "2"),
        session_id=SessionId(_ID + "3"),
        model=MODEL,
        prompt_version=None,
    )


@attrs.define(kw_only=True)
class ScriptedSendChat:
    """Plays a script: events are yielded, exceptions raised, numbers slept, asyncio events waited for."""

    script: Sequence[ChatEvent | Exception | float | asyncio.Event]
    called: asyncio.Event = attrs.field(factory=asyncio.Event)
    commands: list[SendChatCommand] = attrs.field(factory=list)
    ended: list[str] = attrs.field(factory=list)
    """`done`, `cancelled` or `failed`, for each chat."""

    async def stream(
        self, command: SendChatCommand, *, stop: StopSignal | None = None
    ) -> AsyncGenerator[Sequence[ChatEvent], None]:
        self.commands.append(command)
        self.called.set()
        try:
            async for event in self._play():
                yield (event,)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        except Exception:
            self.ended.append("failed")
            raise
        self.ended.append("done")

    async def execute(self, command: SendChatCommand) -> ChatAnswer:
        done = [event async for step in self.stream(command) for event in step if isinstance(event, ChatDone)]
        return done[0].answer

    async def name_faults(self, **names: object) -> tuple[Fault, ...]:
        return ()

    async def _play(self) -> AsyncIterator[ChatEvent]:
        for step in self.script:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, int | float):
                await asyncio.sleep(step)
            else:
                yield step


@attrs.define
class Recorder:
    """A telemetry sink that keeps what it is given."""

    events: list[Event] = attrs.field(factory=list)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    @property
    def served(self) -> list[RequestServed]:
        return [event for event in self.events if isinstance(event, RequestServed)]


@attrs.define(kw_only=True)
class Server:
    """A running lor3."""

    application: Application
    state: ServerState
    port: int
    client: aiohttp.ClientSession
    telemetry: Recorder

    async def raw(self, *pieces: bytes, within_s: float = HANGS_S) -> bytes:
        """Sends bytes as they are and reads until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(within_s):
                return await reader.read()
        finally:
            writer.close()

    async def post_raw(self, body: bytes, *headers: bytes) -> tuple[int, dict[str, Any]]:
        """POST /chat with exactly these bytes as its body; returns status and JSON."""
        head = [
            b"POST /chat HTTP/1.1",
            b"Host: localhost",
            b"Content-Type: application/json",
            b"Content-Length: %d" % len(body),
            b"Connection: close",
            *headers,
        ]
        return parse(await self.raw(b"\r\n".join(head) + b"\r\n\r\n" + body))


def parse(response: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), json.loads(body)


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    send_chat: ScriptedSendChat | None = None,
    server: ServerSettings | None = None,
    database_url: str | None = None,
    environ: Mapping[str, str] = MappingProxyType({}),
    change: Callable[[Application], Application] = lambda application: application,
) -> AsyncIterator[Server]:
    """Runs lor3 in `folder` on a free port, as `lor3 serve` would with no configuration.

    Args:
        database_url: in place of a file in `folder`; the same for several is that of replicas.
        environ: for a `lor3.yaml` in `folder`.
    """
    if database_url is None and not (folder / "lor3.db").exists():
        put_migrated(folder / "lor3.db")
    settings = load_settings(config_path=None, environ=environ, cwd=folder)
    database = attrs.evolve(
        settings.database,
        url=type(settings.database.url)(database_url or f"sqlite:///{folder / 'lor3.db'}"),
    )
    settings = attrs.evolve(settings, database=database, server=server or settings.server)
    telemetry = Recorder()
    async with running(settings) as wired:
        application = attrs.evolve(wired, telemetry=telemetry)
        if send_chat is not None:
            application = attrs.evolve(
                application,
                send_chat=cast("SendChat", send_chat),
                live_answers=LiveAnswers(send_chat=send_chat, event_log=LocalEventLog()),
            )
        app = create_app(change(application))
        runner = Runner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
                yield Server(
                    application=application, state=app[STATE], port=port, client=client, telemetry=telemetry
                )
        finally:
            await runner.cleanup()


def events_of(raw: bytes) -> list[tuple[int, str, Any]]:
    """Id, name and data of each event, parsed as WHATWG HTML, section 9.2.6 says: any of CR, LF, CRLF ends a line."""
    found: list[tuple[int, str, Any]] = []
    fields: dict[str, str] = {}
    for line in raw.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line == "":
            if fields:
                found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
    return found
