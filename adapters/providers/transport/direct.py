"""The default transport: one tuned aiohttp session a provider."""

import contextvars
import socket
from typing import Final

import aiohttp
import attrs
import multidict
import yarl
from aiohappyeyeballs import AddrInfoType

from adapters.providers.transport.aiohttp_failures import failure_of
from adapters.providers.transport.port import MAX_BODY_BYTES, Answer, Endpoint, too_large

_KEEPALIVE_S: Final = 30.0
_DNS_TTL_S: Final = 60


class _Sockets:
    """Counts the sockets that one call opened: none means that its connection was reused."""

    __slots__ = ("opened",)

    def __init__(self) -> None:
        self.opened = 0


# aiohttp tells whether it reused a connection only through tracing, which costs several awaits a request. A socket
# factory is called for new sockets alone, perhaps in a child task, hence an object rather than a flag.
_SOCKETS: contextvars.ContextVar[_Sockets] = contextvars.ContextVar("_SOCKETS")


def _open_socket(address: AddrInfoType) -> socket.socket:
    counter = _SOCKETS.get(None)
    if counter is not None:
        counter.opened += 1
    family, kind, protocol, *_ = address
    return socket.socket(family=family, type=kind, proto=protocol)


@attrs.define
class _DirectAnswer:
    """A response of aiohttp."""

    _response: aiohttp.ClientResponse

    @property
    def status(self) -> int:
        return self._response.status

    def header(self, name: str) -> str | None:
        return self._response.headers.get(name)

    async def read(self) -> bytes:
        content = self._response.content
        try:
            data = await content.readany()
            if content.at_eof():  # an answer that came in one piece: the usual case
                if len(data) > MAX_BODY_BYTES:
                    raise too_large()
                return data
            pieces = [data]
            size = len(data)
            while not content.at_eof():
                data = await content.readany()
                size += len(data)
                if size > MAX_BODY_BYTES:
                    raise too_large()
                pieces.append(data)
        except Exception as exc:
            self._response.close()
            raise failure_of(exc) from exc
        return b"".join(pieces)

    async def block(self) -> bytes:
        content = self._response.content
        try:
            block = await content.readany()
            while not block and not content.at_eof():  # an empty piece in the middle is not the end
                block = await content.readany()
        except Exception as exc:
            self._response.close()
            raise failure_of(exc) from exc
        return block

    def close(self) -> None:
        # aiohttp has released the connection already if the body was read to its end; closing is then a no-op.
        self._response.close()


@attrs.define
class DirectTransport:
    """Must be made and used in one running event loop. Certificates are always verified."""

    _connect_s: float
    _session: aiohttp.ClientSession | None = None
    _prepared: dict[Endpoint, tuple[yarl.URL, "multidict.CIMultiDict[str]"]] = attrs.field(
        factory=dict, repr=False
    )
    _closed: bool = False

    async def send(self, endpoint: Endpoint, body: bytes) -> Answer:
        prepared = self._prepared.get(endpoint)
        if prepared is None:
            prepared = self._prepared[endpoint] = (
                yarl.URL(endpoint.url, encoded=True),
                multidict.CIMultiDict(endpoint.headers),
            )
        return await self._send(endpoint.method, prepared[0], prepared[1], body)

    async def send_once(
        self, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> Answer:
        """As `send`, for a request that is made up anew each time, as SDKs do."""
        return await self._send(method, yarl.URL(url, encoded=True), multidict.CIMultiDict(headers), body)

    async def _send(
        self, method: str, url: yarl.URL, headers: "multidict.CIMultiDict[str]", body: bytes
    ) -> Answer:
        sockets = _Sockets()
        _SOCKETS.set(sockets)
        try:
            session = self._session or self._open_session()
            # `_request`, the coroutine under `request`, would save a microsecond; the public door is worth it.
            response = await session.request(method, url, headers=headers, data=body, allow_redirects=False)
        except Exception as exc:
            raise failure_of(exc, reused=sockets.opened == 0) from exc
        return _DirectAnswer(response)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError("closed")
        connector = aiohttp.TCPConnector(
            limit=0,  # how much may be in flight is the server's decision, made before it comes here
            keepalive_timeout=_KEEPALIVE_S,
            ttl_dns_cache=_DNS_TTL_S,
            socket_factory=_open_socket,
            # A connect limit above 5 s would be rounded up to a full second; ours is exact.
            timeout_ceil_threshold=3600,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=self._connect_s, sock_connect=None, sock_read=None, ceil_threshold=3600
            ),
            trust_env=False,
        )
        return self._session

    async def aclose(self) -> None:
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()
