"""The aiohttp application: the route table behind the boundary."""

from collections.abc import AsyncIterator

from aiohttp import web

from entrypoints.application import Application
from entrypoints.http.boundary import boundary
from entrypoints.http.cors import CORSPolicy
from entrypoints.http.problems import cut_short, shutting_down
from entrypoints.http.request_body import expect
from entrypoints.http.routes.table import ROUTES
from entrypoints.http.shedding import Shedding
from entrypoints.http.state import STATE, ServerState


def create_app(application: Application) -> web.Application:
    """Serves `application`. It is neither started nor closed here: whoever made it does that."""
    server = application.settings.server
    state = ServerState(application=application, cors=CORSPolicy(server.cors_origins))
    # aiohttp's own limit on bodies is off: `request_body.py` keeps a stricter one.
    app = web.Application(middlewares=[boundary(state)], client_max_size=0)
    app[STATE] = state
    application.watch("in_flight", lambda: state.in_flight)
    application.watch("unread_answers", lambda: state.application.live_answers.unread)
    for entry in ROUTES:
        resource = app.router.add_resource(entry.pattern or entry.path)
        resource.add_route(entry.method, entry.handler, expect_handler=expect)
        if entry.method == "GET" and entry.has_head:
            # Load balancers probe with it. aiohttp sends the head of the same answer and no body.
            resource.add_route("HEAD", entry.handler, expect_handler=expect)
    if state.cors.enabled:
        for path in dict.fromkeys(entry.pattern or entry.path for entry in ROUTES):
            app.router.add_route("OPTIONS", path, _no_preflight)
    app.on_shutdown.append(_drain)
    app.cleanup_ctx.append(_watch_load)
    return app


async def _no_preflight(request: web.Request) -> web.StreamResponse:
    """OPTIONS without the headers of a preflight; the boundary answers real ones before this."""
    return web.Response(status=204)


async def _watch_load(app: web.Application) -> AsyncIterator[None]:
    shedding = app[STATE].shedding = Shedding(app[STATE])
    shedding.start()
    yield
    shedding.stop()


async def _drain(app: web.Application) -> None:
    state = app[STATE]
    state.draining = True
    application = state.application
    application.follow_answer.cut(shutting_down())
    await application.live_answers.drain(within_s=application.settings.server.drain_s, because=cut_short())
