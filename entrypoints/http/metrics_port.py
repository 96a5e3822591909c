"""`/metrics` on a port of its own, away from those who chat."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from domain.errors import ConfigurationError, Fault, NotFound
from entrypoints.http.boundary import boundary
from entrypoints.http.exposition import exposition
from entrypoints.http.runner import Runner
from entrypoints.http.state import STATE, ServerState


@asynccontextmanager
async def metrics_served(state: ServerState, *, reuse_port: bool) -> AsyncIterator[None]:
    """While open, the port answers `GET /metrics`, and 404 to all else, with the way there. Nothing where no port is configured.

    Raises:
        ConfigurationError: the address can't be had.
    """
    telemetry = state.application.settings.telemetry
    if telemetry.metrics_port is None:
        yield
        return

    async def answer(_: web.Request) -> web.StreamResponse:
        return await exposition(state)

    async def elsewhere(_: web.Request) -> web.StreamResponse:
        raise NotFound("only GET /metrics is here")

    app = web.Application(middlewares=[boundary(state)], client_max_size=0)
    app[STATE] = state
    app.router.add_get("/metrics", answer)
    app.router.add_route("*", "/{path:.*}", elsewhere)
    runner = Runner(app)
    await runner.setup()
    try:
        host = telemetry.metrics_host.strip("[]")
        site = web.TCPSite(runner, host, telemetry.metrics_port, reuse_port=reuse_port or None)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError.of(
                Fault(
                    path="telemetry.metrics_port",
                    message=f"can't listen on {telemetry.metrics_host}:{telemetry.metrics_port} "
                    f"({error.strerror or error}); stop the other program, or choose another port or host",
                )
            ) from error
        yield
    finally:
        await runner.cleanup()
