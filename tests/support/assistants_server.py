"""A server that speaks the Assistants wire, and can stop doing so in every way that users meet."""

import asyncio
import json
import queue
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal, TypeAlias

import attrs
from aiohttp import web

Mode: TypeAlias = Literal[
    "serve", "not found", "html", "invalid url", "vague", "gone", "unauthorized", "limited", "broken", "garbage",
    "html 200", "wrong object", "slow", "cut", "huge", "redirect", "gzip", "null",
]  # fmt: skip

CANARY = "sk-canary-7f3d9b1c"
SECRET_WORDS = "the-servers-own-words"


@attrs.define
class AssistantsServer:
    """Assistants in memory. `mode` may be changed between requests."""

    url: str = ""
    mode: Mode = "serve"
    assistants: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    requests: list[tuple[str, str]] = attrs.field(factory=list)
    """Method and path of each."""
    headers: list[Mapping[str, str]] = attrs.field(factory=list)
    keys: tuple[str, ...] = (CANARY,)
    """What `Authorization` may hold; empty takes any and none."""

    def add(self, assistant_id: str, instructions: str | None, **fields: Any) -> None:
        self.assistants[assistant_id] = {
            "id": assistant_id,
            "object": "assistant",
            "created_at": 1_698_984_975,
            "name": "Math Tutor",
            "description": None,
            "model": "gpt-4o",
            "instructions": instructions,
            "tools": [],
            "metadata": {},
            "top_p": 1.0,
            "temperature": 1.0,
            "response_format": "auto",
        } | fields

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        self.headers.append(request.headers)
        if (broken := await self._misbehave(request)) is not None:
            return broken
        if self.keys and request.headers.get("Authorization") not in {f"Bearer {key}" for key in self.keys}:
            return _error(
                401, f"Incorrect API key provided: {request.headers.get('Authorization')}", "invalid_api_key"
            )
        if request.headers.get("OpenAI-Beta") != "assistants=v2":
            return _error(400, "You must provide the 'OpenAI-Beta' header to access the Assistants API.")
        assistant_id = request.match_info.get("id")
        if assistant_id is None and request.method == "GET":
            return web.json_response(
                {"object": "list", "data": list(self.assistants.values()), "has_more": False}
            )
        if assistant_id is None:
            body = await request.json()
            if "model" not in body:
                return _error(400, "Missing required parameter: 'model'.")
            made = f"asst_made{len(self.assistants) + 1}"
            self.add(made, body.get("instructions"), name=body.get("name"), model=body["model"])
            return web.json_response(self.assistants[made])
        if assistant_id not in self.assistants:
            return _error(404, f"No assistant found with id '{assistant_id}'.")
        if request.method == "POST":
            self.assistants[assistant_id] |= await request.json()
        return web.json_response(self.assistants[assistant_id])

    async def _misbehave(self, request: web.Request) -> web.StreamResponse | None:
        match self.mode:
            case "serve":
                return None
            case "not found":
                return web.json_response({"detail": f"Not Found {SECRET_WORDS}"}, status=404)
            case "html":
                return web.Response(status=404, text=f"<h1>404 {SECRET_WORDS}</h1>", content_type="text/html")
            case "invalid url":
                return _error(404, f"Invalid URL ({request.method} {request.path})")
            case "vague":
                return _error(404, f"Not found. {SECRET_WORDS}")
            case "gone":
                return _error(410, f"Gone. {SECRET_WORDS}")
            case "unauthorized":
                return _error(401, f"Incorrect API key: {CANARY}. {SECRET_WORDS}", "invalid_api_key")
            case "limited":
                return _error(429, SECRET_WORDS, "rate_limit_exceeded")
            case "broken":
                return web.Response(status=503, text=f"<html>{SECRET_WORDS}</html>", content_type="text/html")
            case "garbage":
                return web.Response(text=f'{{"id": "asst_1", {SECRET_WORDS}', content_type="application/json")
            case "null":
                return web.Response(text="null", content_type="application/json")
            case "html 200":
                return web.Response(text=f"<h1>{SECRET_WORDS}</h1>", content_type="text/html")
            case "wrong object":
                return web.json_response({"object": "assistant", "id": 7, "instructions": [SECRET_WORDS]})
            case "slow":
                await asyncio.sleep(30)
                return None
            case "cut":
                response = web.StreamResponse(
                    headers={"Content-Type": "application/json", "Content-Length": "900"}
                )
                await response.prepare(request)
                await response.write(b'{"id": "asst_1"')
                assert request.transport is not None
                request.transport.close()
                return response
            case "huge":
                return web.json_response(
                    {"object": "assistant", "id": "asst_1", "instructions": "x" * 9_000_000}
                )
            case "redirect":
                return web.Response(status=307, headers={"Location": f"{self.url}/elsewhere"})
            case "gzip":
                response = web.Response(text=json.dumps({"object": "assistant", "id": "asst_1"}))
                response.enable_compression(web.ContentCoding.gzip, strategy=0)
                response.headers["Content-Encoding"] = "br"  # says it is, whatever it is
                return response


def _error(status: int, message: str, code: str | None = None) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return web.json_response({"error": error}, status=status)


@asynccontextmanager
async def assistants_server() -> AsyncIterator[AssistantsServer]:
    server = AssistantsServer()
    app = web.Application()
    app.router.add_route("*", "/v1/assistants", server.handle)
    app.router.add_route("*", "/v1/assistants/{id}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


@contextmanager
def assistants_server_in_thread() -> Iterator[AssistantsServer]:
    """The same beside a test that has an event loop of its own to run."""
    started: queue.SimpleQueue[AssistantsServer] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with assistants_server() as server:
            started.put(server)
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        yield started.get(timeout=10)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
