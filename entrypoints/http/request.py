"""The server's requests: aiohttp's own, whose usual parts are there without a call."""

from typing import Any, Final

from aiohttp import HttpVersion, HttpVersion11, StreamReader, web
from aiohttp.http import StreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDictProxy

_NOT_YET: Final[Any] = None


class Request(web.Request):
    """What each chat asks for is an attribute here; there it is worked out when it is first asked for.

    All else is aiohttp's. The attributes are the class's, too: else aiohttp's properties of these names would come
    first.
    """

    method: str = ""
    version: HttpVersion = HttpVersion11
    headers: CIMultiDictProxy[str] = _NOT_YET
    raw_path: str = ""
    content: StreamReader = _NOT_YET
    protocol: RequestHandler = _NOT_YET
    keep_alive: bool = False
    template: str | None = None
    """Of its route, where that was found by its path."""

    ATTRS = web.Request.ATTRS | {
        "method", "version", "headers", "raw_path", "content", "protocol", "keep_alive", "template",
    }  # fmt: skip

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        payload_writer: StreamWriter,
        *more: Any,
        **options: Any,
    ) -> None:
        super().__init__(message, payload, protocol, payload_writer, *more, **options)
        self.method = message.method
        self.version = message.version
        self.headers = message.headers
        self.raw_path = message.path
        self.content = payload
        self.protocol = protocol
        self.keep_alive = not message.should_close

    def get(self, key: Any, default: Any = None) -> Any:
        return self._state.get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._state
