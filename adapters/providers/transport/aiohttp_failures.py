"""What aiohttp raises, as the failure kinds of the domain."""

import asyncio
import ssl

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

from domain.errors import ProviderFailure


def failure_of(exc: Exception, *, reused: bool = False) -> ProviderFailure:
    """Translates whatever a call raised; `reused` says that its connection came from the pool.

    The messages of aiohttp hold hosts and bytes of the answer, so none gets in.
    """
    if isinstance(exc, ProviderFailure):
        return exc
    if isinstance(
        exc, (aiohttp.ClientSSLError, ssl.SSLError, ssl.CertificateError, aiohttp.ServerFingerprintMismatch)
    ):
        return ProviderFailure(
            "tls",
            "the provider's TLS certificate or handshake is not valid; check base_url and the CA certificates",
        )
    if isinstance(exc, asyncio.TimeoutError):
        # The only limit here is the connect limit. Another try would most likely wait it out again.
        return ProviderFailure(
            "connect",
            "no connection to the provider in time; check base_url, DNS and the network",
            should_retry=False,
        )
    if isinstance(exc, aiohttp.ClientConnectorError):
        return ProviderFailure(
            "connect", "no connection to the provider; check base_url, DNS and the network"
        )
    if isinstance(exc, aiohttp.ClientPayloadError):
        if isinstance(exc.__cause__, ContentEncodingError):
            return ProviderFailure("bad_body", "the provider's answer does not decompress")
        return ProviderFailure("connection_lost", "the provider's answer was cut short")
    if isinstance(exc, (aiohttp.ClientResponseError, HttpProcessingError)):
        return ProviderFailure("bad_body", "the provider's answer is not valid HTTP")
    # Disconnects, resets, writes to a closed transport and a closed session are left; anything unforeseen is
    # taken as the same, since the port promises that nothing but a ProviderFailure comes out.
    return ProviderFailure(
        "connection_lost",
        "the connection to the provider was lost before it answered",
        stale_connection=reused and _before_a_byte(exc),
    )


def _before_a_byte(exc: Exception) -> bool:
    if isinstance(exc, aiohttp.ServerDisconnectedError):
        # aiohttp puts a partly read head here in place of a text.
        return isinstance(exc.message, str)
    return isinstance(exc, (aiohttp.ClientOSError, ConnectionError))
