"""Refuses chats at the connection while the process can't keep up: before anything of them is parsed.

A request that goes through aiohttp and the boundary to be refused costs 137 µs of CPU where a chat that is answered
costs 388; what is written here costs 20 (docs/benchmark.md). `/healthz` is answered here too
then, for a handler of its own begins a turn of the late loop after its request came.
"""

import asyncio
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import attrs
from aiohttp.helpers import rfc822_formatted_time

from domain.errors import Overloaded
from domain.limits.fairness import LOOK_SHARE
from domain.telemetry import RequestServed, RequestsShed
from domain.values import frozen
from entrypoints.http.client_address import counted_address
from entrypoints.http.json_answer import SECURITY_HEADERS
from entrypoints.http.problems import problem_type, retry_after
from entrypoints.http.routes.table import error_format

if TYPE_CHECKING:
    from entrypoints.http.state import ServerState

_ROUTES: Final = ("/chat", "/v1/chat/completions", "/ui/chat")
_TICK_S: Final = 0.02
_TELL_S: Final = 1.0
_ANY_ID: Final = "00000000-0000-0000-0000-000000000000"
_VARY: Final = b"Vary: Origin\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d{1,9}) *\r\n")
_NOT_SO_SIMPLE: Final = (
    b"\r\ntransfer-encoding",
    b"\r\nexpect",
    b"\r\nupgrade",
    b"\r\norigin",
    b"\r\nconnection",
)
"""Heads that need a closer look: other framing, another protocol, a page that needs CORS, a last request."""
_HEALTH: Final = b"GET /healthz HTTP/1.1\r\n"
_ALIVE: Final = b'{"status":"ok"}'
_KEY: Final = b"\r\nauthorization:"
_ID: Final = b"\r\nx-request-id:"
_VALID_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
"""The boundary's, of bytes."""
_BY_LINE: Final = {f"POST {route} HTTP/1.1".encode(): route for route in _ROUTES}


@frozen
class PlainChat:
    """The head of a request for a chat that has nothing unusual."""

    route: str
    authorization: str | None
    """The header as it came, as aiohttp would read it."""
    body_bytes: int
    request_id: bytes | None
    """The caller's own, where it is one that may be."""


_LONGEST: Final = max(map(len, _BY_LINE))
_SHORT_HEAD: Final = 1024
_HEADS: Final = 512
"""Heads of at most `_SHORT_HEAD` bytes that are known again: clients send the same one with each chat."""


def chat_in(data: bytes) -> PlainChat | None:
    """The chat that `data` is, whole and nothing else; None for all that is less simple."""
    end = data.find(b"\r\n\r\n")
    head = data[: end + 2]
    chat = _chat_again(head) if end < _SHORT_HEAD else _chat_of(head)
    return chat if chat is not None and chat.body_bytes == len(data) - end - 4 else None


def _chat_of(head: bytes) -> PlainChat | None:
    """
    Args:
        head: with the end of its last line.
    """
    route = _BY_LINE.get(head[: head.find(b"\r\n", 0, _LONGEST + 2)])
    if route is None:
        return None
    lower = head.lower()
    length = _LENGTH.search(lower)
    if length is None or lower.count(b"content-length") != 1 or not _is_plain(lower):
        return None
    given = _value(_ID, head, lower)
    request_id = given if given is not None and _VALID_ID.fullmatch(given) else None
    value = _value(_KEY, head, lower)
    if value is None:
        return PlainChat(route, None, int(length[1]), request_id)
    if lower.count(_KEY) != 1:
        return None
    return PlainChat(route, value.decode("utf-8", "surrogateescape"), int(length[1]), request_id)


def _value(name: bytes, head: bytes, lower: bytes) -> bytes | None:
    """Of the first header of that name, as aiohttp would read it."""
    start = lower.find(name)
    if start < 0:
        return None
    start += len(name)
    return head[start : lower.index(b"\r\n", start)].strip(b" \t")


_chat_again: Final = lru_cache(_HEADS)(_chat_of)


def is_health(data: bytes) -> bool:
    """Whether `data` is one whole request for `/healthz`, and nothing else."""
    if not data.startswith(_HEALTH) or data.find(b"\r\n\r\n") != len(data) - 4:
        return False
    head = data[:-2].lower()
    return b"\r\ncontent-length" not in head and b"\r\nx-request-id" not in head and _is_plain(head)


def _is_plain(head: bytes) -> bool:
    if b"\r\nconnection: keep-alive\r\n" in head:
        head = head.replace(b"\r\nconnection: keep-alive\r\n", b"\r\n")
    return all(name not in head for name in _NOT_SO_SIMPLE)


@frozen
class KnownAnswer:
    """An answer that is the same each time, but for its request id and its date."""

    head: bytes
    body: tuple[bytes, ...]
    """The pieces between the places of the request id."""

    def of(self, request_id: bytes, *, has_origins: bool) -> bytes:
        """The whole of it, as the boundary would have it.

        Args:
            has_origins: whether pages of other origins may call lor3.
        """
        body = request_id.join(self.body)
        return b"%bX-Request-ID: %b\r\n%bContent-Length: %d\r\nDate: %b\r\n\r\n%b" % (
            self.head,
            request_id,
            _VARY if has_origins else b"",
            len(body),
            rfc822_formatted_time().encode(),
            body,
        )


def refusals() -> dict[str, KnownAnswer]:
    """By route."""
    error = Overloaded("the server is busy and can't take another chat now; try again shortly")
    found = {}
    for route in _ROUTES:
        answer = error_format(route, route)(error, request_id=_ANY_ID)
        headers = {
            **answer.headers,
            "Retry-After": retry_after(error) or "1",
            "Content-Type": answer.content_type,
            **SECURITY_HEADERS,
        }
        status = f"{problem_type(error.code).status} Service Unavailable"
        found[route] = KnownAnswer(_head(status, headers), tuple(answer.body.split(_ANY_ID.encode())))
    return found


def alive() -> KnownAnswer:
    """The answer to `/healthz`."""
    return KnownAnswer(_head("200 OK", {"Content-Type": "application/json", **SECURITY_HEADERS}), (_ALIVE,))


def _head(status: str, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}".encode()


@attrs.define(eq=False)
class Shedding:
    """Watches how late the event loop is, and answers for connections while it is late."""

    _state: "ServerState"
    _answers: dict[str, KnownAnswer] = attrs.field(factory=refusals, init=False)
    _health: KnownAnswer = attrs.field(factory=alive, init=False)
    _shed: dict[str, int] = attrs.field(factory=dict, init=False)
    _told_s: float = attrs.field(default=0.0, init=False)
    _timer: asyncio.TimerHandle | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + _TICK_S, self._look, loop, loop.time() + _TICK_S)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._tell()
        _chat_again.cache_clear()

    def enter(self, data: bytes, peer: str) -> tuple[bytes | None, str | None]:
        """Decides on what came on a connection that waits for a request, of a process that is a quarter full or more.

        Args:
            peer: the address at the other end.

        Returns:
            What to write in answer, or None where it has to be looked at by everybody else; and then whose place was
            taken in the shares, to be left when the handler begins.
        """
        state = self._state
        if state.draining:
            return None, None
        if state.overload.is_pressed and is_health(data):
            return self._alive(), None
        load, capacity = state.load, state.capacity
        if load < capacity * LOOK_SHARE:
            return None, None
        chat = chat_in(data)
        if chat is None:
            return None, None
        # What came unread, its body still on the way, takes no place of others: the boundary decides on it.
        taken = load - state.coming + state.placed
        if taken >= capacity:  # whoever it is
            return self._refusal(chat), None
        holder = self._holder(chat.authorization, peer)
        if holder is None:
            return (None if load < capacity else self._refusal(chat)), None
        if state.shares.enter(holder, in_flight=taken, capacity=capacity):
            return None, holder
        return self._refusal(chat), None

    def _holder(self, authorization: str | None, peer: str) -> str | None:
        """Whose request it is, if that is known at once."""
        application = self._state.application
        caller = application.key_ring.recall(authorization)
        if caller is None:
            return None
        if caller.key_id is not None:
            return caller.key_id
        return None if application.settings.server.trusted_proxies else counted_address(peer)

    def _refusal(self, chat: PlainChat) -> bytes:
        route, state = chat.route, self._state
        self._shed[route] = self._shed.get(route, 0) + 1
        state.refused += 1
        request_id = chat.request_id or state.application.ids.new().encode()
        return self._answers[route].of(request_id, has_origins=state.cors.enabled)

    def _alive(self) -> bytes:
        request_id = self._state.application.ids.new()
        self._state.application.telemetry.emit(
            RequestServed(
                request_id=request_id,
                route="/healthz",
                method="GET",
                status=200,
                duration_s=self._state.overload.late_s,
            )
        )
        return self._health.of(request_id.encode(), has_origins=self._state.cors.enabled)

    def _look(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        now_s = loop.time()
        state = self._state
        state.overload.observe(
            now_s - due_s, now_s=now_s, in_flight=state.load, ended=state.ended, refused=state.refused
        )
        if now_s - self._told_s >= _TELL_S:
            self._told_s = now_s
            self._tell()
            if not state.is_pressed:
                _chat_again.cache_clear()  # credentials are in heads
        self._timer = loop.call_at(now_s + _TICK_S, self._look, loop, now_s + _TICK_S)

    def _tell(self) -> None:
        shed, self._shed = self._shed, {}
        for route, count in shed.items():
            self._state.application.telemetry.emit(RequestsShed(route=route, requests=count))
