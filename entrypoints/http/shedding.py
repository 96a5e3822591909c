"""Refuses chats at the connection while the process can't keep up: before anything of them is parsed.

A request that goes through aiohttp and the boundary to be refused costs a quarter of a chat that is answered; at ten
times the load there would be no time left for those that are. What is written here costs a fiftieth.
"""

import asyncio
import re
from typing import TYPE_CHECKING, Final

import attrs

from domain.errors import Overloaded
from domain.telemetry import RequestsShed
from entrypoints.http.problems import problem_type, retry_after
from entrypoints.http.response_headers import SECURITY_HEADERS
from entrypoints.http.routes.table import error_format

if TYPE_CHECKING:
    from entrypoints.http.state import ServerState

_ROUTES: Final = ("/chat", "/v1/chat/completions", "/ui/chat")
_TICK_S: Final = 0.02
_TELL_S: Final = 1.0
_ID: Final = "00000000-0000-0000-0000-000000000000"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d{1,9}) *\r\n")
_NOT_SO_SIMPLE: Final = re.compile(rb"\r\n(?:transfer-encoding|expect|upgrade|origin|connection) *:")
"""Heads that need a closer look: other framing, another protocol, a page that needs CORS, a last request."""


def chat_route(data: bytes) -> str | None:
    """The chat route that `data` is one whole request for, and nothing else; None for all that is less simple."""
    if not data.startswith(b"POST /"):
        return None
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[: end + 2].lower()
    lengths = _LENGTH.findall(head)
    if len(lengths) != 1 or head.count(b"content-length") != 1 or int(lengths[0]) != len(data) - end - 4:
        return None
    if _NOT_SO_SIMPLE.search(head.replace(b"\r\nconnection: keep-alive\r\n", b"\r\n")):
        return None
    target, _, version = data[5 : data.index(b"\r\n")].partition(b" ")
    if version != b"HTTP/1.1":
        return None
    return _BY_TARGET.get(target)


_BY_TARGET: Final = {route.encode(): route for route in _ROUTES}


def refusals() -> dict[str, tuple[bytes, bytes, bytes]]:
    """By route, the answer before, between and after the two places of its request id."""
    error = Overloaded("the server is busy and can't take another chat now; try again shortly")
    found = {}
    for route in _ROUTES:
        answer = error_format(route, route)(error, request_id=_ID)
        headers = {
            "Content-Type": f"{answer.content_type}; charset=utf-8",
            "Content-Length": str(len(answer.body)),
            "Retry-After": retry_after(error) or "1",
            **answer.headers,
            **SECURITY_HEADERS,
            "X-Request-ID": _ID,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        status = problem_type(error.code).status
        whole = f"HTTP/1.1 {status} Service Unavailable\r\n{head}\r\n".encode() + answer.body
        parts = whole.split(_ID.encode())
        found[route] = (parts[0], parts[1], parts[2] if len(parts) > 2 else b"")
    return found


@attrs.define(eq=False)
class Shedding:
    """Watches how late the event loop is, and answers for connections while it is late."""

    _state: "ServerState"
    _answers: dict[str, tuple[bytes, bytes, bytes]] = attrs.field(factory=refusals, init=False)
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

    def refusal(self, data: bytes) -> bytes | None:
        """What to write in answer to `data`; None where it has to be looked at by everybody else."""
        route = chat_route(data)
        if route is None or self._state.draining:
            return None
        self._shed[route] = self._shed.get(route, 0) + 1
        request_id = self._state.application.ids.new().encode()
        first, second, third = self._answers[route]
        if not third:  # a shape whose body has no id
            return b"%b%b%b" % (first, request_id, second)
        return b"%b%b%b%b%b" % (first, request_id, second, request_id, third)

    def _look(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        now_s = loop.time()
        state = self._state
        state.overload.observe(now_s - due_s, now_s=now_s, in_flight=state.load)
        if now_s - self._told_s >= _TELL_S:
            self._told_s = now_s
            self._tell()
        self._timer = loop.call_at(now_s + _TICK_S, self._look, loop, now_s + _TICK_S)

    def _tell(self) -> None:
        shed, self._shed = self._shed, {}
        for route, count in shed.items():
            self._state.application.telemetry.emit(RequestsShed(route=route, requests=count))
