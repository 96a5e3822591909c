"""An HTTP/1.1 client with just what a provider call needs.

No redirects, cookies, proxies, retries or limits on connections. See docs/adr/0013.
"""

from collections.abc import Coroutine
from typing import Any

import attrs

from adapters.providers.transport.http1.answer import HTTPAnswer
from adapters.providers.transport.http1.dialer import Dialer
from adapters.providers.transport.http1.failures import lost_before_answer
from adapters.providers.transport.http1.pool import Pool
from adapters.providers.transport.http1.request import Origin, Prepared


@attrs.define
class HTTP1Client:
    """Must be used in one running event loop."""

    _dialer: Dialer
    _pools: dict[Origin, Pool] = attrs.field(factory=dict, repr=False)
    _is_closed: bool = False

    def send(self, request: Prepared, body: bytes) -> Coroutine[Any, Any, HTTPAnswer]:
        """What is awaited returns once the head of the answer is there. It must be awaited at once.

        Raises:
            ProviderFailure: `connect`, `tls`, `exhausted`, `connection_lost` or `bad_body`.
        """
        if self._is_closed:
            raise lost_before_answer()
        pool = self._pools.get(request.origin)
        if pool is None:
            pool = self._pools[request.origin] = Pool()
        connection = pool.take()
        if connection is None:
            return self._send_on_new(pool, request, body)
        return connection.exchange(request.with_body(body))

    async def _send_on_new(self, pool: Pool, request: Prepared, body: bytes) -> HTTPAnswer:
        connection = await self._dialer.connect(request.origin, pool)
        return await connection.exchange(request.with_body(body))

    async def aclose(self) -> None:
        """Ends calls in flight with `connection_lost`."""
        self._is_closed = True
        for pool in self._pools.values():
            await pool.aclose()
        await self._dialer.aclose()
