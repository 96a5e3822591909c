"""The default transport: lor3's own HTTP/1.1 client, one a provider."""

import ssl
from collections.abc import Coroutine
from typing import Any

import attrs

from adapters.providers.transport.http1.client import HTTP1Client
from adapters.providers.transport.http1.dialer import Dialer
from adapters.providers.transport.http1.request import Prepared, prepare
from adapters.providers.transport.port import Answer, Endpoint


@attrs.define
class DirectTransport:
    """Must be used in one running event loop. Certificates are always verified."""

    _connect_s: float
    _tls: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    """In place of the default context; one that does not verify is a ValueError."""
    _client: HTTP1Client = attrs.field(init=False, repr=False)
    _prepared: dict[Endpoint, Prepared] = attrs.field(init=False, factory=dict, repr=False)

    @_client.default
    def _new_client(self) -> HTTP1Client:
        return HTTP1Client(dialer=Dialer(connect_s=self._connect_s, tls=self._tls))

    def send(self, endpoint: Endpoint, body: bytes) -> Coroutine[Any, Any, Answer]:
        # No coroutine of its own, nor is the client's: each one that is waited through costs a chat something.
        prepared = self._prepared.get(endpoint)
        if prepared is None:
            prepared = self._prepared[endpoint] = prepare(endpoint.method, endpoint.url, endpoint.headers)
        return self._client.send(prepared, body)

    async def send_once(
        self, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> Answer:
        """As `send`, for a request that is made up anew each time, as SDKs do."""
        return await self._client.send(prepare(method, url, headers), body)

    async def aclose(self) -> None:
        await self._client.aclose()
