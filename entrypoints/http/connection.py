"""The server's connections: what one may do, and how its requests come to their handlers.

Both follow aiohttp's own, which answers each request in a task of its own and looks its route up among all: a quarter
of what aiohttp costs a chat.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable
from typing import Any, Final

import aiohttp
from aiohttp import StreamReader, web
from aiohttp.hdrs import EXPECT
from aiohttp.http import StreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import ERROR, PayloadAccessError, RequestHandler
from aiohttp.web_request import BaseRequest

from domain.errors import LorError
from domain.telemetry import RequestServed
from entrypoints.http.boundary import UNMATCHED, problem_response
from entrypoints.http.fault_log import log_unexpected
from entrypoints.http.known_routes import known_routes
from entrypoints.http.problems import HTTPFault
from entrypoints.http.request import Request
from entrypoints.http.response_headers import decorate
from entrypoints.http.routes.table import error_format
from entrypoints.http.state import REQUEST_ID, ROUTE, STATE, ServerState
from entrypoints.http.unread_writing import UnreadWriting
from entrypoints.http.whole_answers import as_bytes
from entrypoints.settings import ServerSettings

_MAX_HEAD_LINE: Final = 8190
_MAX_HEADERS: Final = 100
_LINGER_S: Final = 2.0
"""How long a refused body is read and dropped, so that its sender sees the answer and not a reset."""
_TCP_NOTSENT_LOWAT: Final[int | None] = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_UNSENT_BYTES: Final = 64 * 1024
"""That the kernel takes for a reader who is behind: else it hides megabytes of an answer that nobody reads."""

_IS_KNOWN: Final = aiohttp.__version__.startswith("3.14.")
"""Whether what is done here in aiohttp's place is what that would do. With another release all is left to it."""
_LINE_END: Final = b"\r\n"
_ANSWERED: Final = PayloadAccessError()


class Server(web.Server):
    """Makes connections of ours for the handler of an application."""

    def __init__(self, made: web.Server, app: web.Application) -> None:
        self._state = app[STATE]
        self._inner = made.request_handler
        self._known = known_routes(app)
        (self._boundary,) = app.middlewares
        super().__init__(
            self._answer,
            request_factory=made.request_factory,
            handler_cancellation=False,  # a connection cancels the handlers that ask for it: `cancel_when_lost`
        )

    def __call__(self) -> RequestHandler:
        return Connection(self, self._state, self._state.application.settings.server)

    def _answer(self, request: Any) -> Awaitable[web.StreamResponse]:
        """
        Args:
            request: always a `web.Request`, which aiohttp does not say.
        """
        connection = request.protocol
        if isinstance(connection, Connection):
            connection.begins()
        known = self._known.get((request.method, request.raw_path))
        if known is None or EXPECT in request.headers:
            return self._looked_up(request)
        request._match_info = known.told  # noqa: SLF001 - what aiohttp's own look-up does
        if type(request) is Request:
            request.template = known.template
        return self._boundary(request, known.handler)

    async def _looked_up(self, request: Any) -> web.StreamResponse:
        try:
            return await self._inner(request)
        except (web.HTTPException, LorError) as exc:  # an Expect header is looked at before any middleware
            return refuse(request, self._state, exc)


class Connection(RequestHandler):
    """One connection. What aiohttp would say or log of a broken request quotes it: this says it in our words.

    The keep-alive timer runs from the moment of connecting and ends both idle connections and request heads
    that are not complete in time (aiohttp arms it in `connection_made`).
    """

    __slots__ = (
        "_holder",
        "_is_amid",
        "_is_coming",
        "_is_fresh",
        "_peer",
        "_state",
        "_unread",
        "cancels_handler",
        "has_answered",
    )

    def __init__(self, server: web.Server, state: ServerState, settings: ServerSettings) -> None:
        self._state = state
        self.cancels_handler = False
        self.has_answered = False
        self._is_amid = self._is_coming = False
        self._is_fresh = True  # nothing was parsed yet: it waits, though `start` may not have begun to
        self._unread: UnreadWriting | None = None
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
        if not data:  # aiohttp's way to see whether its parser was held up
            super().data_received(data)
            self._is_amid = self._is_amid or bool(self._messages)
            return
        waiter, state = self._waiter, self._state
        is_waiting = self._is_fresh if waiter is None else not waiter.done()
        if is_waiting and not self._is_amid and state.is_pressed and state.shedding is not None:
            transport = self.transport
            # Who does not read what was written is answered by what waits for its readers.
            if transport is not None and not transport.get_write_buffer_size():
                answer, holder = state.shedding.enter(data, self._peer)
                if answer is not None:
                    transport.write(answer)
                    self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
                    return
                if holder is not None:
                    self._holder = holder
                    state.placed += 1
        self._is_fresh = False
        queued = len(self._messages)
        super().data_received(data)
        if not is_waiting:  # the rest of a body, or a request that came before the last one was answered
            self._is_amid = self._is_amid or not self._was_one_request(data, queued)
            return
        if not self._messages:  # a head that is not whole
            self._is_amid = True
            return
        self._is_amid = not self._was_one_request(data, 0)
        if not self._is_coming:
            self._is_coming = True
            state.coming += 1

    def _was_one_request(self, data: bytes, queued: int) -> bool:
        """Whether `data` ended a request, and nothing more: what comes next is then the beginning of another one.

        Else it may be the rest of a head, whatever it looks like: to take that for a request of its own is to let a
        caller hide one from whoever looked at the connection before. To be called when the connection waited for a
        request, or stood between two of them, before `data` came.

        Args:
            queued: requests that were there by then.
        """
        if len(self._messages) != queued + 1 or self._upgraded or data[0] in _LINE_END:
            return False  # it may end a head begun before
        body = self._messages[-1][1]
        # Of a body in chunks more came than it has, so that these are never taken for one request.
        return body.is_eof() and data.find(b"\r\n\r\n") + 4 + body.total_bytes == len(data)

    def begins(self) -> None:
        """The handler of a request has begun."""
        if self._is_coming:
            self._is_coming = False
            self._state.coming -= 1
        if self._holder is not None:  # the boundary takes its place anew, of the caller that it finds
            self._state.shares.leave(self._holder)
            self._state.placed -= 1
            self._holder = None

    def resume_reading(self, resume_parser: bool = True) -> None:
        # Each body that is read asks for it, and aiohttp feeds its parser nothing to see whether it was held up.
        if self._reading_paused:
            super().resume_reading(resume_parser)

    async def start(self) -> None:
        """Answers what comes, one request after another, all in the connection's own task.

        aiohttp's makes a task for each, so that none sees a context variable of the one before: of the two that
        are set here, the boundary sets one for each request, and the other is set in threads.
        """
        if not _IS_KNOWN:
            await super().start()
            return
        manager, loop = self._manager, self._loop
        while manager is not None and not self._force_close:
            if not self._messages:
                self._waiter = loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            message, payload = self._messages.popleft()
            if self._parser is not None:
                self._parser.message_consumed()
            if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
                self._resume_reading_if_drained()
            manager.requests_count += 1
            if not await self._answer(message, payload, manager):
                break
            close_at = loop.time() + self._keepalive_timeout
            self._next_keepalive_close_time = close_at
            if self._keepalive_handle is None:
                self._keepalive_handle = loop.call_at(close_at, self._process_keepalive)
        if not self._force_close:
            self._task_handler = None
            transport = self.transport
            if transport is not None:
                transport.close()
                self._watch(transport)

    async def _answer(self, message: Any, payload: StreamReader, manager: web.Server) -> bool:
        """Returns whether the connection may go on.

        Args:
            message: the head of a request, or aiohttp's own word for what is none.
        """
        handler = manager.request_handler
        if type(message) is not RawRequestMessage:
            handler, message = self._make_error_handler(message), ERROR
        task, loop = self._task_handler, self._loop
        if task is None:  # the connection was lost meanwhile
            return False
        request = Request(message, payload, self, StreamWriter(self, loop), task, loop, client_max_size=0)
        try:
            response, is_lost = await self._handle_request(request, None, handler)
            if is_lost:
                return False
            keeps_alive = response.keep_alive  # None where the bytes were made here
            self._keepalive = request.keep_alive if keeps_alive is None else keeps_alive
            if not payload.is_eof():
                await self._drop(payload)
            payload.set_exception(_ANSWERED)
        except ConnectionError:
            return False
        except Exception as exc:  # as aiohttp: whatever it is, this connection alone ends
            self.log_exception("Unhandled exception", exc_info=exc)
            self.force_close()
        except BaseException:
            self.force_close()
            raise
        finally:
            # As aiohttp does: it would close a cycle of references.
            request._task = None  # type: ignore[assignment] # noqa: SLF001
        return self._keepalive and not self._close and not self._force_close

    async def _drop(self, payload: StreamReader) -> None:
        """Reads the rest of a body that nobody wanted, for so long that its sender sees the answer and not a reset."""
        if not self._force_close and self._lingering_time:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._lingering_time):
                    while not payload.is_eof():
                        await payload.readany()
        if not payload.is_eof() and not self._force_close:
            self.close()

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
        keeps_alive = request.keep_alive and resp.keep_alive is not False
        whole = None
        if _IS_KNOWN and not self._upgraded:
            whole = as_bytes(request, resp, keeps_alive=keeps_alive)
        if whole is None:
            finished = await super().finish_response(request, resp, start_time)
        else:
            transport = self.transport
            if transport is None or transport.is_closing():
                finished = resp, True
            else:
                transport.write(whole)
                finished = resp, self._paused and not await self._caught_up()
            if not keeps_alive:
                resp.force_close()
        self.has_answered = True
        return finished

    async def _caught_up(self) -> bool:
        """Whether the client of a connection that is behind is there still, once it has caught up."""
        try:
            await self._drain_helper()
        except ConnectionError:
            return False
        return True

    @property
    def is_writing(self) -> bool:
        """Whether an answer is still on its way that has left its handler."""
        transport = self.transport
        return (
            self._current_request is None and transport is not None and transport.get_write_buffer_size() > 0
        )

    def cut_writing(self) -> None:
        """Ends it if it does: its reader had its time."""
        if self.transport is not None and self.is_writing:
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.transport is not None:
            self._watch(self.transport)

    def resume_writing(self) -> None:
        super().resume_writing()
        transport = self.transport
        if transport is not None and not transport.is_closing():  # else what is left is watched to its end
            self._unwatch()

    def eof_received(self) -> None:
        super().eof_received()
        if self.transport is not None:  # which closes itself now
            self._watch(self.transport)

    def force_close(self) -> None:
        transport = self.transport
        super().force_close()
        if transport is not None:
            self._watch(transport)

    def _watch(self, transport: asyncio.Transport) -> None:
        """Of a reader who takes nothing the end of a connection would never come either."""
        if self._unread is None and transport.get_write_buffer_size():
            self._unread = UnreadWriting(transport, self._loop)

    def _unwatch(self) -> None:
        if self._unread is not None:
            self._unread.stop()
            self._unread = None

    def connection_lost(self, exc: BaseException | None) -> None:
        self.begins()  # what was about to begin will not
        handler = self._task_handler if self.cancels_handler else None
        super().connection_lost(exc)
        self._unwatch()
        if handler is not None:
            handler.cancel()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0 or self.transport is None:
            raise ConnectionResetError("the answer had begun, or nobody is there for one")
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
