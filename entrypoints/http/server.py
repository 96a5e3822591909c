"""Listens, limits what a connection may do, and stops in order."""

import asyncio
import contextlib
import signal
import socket
from typing import Any, Final

from aiohttp import http_parser, web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from domain.errors import ConfigurationError, Fault, LorError
from domain.telemetry import RequestServed, ServerStopping
from entrypoints.application import Application
from entrypoints.exposure import demand_keys
from entrypoints.http.app import create_app
from entrypoints.http.boundary import UNMATCHED, problem_response
from entrypoints.http.fault_log import log_unexpected
from entrypoints.http.listening import listening
from entrypoints.http.metrics_port import metrics_served
from entrypoints.http.problems import HTTPFault, cut_short, shutting_down
from entrypoints.http.response_headers import decorate
from entrypoints.http.routes.table import error_format
from entrypoints.http.state import REQUEST_ID, ROUTE, STATE, ServerState
from entrypoints.settings import ServerSettings

_MAX_HEAD_LINE: Final = 8190
_MAX_HEADERS: Final = 100
_LINGER_S: Final = 2.0
"""How long a refused body is read and dropped, so that its sender sees the answer and not a reset."""
_TCP_NOTSENT_LOWAT: Final[int | None] = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_UNSENT_BYTES: Final = 64 * 1024
"""That the kernel takes for a reader who is behind: else it hides megabytes of an answer that nobody reads."""
_CLOSE_S: Final = 5.0
"""For handlers to end after the drain."""


async def serve(application: Application, *, host: str, port: int, reuse_port: bool = False) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way within `server.drain_s`.

    From the signal on readiness fails and new chats get 503 `shutting_down`; a second signal ends the wait.

    Raises:
        ConfigurationError: aiohttp lacks its C parser, or the host is not loopback while there are no keys.
        OSError: the address can't be listened on.
    """
    settings = application.settings
    check_parser()
    await demand_keys(settings, application.store.keys, host=host)
    await application.key_ring.start()
    app = create_app(application)
    state = app[STATE]
    application.config_reloader.serves(state)
    stop, hurry = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    loop = asyncio.get_running_loop()
    runner = Runner(app)
    await runner.setup()
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, signalled)
        async with (
            metrics_served(state, reuse_port=reuse_port),
            listening(runner, host, port, reuse_port=reuse_port),
        ):
            await stop.wait()
            state.draining = True
            drain_s = state.application.settings.server.drain_s
            application.telemetry.emit(ServerStopping(under_way=state.load, drain_s=drain_s))
            runner.stop_lingering()
            await _drained(state, hurry, within_s=drain_s)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await runner.cleanup()


def check_parser() -> None:
    """Refuses the parser in Python, which is slow and more lenient, and so open to request smuggling.

    Raises:
        ConfigurationError: it is the one that aiohttp would use.
    """
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise ConfigurationError.of(
            Fault(
                path="",
                message="aiohttp runs without its C parser; install its binary wheel and unset AIOHTTP_NO_EXTENSIONS",
            )
        )


class Runner(web.AppRunner):
    """Runs an app of `create_app` on connections of ours. Use it instead of `AppRunner` for all limits to hold."""

    __slots__ = ()

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, shutdown_timeout=_CLOSE_S)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made, self.app[STATE])

    def stop_lingering(self) -> None:
        """From now on a refused body ends its connection at once: a server that stops has no time to read it."""
        for connection in self.server.connections if self.server is not None else ():
            if isinstance(connection, _Connection):
                connection.stop_lingering()


async def _drained(state: ServerState, hurry: asyncio.Event, *, within_s: float) -> None:
    """Waits until nothing is under way; what is not done then is cut with `shutting_down`."""
    clock, answers = state.application.clock, state.application.live_answers
    end = clock.monotonic() + within_s
    while state.in_flight or not answers.is_idle:
        if hurry.is_set() or clock.monotonic() >= end:
            state.cut()
            state.application.follow_answer.cut(shutting_down())
            await answers.drain(within_s=0, because=cut_short())
            return
        await clock.sleep(0.02)


class _Server(web.Server):
    """Makes connections of ours for the handler of an application."""

    def __init__(self, made: web.Server, state: ServerState) -> None:
        self._state = state
        self._inner = made.request_handler
        super().__init__(
            self._answer,
            request_factory=made.request_factory,
            handler_cancellation=False,  # a connection cancels the handlers that ask for it: `cancel_when_lost`
        )

    def __call__(self) -> RequestHandler:
        return _Connection(self, self._state, self._state.application.settings.server)

    async def _answer(self, request: BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if isinstance(connection, _Connection):
            connection.begins()
        try:
            return await self._inner(request)
        except (web.HTTPException, LorError) as exc:  # an Expect header is looked at before any middleware
            return refuse(request, self._state, exc)


class _Connection(RequestHandler):
    """One connection. What aiohttp would say or log of a broken request quotes it: this says it in our words.

    The keep-alive timer runs from the moment of connecting and ends both idle connections and request heads
    that are not complete in time (aiohttp arms it in `connection_made`).
    """

    __slots__ = ("_holder", "_is_amid", "_is_coming", "_peer", "_state", "cancels_handler", "has_answered")

    def __init__(self, server: web.Server, state: ServerState, settings: ServerSettings) -> None:
        self._state = state
        self.cancels_handler = False
        self.has_answered = False
        self._is_amid = self._is_coming = False
        self._holder: str | None = None
        self._peer = ""
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=settings.idle_timeout_s,
            max_line_size=_MAX_HEAD_LINE,
            max_field_size=_MAX_HEAD_LINE,
            max_headers=_MAX_HEADERS,
            lingering_time=0.0 if state.draining else _LINGER_S,
            access_log=None,  # type: ignore[arg-type] # aiohttp's own way of turning it off; telemetry has the log
            auto_decompress=False,  # compressed bodies are refused; they must not be unfolded before that
            timeout_ceil_threshold=1000.0,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) else ""
        connection = transport.get_extra_info("socket")
        if _TCP_NOTSENT_LOWAT is not None and connection is not None:
            with contextlib.suppress(OSError):  # no TCP, or a kernel that does not know it
                connection.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        waiter, state = self._waiter, self._state
        is_waiting = waiter is not None and not waiter.done()
        if is_waiting and not self._is_amid and state.is_pressed and state.shedding is not None:
            answer, holder = state.shedding.enter(data, self._peer)
            if answer is not None and self.transport is not None:
                self.transport.write(answer)
                self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
                return
            if holder is not None:
                self._holder = holder
                state.placed += 1
        super().data_received(data)
        # What came while a request was being answered, or did not make one, may be the beginning of the next.
        self._is_amid = not is_waiting or (waiter is not None and not waiter.done())
        if not self._is_amid and not self._is_coming:
            self._is_coming = True
            state.coming += 1

    def begins(self) -> None:
        """The handler of a request has begun."""
        if self._is_coming:
            self._is_coming = False
            self._state.coming -= 1
        if self._holder is not None:  # the boundary takes its place anew, of the caller that it finds
            self._state.shares.leave(self._holder)
            self._state.placed -= 1
            self._holder = None

    def stop_lingering(self) -> None:
        self._lingering_time = 0.0
        task = self._task_handler
        # Between two requests aiohttp waits for the next one, or reads the rest of a body to drop it.
        if task is not None and self.has_answered and self._waiter is None and self._current_request is None:
            task.cancel()

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        self.has_answered = False  # while the answer is on its way, aiohttp has no current request either
        finished = await super().finish_response(request, resp, start_time)
        self.has_answered = True
        return finished

    def connection_lost(self, exc: BaseException | None) -> None:
        self.begins()  # what was about to begin will not
        handler = self._task_handler if self.cancels_handler else None
        super().connection_lost(exc)
        if handler is not None:
            handler.cancel()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionResetError("the answer had begun")
        if status == 500 and exc is not None:
            return refuse(request, self._state, exc)
        return refuse(
            request,
            self._state,
            HTTPFault(
                "malformed_request",
                f"the HTTP request is malformed, or a line of its head is longer than {_MAX_HEAD_LINE} bytes",
                close=True,
            ),
        )

    def log_exception(self, *args: Any, **kw: Any) -> None:
        exc = kw.get("exc_info")
        if isinstance(exc, BaseException):
            log_unexpected(exc, request_id="", route=UNMATCHED)


def refuse(request: BaseRequest, state: ServerState, exc: BaseException) -> web.StreamResponse:
    """A problem for a request that never reached the boundary."""
    request[REQUEST_ID] = state.application.ids.new()
    request[ROUTE] = UNMATCHED
    response = problem_response(
        exc, request_id=request[REQUEST_ID], route=UNMATCHED, errors=error_format(UNMATCHED, request.path)
    )
    response.force_close()
    decorate(request, response, state)
    state.application.telemetry.emit(
        RequestServed(
            request_id=request[REQUEST_ID],
            route=UNMATCHED,
            method="OTHER",
            status=response.status,
            duration_s=0.0,
        )
    )
    return response
