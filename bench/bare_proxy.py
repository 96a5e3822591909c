"""The yardstick: an aiohttp proxy with nothing in it, as one writes it well.

`python -m bench.bare_proxy PORT UPSTREAM_PORT uvloop|asyncio`. One shared session, no access log, no look at the
body; a streamed answer is passed on as it comes.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import uvloop
from aiohttp import ClientSession, TCPConnector, web

_SESSION = web.AppKey("session", ClientSession)
_UPSTREAM = web.AppKey("upstream", str)


async def _forward(request: web.Request) -> web.StreamResponse:
    session, url = request.app[_SESSION], request.app[_UPSTREAM]
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    async with session.post(url, data=await request.read(), headers=headers) as answer:
        if answer.content_type != "text/event-stream":
            return web.Response(
                body=await answer.read(), status=answer.status, content_type=answer.content_type
            )
        out = web.StreamResponse(status=answer.status, headers={"Content-Type": "text/event-stream"})
        await out.prepare(request)
        async for chunk in answer.content.iter_any():
            await out.write(chunk)
        await out.write_eof()
        return out


async def _session(app: web.Application) -> AsyncIterator[None]:
    # aiohttp's default of 100 connections is above any number the benchmark opens; 0 says so plainly.
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        app[_SESSION] = session
        yield


def application(upstream_port: int) -> web.Application:
    app = web.Application()
    app[_UPSTREAM] = f"http://127.0.0.1:{upstream_port}/v1/chat/completions"
    app.cleanup_ctx.append(_session)
    app.router.add_post("/v1/chat/completions", _forward)
    return app


if __name__ == "__main__":
    port, upstream_port, loop = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    web.run_app(
        application(upstream_port),
        host="127.0.0.1",
        port=port,
        access_log=None,
        print=lambda *_: None,
        loop=uvloop.new_event_loop() if loop == "uvloop" else asyncio.new_event_loop(),
    )
