"""A whole answer to a chat: 200, JSON and a head that is text from the beginning."""

from typing import Any, Final

from aiohttp import web
from aiohttp.hdrs import CACHE_CONTROL, SERVER

SECURITY_HEADERS: Final[dict[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    CACHE_CONTROL: "no-store",
    SERVER: "lor3",  # aiohttp's own names its version and Python's
}
"""Of every answer."""

_TYPE: Final = "Content-Type: application/json\r\n"
_SAME_FOR_ALL: Final = "".join(f"{name}: {value}\r\n" for name, value in SECURITY_HEADERS.items())


class JSONAnswer(web.Response):
    """Has no mapping of headers, and nothing else that aiohttp keeps of a response, until somebody looks at it.

    Then it becomes an ordinary response, as which a client of HTTP/1.0, a page of another origin or another release
    of aiohttp gets it. Nearly all others get `head` as it is.
    """

    __http_exception__ = False  # aiohttp looks for it in each response

    head: str | None
    """The lines of its headers, each with its end; None once it is an ordinary response."""
    json: bytes
    """Its body."""

    def __init__(self, body: bytes, head: str) -> None:
        """
        Args:
            head: the lines of the headers that only this answer has. None may hold anything but printable ASCII.
        """
        # Not aiohttp's own: it makes what is made here only for those who ask.
        self._body = self.json = body
        self.head = head + _TYPE

    def __getattr__(self, name: str) -> Any:
        """Is called for what an ordinary response has and this one does not have yet."""
        head = self.__dict__.get("head")
        if head is None or name.startswith("__"):
            raise AttributeError(name)
        self.head = None
        lines = [line.partition(": ") for line in head.split("\r\n") if line]
        super().__init__(body=self._body, headers=[(name, value) for name, _, value in lines])
        return getattr(self, name)

    def decorate(self, request_id: str, rates: dict[str, str] | None) -> None:
        """Adds the headers that every answer has; to be called once, and while there is a `head`.

        Args:
            rates: what the caller is told of its limits.
        """
        told = "" if rates is None else "".join([f"{name}: {value}\r\n" for name, value in rates.items()])
        self.head = f"{self.head}X-Request-ID: {request_id}\r\n{_SAME_FOR_ALL}{told}"
