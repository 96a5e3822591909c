"""Who is at the other end of a connection, or of the trusted proxies before it."""

import ipaddress
from functools import lru_cache
from typing import Final, TypeAlias

from aiohttp import web

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN: Final = "unknown"
"""Of a connection that has no address, such as one through a Unix socket."""
_NETWORK_BITS: Final = 64
"""What a provider gives to one customer at least: whoever has an IPv6 address has 2^64 of them."""


def client_address(request: web.Request, trusted: tuple[str, ...]) -> str:
    """What the client is counted under: an IPv4 address, or an IPv6 network of 64 bits.

    It is the connection's, unless that is a trusted proxy's: then it is the rightmost address of `X-Forwarded-For` that
    is none of a trusted proxy. What is left of that anybody may have written.

    Args:
        trusted: networks.
    """
    peer = request.remote
    if peer is None:
        return UNKNOWN
    if trusted:
        for hop in _hops(request):
            if not _is_trusted(peer, trusted):
                break
            if _parsed(hop) is None:
                break  # what a trusted proxy adds is an address; this can't be told from garbage
            peer = hop
    return counted_address(peer)


def _hops(request: web.Request) -> list[str]:
    """The nearest one first."""
    return [hop.strip() for hop in ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")][::-1]


@lru_cache(maxsize=4096)
def counted_address(text: str) -> str:
    """What the client at a connection's other end is counted under where there is no proxy."""
    address = _parsed(text)
    if address is None:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address), _NETWORK_BITS), strict=False))
    return str(address)


@lru_cache(maxsize=1024)
def _is_trusted(text: str, trusted: tuple[str, ...]) -> bool:
    address = _parsed(text)
    return address is not None and any(address in network for network in _networks(trusted))


@lru_cache(maxsize=8)
def _networks(trusted: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(each) for each in trusted)


def _parsed(text: str) -> _Address | None:
    """With or without a port, as proxies write it."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
