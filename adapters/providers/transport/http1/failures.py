"""What goes wrong on an HTTP/1.1 connection, as the failure kinds of the domain.

No message holds a host, a header or a byte of an answer.
"""

import errno
import ssl

from domain.errors import ProviderFailure


class NotHTTP(Exception):
    """What came breaks the rules of HTTP/1.1. The message says which, without the bytes."""


class Undecodable(Exception):
    """The content coding of a body is unknown, broken or cut."""


def not_http() -> ProviderFailure:
    return ProviderFailure("bad_body", "the provider's answer is not valid HTTP")


def does_not_decompress() -> ProviderFailure:
    return ProviderFailure("bad_body", "the provider's answer does not decompress")


def cut_short() -> ProviderFailure:
    return ProviderFailure("connection_lost", "the provider's answer was cut short")


def lost_before_answer(*, stale: bool = False) -> ProviderFailure:
    """`stale`: a reused connection that died before a byte of the answer."""
    return ProviderFailure(
        "connection_lost",
        "the connection to the provider was lost before it answered",
        stale_connection=stale,
    )


def no_connection(exc: BaseException) -> ProviderFailure:
    """Translates what resolving, connecting or the TLS handshake raised."""
    if isinstance(exc, ProviderFailure):
        return exc
    if isinstance(exc, ssl.SSLError):  # an OSError too, so it comes first
        return ProviderFailure(
            "tls",
            "the provider's TLS certificate or handshake is not valid; check base_url and the CA certificates",
        )
    if _is_exhausted(exc):
        return ProviderFailure("exhausted", "this process has no file descriptor left for another connection")
    if isinstance(exc, TimeoutError):
        # Another try would most likely wait the limit out again.
        return ProviderFailure(
            "connect",
            "no connection to the provider in time; check base_url, DNS and the network",
            should_retry=False,
        )
    return ProviderFailure("connect", "no connection to the provider; check base_url, DNS and the network")


def _is_exhausted(exc: BaseException) -> bool:
    """Whether the machine's limit on open files was met. Several addresses failing come as one error whose cause
    says so, and uvloop wraps what `socket` raises."""
    seen: BaseException | None = exc
    for _ in range(8):
        if seen is None:
            return False
        if isinstance(seen, OSError) and seen.errno in (errno.EMFILE, errno.ENFILE):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def failure_of(exc: Exception) -> ProviderFailure:
    """Translates whatever a call raised: the port promises that nothing but a ProviderFailure comes out."""
    return exc if isinstance(exc, ProviderFailure) else lost_before_answer()
