"""The answer to `GET /metrics`, on whichever port it is."""

from aiohttp import web

from entrypoints.http.state import ServerState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def exposition(state: ServerState) -> web.Response:
    """Prometheus' text format; of all workers where several share the port."""
    application = state.application
    body = application.metrics() if application.scrape is None else await application.scrape()
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})
