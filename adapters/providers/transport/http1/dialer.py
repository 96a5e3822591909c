"""Opens connections: names, addresses, TCP and TLS within one limit."""

import asyncio
import ssl
from typing import Final

import aiohappyeyeballs
import attrs

from adapters.providers.transport.http1.addresses import Addresses
from adapters.providers.transport.http1.connection import Connection, Home
from adapters.providers.transport.http1.failures import no_connection
from adapters.providers.transport.http1.request import Origin
from adapters.providers.transport.http1.tls import loaded_context

_NEXT_ADDRESS_AFTER_S: Final = 0.25
"""RFC 8305, section 5: the delay before the next address is tried beside the last."""


def _verifies(_instance: object, _attribute: object, context: ssl.SSLContext | None) -> None:
    if context is not None and (context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname):
        raise ValueError("this TLS context does not verify certificates; use ssl.create_default_context()")


@attrs.define
class Dialer:
    _connect_s: float
    _tls: ssl.SSLContext | None = attrs.field(default=None, validator=_verifies, repr=False)
    """In place of the default context, for tests with an authority of their own."""
    _addresses: Addresses = attrs.field(factory=Addresses, repr=False)

    async def connect(self, origin: Origin, home: Home) -> Connection:
        """A new connection, its handshake done.

        Raises:
            ProviderFailure: `connect`, `tls` or `exhausted`.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_s):
                addresses = await self._addresses.of(origin.host, origin.port)
                context = (self._tls or await loaded_context()) if origin.is_tls else None
                opened = await aiohappyeyeballs.start_connection(
                    addresses, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER_S, interleave=1
                )
                # Both event loops set TCP_NODELAY on it themselves.
                _, connection = await loop.create_connection(
                    lambda: Connection(home),
                    sock=opened,
                    ssl=context,
                    server_hostname=origin.host if origin.is_tls else None,
                )
        except Exception as exc:  # uvloop raises RuntimeErrors where asyncio raises OSErrors
            failure = no_connection(exc)
            if failure.kind != "exhausted":
                self._addresses.forget(origin.host, origin.port)
            raise failure from exc
        return connection

    async def aclose(self) -> None:
        await self._addresses.aclose()
