"""What aiohttp runs an app with, on connections of ours."""

from collections.abc import Iterator
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
        for connection in self._connections():
            connection.stop_lingering()

    def writing(self) -> int:
        """How many answers are on their way to their readers that have left their handlers."""
        return sum(connection.is_writing for connection in self._connections())

    def cut_writing(self) -> None:
        """Ends the connections of those answers."""
        for connection in self._connections():
            connection.cut_writing()

    def _connections(self) -> Iterator[Connection]:
        for connection in self.server.connections if self.server is not None else ():
            if isinstance(connection, Connection):
                yield connection
