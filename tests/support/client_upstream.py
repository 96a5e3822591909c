"""The provider behind the real clients: what it answers is what the last user message asks for.

| the message begins with | it answers |
|---|---|
| `say` | `TEXT` |
| `hold NAME` | the first half of `TEXT`, and the rest once somebody has asked for `/open/NAME` |
| `break` | as the provider `first`, three words and a cut connection; as another one, `TEXT` |
| `break all` | three words and a cut connection |
| `refuse` | 400 |
| `limit` | 429 |
| `fail` | 500, its hint being not to try again |
| `call` | a call of the first tool; once its result is there, what it says |
| `call hold NAME` | the same call; once its result is there, as `hold NAME` |
| `json` | a JSON object |
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs

from tests.support.wire_upstream import (
    Received,
    Reply,
    WireUpstream,
    head,
    json_answer,
    openai_answer,
    openai_chunk,
    sse,
    wire_upstream,
)

TEXT: Final = "".join(
    f"{at} {word} "
    for at, word in enumerate(("naïve", "日本語", "🙂🙃", '"quoted"', "line\nbreak", "data: x") * 6)
)
"""What is easily cut or escaped wrongly."""
_PIECE: Final = 7
"""Characters of one chunk."""
PIECES: Final = tuple(TEXT[at : at + _PIECE] for at in range(0, len(TEXT), _PIECE))
HALF: Final = "".join(PIECES[: len(PIECES) // 2])
BROKEN: Final = "".join(PIECES[:3])
JSON_TEXT: Final = '{"city": "Paris", "rain": true}'
_USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


@attrs.define
class ClientUpstream:
    """One server for every provider; the first segment of a path is the provider's name."""

    server: WireUpstream = attrs.field(init=False)
    _gates: dict[str, asyncio.Event] = attrs.field(factory=dict)

    @property
    def url(self) -> str:
        return self.server.url

    def base_url(self, provider: str) -> str:
        return f"{self.url}/{provider}/v1"

    def asked(self, text: str) -> list[Received]:
        """The requests whose last user message is this one, oldest first."""
        return [each for each in self.server.received if each.method == "POST" and _asked(each) == text]

    def open(self, name: str) -> None:
        """Lets `hold NAME` go on."""
        self._gate(name).set()

    async def reply(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        if request.path.startswith("/open/"):
            self.open(request.path.removeprefix("/open/"))
            return await json_answer({})(request, writer)
        match _asked(request).split():
            case ["refuse", *_]:
                return await _refusal(400, "invalid_request_error")(request, writer)
            case ["limit", *_]:
                return await _refusal(429, "requests", ("Retry-After", "60"))(request, writer)
            case ["fail", *_]:
                return await _refusal(500, "server_error", ("x-should-retry", "false"))(request, writer)
            case ["break", "all", *_]:
                return await _broken(request, writer)
            case ["break", *_] if request.path.startswith("/first/"):
                return await _broken(request, writer)
            case ["call", *_] if request.json["messages"][-1]["role"] != "tool":
                return await _called(request, writer)
            case ["call", "hold", name, *_]:
                return await self._held(name, request, writer)
            case ["call", *_]:
                return await _said(f"It says {request.json['messages'][-1]['content']}")(request, writer)
            case ["json", *_]:
                return await _said(JSON_TEXT)(request, writer)
            case ["hold", name, *_]:
                return await self._held(name, request, writer)
            case _:
                return await _said(TEXT)(request, writer)

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    async def _held(self, name: str, request: Received, writer: asyncio.StreamWriter) -> bool:
        if not request.json.get("stream"):
            await self._gate(name).wait()
            return await _said(TEXT)(request, writer)
        writer.write(head(200, ("Content-Type", "text/event-stream"), ("Connection", "close")))
        for at, piece in enumerate(PIECES):
            if at == len(PIECES) // 2:
                await self._gate(name).wait()
            writer.write(openai_chunk({"content": piece}))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(openai_chunk({}, "stop") + openai_chunk(None, usage=_USAGE) + b"data: [DONE]\n\n")
        await writer.drain()
        return False


@asynccontextmanager
async def client_upstream() -> AsyncIterator[ClientUpstream]:
    upstream = ClientUpstream()
    async with wire_upstream(upstream.reply) as server:
        upstream.server = server
        yield upstream


def _asked(request: Received) -> str:
    if not request.body:
        return ""
    said: list[Any] = [each["content"] for each in request.json["messages"] if each["role"] == "user"]
    last = said[-1]
    return last if isinstance(last, str) else "".join(part.get("text", "") for part in last)


def _refusal(status: int, kind: str, *headers: tuple[str, str]) -> Reply:
    error = {"message": "PROVIDER-TEXT", "type": kind, "param": None, "code": None}
    return json_answer({"error": error}, *headers, status=status)


async def _broken(request: Received, writer: asyncio.StreamWriter) -> bool:
    return await sse([openai_chunk({"content": piece}) for piece in PIECES[:3]], then="cut")(request, writer)


def _said(text: str) -> Reply:
    async def reply(request: Received, writer: asyncio.StreamWriter) -> bool:
        if not request.json.get("stream"):
            return await json_answer(openai_answer(text))(request, writer)
        pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
        return await _streamed([openai_chunk({"content": piece}) for piece in pieces], "stop")(
            request, writer
        )

    return reply


async def _called(request: Received, writer: asyncio.StreamWriter) -> bool:
    name = request.json["tools"][0]["function"]["name"]
    arguments = json.dumps({"city": "Paris"})
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    if not request.json.get("stream"):
        answer = openai_answer(None)
        answer["choices"][0]["message"]["tool_calls"] = [call]
        answer["choices"][0]["finish_reason"] = "tool_calls"
        return await json_answer(answer)(request, writer)
    first = {"index": 0, **call, "function": {"name": name, "arguments": ""}}
    rest = [{"index": 0, "function": {"arguments": each}} for each in (arguments[:5], arguments[5:])]
    return await _streamed([openai_chunk({"tool_calls": [each]}) for each in (first, *rest)], "tool_calls")(
        request, writer
    )


def _streamed(chunks: list[bytes], finish: str) -> Reply:
    return sse([*chunks, openai_chunk({}, finish), openai_chunk(None, usage=_USAGE), b"data: [DONE]\n\n"])
