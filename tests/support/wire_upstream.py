"""A local HTTP server that speaks OpenAI's and Anthropic's wire, byte by byte under a test's control.

Raw asyncio: a framework can't cut a body short, leave a chunk out or reset a socket.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = Callable[[Received, asyncio.StreamWriter], Awaitable[bool]]
"""Writes an answer; returns whether the connection stays open."""


@attrs.define
class WireUpstream:
    """Answers each request with `reply` and keeps it in `received`."""

    reply: Reply
    received: list[Received] = attrs.field(factory=list)
    connections: int = 0
    port: int = 0
    _open: set[asyncio.StreamWriter] = attrs.field(factory=set)
    _readers: list[asyncio.StreamReader] = attrs.field(factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def clients_are_gone(self) -> bool:
        """Whether every client has closed its end."""
        return all(reader.at_eof() or reader.exception() is not None for reader in self._readers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        self._readers.append(reader)
        try:
            while True:
                request = await _read_request(reader)
                if request is None:
                    break
                self.received.append(request)
                if not await self.reply(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over: both are ordinary here
        finally:
            self._open.discard(writer)
            writer.close()


@asynccontextmanager
async def wire_upstream(reply: Reply | None = None, **server: Any) -> AsyncIterator[WireUpstream]:
    """A running server on a free port of 127.0.0.1; `server` goes to `asyncio.start_server` (`ssl=…`)."""
    upstream = WireUpstream(reply or faithful("Hello!"))
    listening = await asyncio.start_server(upstream._serve, "127.0.0.1", 0, **server)
    upstream.port = listening.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        listening.close()
        for writer in list(upstream._open):
            writer.transport.abort()
        await asyncio.sleep(0)


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method=method, path=path, headers=headers, body=body)


def head(status: int = 200, *headers: tuple[str, str], length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers)]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answer(
    body: bytes, *headers: tuple[str, str], status: int = 200, kind: str = "application/json"
) -> Reply:
    """A whole answer with a Content-Length."""

    async def reply(_request: Received, writer: asyncio.StreamWriter) -> bool:
        writer.write(head(status, ("Content-Type", kind), *headers, length=len(body)) + body)
        await writer.drain()
        return True

    return reply


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def json_answer(value: Any, *headers: tuple[str, str], status: int = 200) -> Reply:
    return answer(as_json(value), *headers, status=status)


def raw(*pieces: bytes, then: str = "close") -> Reply:
    """Exactly these bytes, then `close`, `keep`, `reset` or `hang`."""

    async def reply(_request: Received, writer: asyncio.StreamWriter) -> bool:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if then == "hang":
            await asyncio.sleep(3600)
        if then == "reset":
            reset(writer)
        return then == "keep"

    return reply


def reset(writer: asyncio.StreamWriter) -> None:
    """Sends RST rather than FIN."""
    raw_socket = writer.get_extra_info("socket")
    raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def sse(blocks: Sequence[bytes], *, then: str = "end") -> Reply:
    """A chunked event stream of these blocks, then a proper `end`, a `late` one, a `cut` without terminator, or a `hang`."""

    async def reply(_request: Received, writer: asyncio.StreamWriter) -> bool:
        writer.write(head(200, ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")))
        for block in blocks:
            writer.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
            await writer.drain()
        if then == "hang":
            await asyncio.sleep(3600)
        if then == "late":
            await asyncio.sleep(0.01)
        if then in ("end", "late"):
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return then in ("end", "late")

    return reply


def faithful(text: str) -> Reply:
    """What the real vendors would send, on either wire, streamed or whole as asked for."""

    async def reply(request: Received, writer: asyncio.StreamWriter) -> bool:
        anthropic = request.path.endswith("/messages")
        if request.json.get("stream"):
            frames = anthropic_frames(text) if anthropic else openai_frames(text)
            return await sse(frames)(request, writer)
        whole = anthropic_answer(text) if anthropic else openai_answer(text)
        return await json_answer(whole)(request, writer)

    return reply


def openai_answer(text: str | None, **changes: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m-1-2026",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    } | changes


def openai_chunk(delta: dict[str, Any] | None, finish: str | None = None, **changes: Any) -> bytes:
    choices = (
        [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    )
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m-1-2026",
        "choices": choices,
        "usage": None,
    } | changes
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def openai_frames(text: str) -> list[bytes]:
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    return [
        openai_chunk({"role": "assistant", "content": ""}),
        *(openai_chunk({"content": text[at : at + 4]}) for at in range(0, len(text), 4)),
        openai_chunk({}, "stop"),
        openai_chunk(None, usage=usage),
        b"data: [DONE]\n\n",
    ]


def anthropic_answer(text: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-1-2026",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 3},
    } | changes


def anthropic_event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + json.dumps({"type": kind, **fields}).encode() + b"\n\n"


def anthropic_frames(text: str) -> list[bytes]:
    start = anthropic_answer("", content=[], stop_reason=None, usage={"input_tokens": 9, "output_tokens": 1})
    return [
        anthropic_event("message_start", message=start),
        anthropic_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        anthropic_event("ping"),
        *(
            anthropic_event(
                "content_block_delta", index=0, delta={"type": "text_delta", "text": text[at : at + 4]}
            )
            for at in range(0, len(text), 4)
        ),
        anthropic_event("content_block_stop", index=0),
        anthropic_event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": 3},
        ),
        anthropic_event("message_stop"),
    ]
