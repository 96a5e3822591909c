"""A provider that misbehaves on request: raw asyncio streams, OpenAI's and Anthropic's wires.

The model's name chooses the fault: `f06-500` always has it, `f06-500-once` the first time only,
`f06-500-twice` the first two times; a name that starts with `ok` is answered well. Frameworks can't reset a
socket before the head or drop a chunk terminator, so there is none here.
"""

import asyncio
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs

from tests.support.fault_upstream import bodies, provider_answers, streams, transport
from tests.support.fault_upstream.exchange import Attempt, Exchange
from tests.support.fault_upstream.listeners import Canary, canary_server
from tests.support.fault_upstream.registry import FAULTS, fault_for
from tests.support.fault_upstream.wire import Wire

__all__ = ["FAULTS", "FaultUpstream", "fault_upstream"]

_FAULT_MODULES: Final = (provider_answers, transport, bodies, streams)
"""Importing them fills the registry."""
TASK_NAME: Final = "fault-upstream"
"""How this server's tasks begin, so that a test can tell them from the gateway's."""

_MAX_HEAD_BYTES: Final = 256 * 1024


@attrs.define(kw_only=True)
class FaultUpstream:
    """A running upstream."""

    scheme: str
    port: int
    canary: Canary
    """Where redirects point."""
    attempts: list[Attempt] = attrs.field(factory=list)
    """Every request that was read whole, in order."""
    connections: int = 0
    """Connections that were accepted."""
    healthy: bool = False
    """What the faults with `outage` in their name look at: False is down."""
    errors: list[BaseException] = attrs.field(factory=list)
    """Faults of the upstream itself; raised when it ends."""
    left_at_s: dict[str, float] = attrs.field(factory=dict)
    """When the client last closed a connection on which a model's answer was held, by the event loop's clock."""
    released: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set when the upstream ends, so that no fault sleeps on."""

    @property
    def openai_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1"

    @property
    def anthropic_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def url(self, wire: Wire) -> str:
        """The base URL to configure a provider of this wire with."""
        return self.openai_url if wire == "openai" else self.anthropic_url

    def seen(self, model: str) -> list[Attempt]:
        """The attempts at one model, in order."""
        return [attempt for attempt in self.attempts if attempt.model == model]

    def gaps_s(self, model: str) -> list[float]:
        """Seconds between neighbouring attempts at one model."""
        times = [attempt.at_s for attempt in self.seen(model)]
        return [later - earlier for earlier, later in itertools.pairwise(times)]

    async def asked(self, model: str) -> None:
        """Returns when the model is asked for the first time.

        Raises:
            TimeoutError: not within 30 s.
        """
        await _true(lambda: bool(self.seen(model)))

    async def left(self, model: str) -> float:
        """When the client closed the connection on which the model's answer is held; raises as `asked` does."""
        await _true(lambda: model in self.left_at_s)
        return self.left_at_s[model]

    async def pause(self, seconds: float) -> None:
        """Silence, cut short when the upstream ends."""
        try:
            async with asyncio.timeout(seconds):
                await self.released.wait()
        except TimeoutError:
            return


async def _true(condition: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


@asynccontextmanager
async def fault_upstream(tls: ssl.SSLContext | None = None) -> AsyncIterator[FaultUpstream]:
    """Runs an upstream on a free loopback port.

    Raises:
        ExceptionGroup: a fault itself failed, or a model had no fault; from leaving the context.
    """
    tasks: set[asyncio.Task[Any]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            task.set_name(f"{TASK_NAME}-{upstream.connections}")
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        number = upstream.connections
        upstream.connections += 1
        try:
            await _serve(upstream, number, reader, writer)
            writer.close()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            writer.transport.abort()  # the client went away, which is its right
        except asyncio.CancelledError:
            writer.transport.abort()  # the upstream ends; nobody waits for this task but the context manager
        except Exception as exc:  # kept, so that a broken fault fails its test and not the gateway
            upstream.errors.append(exc)
            writer.transport.abort()

    async with canary_server() as canary:
        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls, limit=_MAX_HEAD_BYTES)
        upstream = FaultUpstream(
            scheme="https" if tls else "http", port=server.sockets[0].getsockname()[1], canary=canary
        )
        try:
            yield upstream
        finally:
            upstream.released.set()
            server.close()
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()
    if upstream.errors:
        raise BaseExceptionGroup("the fault upstream itself failed", upstream.errors)


async def _serve(
    upstream: FaultUpstream, connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    count = 0
    while True:
        attempt = await _read(upstream, connection, count, reader)
        count += 1
        upstream.attempts.append(attempt)
        exchange = Exchange(attempt=attempt, upstream=upstream, writer=writer, reader=reader)
        await fault_for(attempt.model, attempt.number)(exchange)
        if not exchange.keep_alive or attempt.headers.get("connection") == "close":
            return


async def _read(
    upstream: FaultUpstream, connection: int, count: int, reader: asyncio.StreamReader
) -> Attempt:
    start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = start.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if headers.get("transfer-encoding") == "chunked":
        data = await _read_chunks(reader)
    else:
        data = await reader.readexactly(int(headers.get("content-length", "0")))
    body: dict[str, Any] = json.loads(data)
    model = body["model"]
    wire: Wire = "anthropic" if path.partition("?")[0].endswith("/v1/messages") else "openai"
    return Attempt(
        at_s=asyncio.get_running_loop().time(),
        wire=wire,
        model=model,
        method=method,
        path=path,
        headers=headers,
        body=body,
        connection=connection,
        reused=count > 0,
        number=len(upstream.seen(model)),
    )


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    data = bytearray()
    while size := int(await reader.readuntil(b"\r\n"), 16):
        data += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return bytes(data)
