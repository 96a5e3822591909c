"""A stand-in for OpenAI that costs as little as Python allows: `python -m bench.upstream PORT`.

Answers `POST …/chat/completions` from bytes made in advance, or as the plan in its prompt says (`bench/play.py`);
`GET /answered` with how often it did; `GET /release` ends the answers that are held.
"""

import asyncio
import re
import sys
from typing import cast

import uvloop

from bench.payloads import streamed_answer, whole_answer
from bench.play import END, HEAD, Pieces, Plan, now_us

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream": *true')
_REFUSAL = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One keep-alive connection. Requests carry Content-Length; anything else gets a 404."""

    answered = 0
    whole = whole_answer()
    streamed = streamed_answer()
    held: "set[Upstream]" = set()  # noqa: RUF012 - of the process
    pieces: "dict[Plan, Pieces]" = {}  # noqa: RUF012 - as above

    def __init__(self) -> None:
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        Upstream.held.discard(self)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if self._pending:
            data = self._pending + data
        while data:
            head_end = data.find(b"\r\n\r\n")
            if head_end < 0:
                break
            length = _LENGTH.search(data, 0, head_end + 1)
            end = head_end + 4 + (int(length[1]) if length else 0)
            if len(data) < end:
                break
            self._transport.write(self._answer(data, head_end, end))
            data = data[end:]
        self._pending = data

    def _answer(self, data: bytes, head_end: int, end: int) -> bytes:
        line = data[: data.find(b"\r\n")]
        if line.startswith(b"POST ") and b"/chat/completions " in line:
            Upstream.answered += 1
            if not _STREAM.search(data, head_end, end):
                return self.whole
            plan = Plan.found_in(data[head_end:end])
            return self.streamed if plan is None else self._begin(plan)
        if line.startswith(b"GET /answered "):
            return _text(b"%d" % Upstream.answered)
        if line.startswith(b"GET /release "):
            waiting, Upstream.held = Upstream.held, set()
            for each in waiting:
                each.finish()
            return _text(b"%d" % len(waiting))
        return _REFUSAL

    def _begin(self, plan: Plan) -> bytes:
        """What is sent at once: the head with the first piece, or with all of them."""
        pieces = Upstream.pieces.setdefault(plan, Pieces(plan))
        if not plan.every_us:
            self._end_of(plan)
            return HEAD + pieces.one(now_us()) if plan.pieces == 1 else self._burst(pieces)
        started_us = now_us()
        self._later(pieces, started_us, 1)
        return HEAD + pieces.one(started_us)

    def _burst(self, pieces: Pieces) -> bytes:
        assert self._transport is not None
        self._transport.write(HEAD)
        return pieces.burst()

    def _end_of(self, plan: Plan) -> None:
        if plan.held:
            Upstream.held.add(self)
        else:
            asyncio.get_running_loop().call_soon(self.finish)

    def _later(self, pieces: Pieces, started_us: int, number: int) -> None:
        due_us = started_us + number * pieces.plan.every_us
        wait_s = max(0.0, (due_us - now_us()) / 1e6)
        asyncio.get_running_loop().call_later(wait_s, self._piece, pieces, started_us, number)

    def _piece(self, pieces: Pieces, started_us: int, number: int) -> None:
        if self._transport is None:
            return
        if number >= pieces.plan.pieces:
            self._end_of(pieces.plan)
            return
        self._transport.write(pieces.one(started_us + number * pieces.plan.every_us))
        self._later(pieces, started_us, number + 1)

    def finish(self) -> None:
        if self._transport is not None:
            self._transport.write(END)


def _text(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
