"""Answers that are there as a whole, as the bytes that go out: head and body in one piece.

aiohttp takes nine calls and a serialiser that looks at each character alone, a fifth of what the edge costs a chat.
"""

from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.hdrs import CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, SERVER, TRANSFER_ENCODING
from aiohttp.helpers import rfc822_formatted_time

from entrypoints.http.json_answer import JSONAnswer

_BODILESS: Final = frozenset((204, 304))
_CONTROLS: Final = bytes((*range(32), 127))


def as_bytes(request: web.BaseRequest, response: web.StreamResponse, *, keeps_alive: bool) -> bytes | None:
    """What aiohttp writes for `response`, byte for byte; None for one that it has to write itself.

    That is one that is no plain body with its type, or goes to HTTP/1.0 or HEAD, or has a header that can't be sent.
    """
    if request.version != HttpVersion11 or request.method == "HEAD":
        return None
    if type(response) is JSONAnswer and response.head is not None:
        end = "\r\n" if keeps_alive else "Connection: close\r\n\r\n"
        return (
            f"HTTP/1.1 200 OK\r\n{response.head}Content-Length: {len(response.json)}\r\n"
            f"Date: {rfc822_formatted_time()}\r\n{end}"
        ).encode() + response.json
    if type(response) is not web.Response and type(response) is not JSONAnswer:
        return None
    body, status, headers = response.body, response.status, response.headers
    if type(body) is not bytes or not body or status < 200 or status in _BODILESS:
        return None
    if response.prepared or response.chunked or response.compression:
        return None
    if CONTENT_TYPE not in headers or SERVER not in headers:
        return None
    if CONTENT_LENGTH in headers or DATE in headers or CONNECTION in headers or TRANSFER_ENCODING in headers:
        return None  # a handler that says one of them itself has its reasons
    lines = [f"HTTP/1.1 {status} {response.reason}", *[f"{name}: {value}" for name, value in headers.items()]]
    said = "".join(lines).encode()
    if len(said.translate(None, _CONTROLS)) != len(said):
        return None
    lines.append(f"Content-Length: {len(body)}")
    lines.append(f"Date: {rfc822_formatted_time()}")
    lines.append("\r\n" if keeps_alive else "Connection: close\r\n\r\n")
    return "\r\n".join(lines).encode() + body
