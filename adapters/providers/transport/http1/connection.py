"""One connection to a server: writes a request, takes its answer apart, one at a time."""

import asyncio
from typing import Final, Protocol, cast

from adapters.providers.transport.http1.answer import HTTPAnswer
from adapters.providers.transport.http1.body import Body, body_after
from adapters.providers.transport.http1.failures import NotHTTP, cut_short, lost_before_answer, not_http
from adapters.providers.transport.http1.head import find_end, parse_head
from domain.errors import ProviderFailure

_MAX_INTERIM_HEADS: Final = 32


class Home(Protocol):
    """Where a connection belongs."""

    def opened(self, connection: "Connection") -> None: ...

    def freed(self, connection: "Connection") -> None:
        """Its answer has come whole, and it may carry another request."""

    def lost(self, connection: "Connection") -> None:
        """It is closed for good."""


class Connection(asyncio.Protocol):
    __slots__ = (
        "_answer",
        "_body",
        "_head",
        "_home",
        "_interim_heads",
        "_is_held",
        "_is_reused",
        "_loop",
        "_scanned",
        "_transport",
        "_waiter",
    )

    def __init__(self, home: Home) -> None:
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._is_reused = False
        self._is_held = False
        self._waiter: asyncio.Future[HTTPAnswer] | None = None
        """Set from the request to the head of its answer."""
        self._answer: HTTPAnswer | None = None
        """Set from the head to the end of the body, and with it `_body`."""
        self._body: Body | None = None
        self._head = b""
        """The part of a head that has come."""
        self._scanned = 0
        self._interim_heads = 0

    @property
    def is_usable(self) -> bool:
        """Whether a request may be written. The server may have closed its end all the same, unseen as yet."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes) -> HTTPAnswer:
        """Sends a request and waits for the head of its answer. When cancelled it closes the connection.

        Raises:
            ProviderFailure: `connection_lost` or `bad_body`.
        """
        if self._transport is None:
            raise lost_before_answer()
        waiter: asyncio.Future[HTTPAnswer] = self._loop.create_future()
        self._waiter = waiter
        self._transport.write(request)
        try:
            return await waiter
        except asyncio.CancelledError:
            if self._waiter is waiter:
                self._waiter = None
                self.abort()
            elif not waiter.cancelled() and waiter.exception() is None:
                # The head came in the same turn of the loop; the connection may be another call's by now.
                waiter.result().close()
            raise

    # For the answer and the pool

    def hold(self) -> None:
        if self._transport is not None and not self._transport.is_closing() and not self._is_held:
            self._is_held = True
            self._transport.pause_reading()

    def go_on(self) -> None:
        if self._is_held and self._transport is not None and not self._transport.is_closing():
            self._is_held = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Closes at once, in TLS too: whoever waits for the rest of an answer is told that it was cut."""
        if self._transport is not None:
            self._transport.abort()

    # For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._home.opened(self)

    def data_received(self, data: bytes) -> None:
        try:
            if self._answer is not None:
                self._on_body(self._answer, data)
            elif self._waiter is not None:
                self._on_head(self._waiter, data)
            else:
                self.abort()  # nobody asked: whose answer this would be can't be known
        except NotHTTP:
            self._fail(not_http())
            self.abort()

    def eof_received(self) -> None:
        answer, body = self._answer, self._body
        if answer is not None and body is not None and body.end_of_connection():
            self._answer = self._body = None
            answer.finish()
        # Returning None makes the transport close itself.

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._home.lost(self)
        if self._answer is not None:
            self._fail(cut_short())
        elif self._waiter is not None:
            nothing_came = not self._head and not self._interim_heads
            self._fail(lost_before_answer(stale=self._is_reused and nothing_came))

    def _on_head(self, waiter: "asyncio.Future[HTTPAnswer]", data: bytes) -> None:
        if self._head:
            data = self._head + data
        while True:
            end = find_end(data, self._scanned)
            if end < 0:
                self._head = data
                self._scanned = len(data)
                return
            head = parse_head(data[:end])
            data = data[end:]
            self._head = b""
            self._scanned = 0
            if head.status >= 200:
                break
            # 100 and 103 may come before the answer. A switch of protocols (101) was not asked for.
            self._interim_heads += 1
            if head.status == 101 or self._interim_heads > _MAX_INTERIM_HEADS:
                raise NotHTTP("interim heads out of place")
            if not data:
                return
        if waiter.done():  # cancelled: its task closes the connection in a moment
            return
        answer = self._answer = HTTPAnswer(head, self)
        body = self._body = body_after(head)
        self._interim_heads = 0
        self._waiter = None
        # Its task runs after this turn of the loop, so the body that came along is there by then.
        waiter.set_result(answer)
        if data or body.has_ended:
            self._on_body(answer, data)

    def _on_body(self, answer: HTTPAnswer, data: bytes) -> None:
        body: Body = self._body  # type: ignore[assignment] # there with the answer
        content = body.feed(data)
        if not body.has_ended:
            if content:
                answer.feed(content)
            return
        self._answer = self._body = None
        answer.finish(content)
        transport = self._transport
        if (
            body.surplus
            or not answer.keeps_alive
            or transport is None
            or transport.get_write_buffer_size()  # it answered before it had read the request
        ):
            self.abort()
            return
        self.go_on()
        self._is_reused = True
        self._home.freed(self)

    def _fail(self, failure: ProviderFailure) -> None:
        answer, self._answer, self._body = self._answer, None, None
        waiter, self._waiter = self._waiter, None
        if answer is not None:
            answer.fail(failure)
        if waiter is not None and not waiter.done():
            waiter.set_exception(failure)
