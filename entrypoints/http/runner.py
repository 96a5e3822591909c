"""What aiohttp runs an app with, on connections of ours."""

from typing import Final

from aiohttp import web

from entrypoints.http.connection import Connection, Server

CLOSE_S: Final = 5.0
"""For handlers to end after the drain."""


class Runner(web.AppRunner):
    """Runs an app of `create_app` on connections of ours. Use it instead of `AppRunner` for all limits to hold."""

    __slots__ = ()

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, shutdown_timeout=CLOSE_S)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(made, self.app)

    def stop_lingering(self) -> None:
        """From now on a refused body ends its connection at once: a server that stops has no time to read it."""
        for connection in self.server.connections if self.server is not None else ():
            if isinstance(connection, Connection):
                connection.stop_lingering()
