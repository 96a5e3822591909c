"""A stand-in for OpenAI that costs as little as Python allows: `python -m bench.upstream PORT`.

Answers `POST …/chat/completions` from bytes made in advance, `GET /answered` with how often it did.
"""

import asyncio
import re
import sys
from typing import cast

import uvloop

from bench.payloads import streamed_answer, whole_answer

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream": *true')
_REFUSAL = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One keep-alive connection. Requests carry Content-Length; anything else gets a 404."""

    answered = 0
    whole = whole_answer()
    streamed = streamed_answer()

    def __init__(self) -> None:
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

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
            return self.streamed if _STREAM.search(data, head_end, end) else self.whole
        if line.startswith(b"GET /answered "):
            body = b"%d" % Upstream.answered
            return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        return _REFUSAL


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
