"""Names to addresses, remembered for a minute."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import attrs
from aiohappyeyeballs import AddrInfoType

TTL_S: Final = 60.0

Resolve: TypeAlias = Callable[..., Awaitable[Sequence[AddrInfoType]]]
"""As `loop.getaddrinfo`."""


@attrs.define
class _Known:
    addresses: list[AddrInfoType]
    until_s: float


@attrs.define
class Addresses:
    """One client's memory of names. Failed look-ups are not remembered.

    All callers who wait for one name share one look-up: the threads of the resolver are few, and one that hangs
    holds its thread until the system gives up.
    """

    _resolve: Resolve | None = None
    """In place of the event loop's own resolver."""
    _known: dict[tuple[str, int], _Known] = attrs.field(factory=dict)
    _under_way: "dict[tuple[str, int], asyncio.Task[list[AddrInfoType]]]" = attrs.field(factory=dict)

    async def of(self, host: str, port: int) -> list[AddrInfoType]:
        """The addresses to try in this order; the first one moves on from call to call, to spread connections.

        Raises:
            OSError: the name does not resolve.
        """
        if _is_literal(host):
            return list(
                socket.getaddrinfo(
                    host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST
                )
            )
        key = host, port
        loop = asyncio.get_running_loop()
        known = self._known.get(key)
        if known is None or known.until_s <= loop.time():
            look_up = self._under_way.get(key)
            if look_up is None:
                look_up = self._under_way[key] = loop.create_task(self._look_up(host, port))
            # Shielded, since others may wait for the same look-up.
            known = _Known(list(await asyncio.shield(look_up)), loop.time() + TTL_S)
            self._known[key] = known
        addresses = list(known.addresses)
        known.addresses.append(known.addresses.pop(0))
        return addresses

    def forget(self, host: str, port: int) -> None:
        """Connecting failed: the service may have moved, so the next call asks anew."""
        self._known.pop((host, port), None)

    async def _look_up(self, host: str, port: int) -> list[AddrInfoType]:
        try:
            resolve = self._resolve or asyncio.get_running_loop().getaddrinfo
            found = await resolve(
                host,
                port,
                type=socket.SOCK_STREAM,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_ADDRCONFIG,  # no IPv6 addresses where this machine has no IPv6
            )
        finally:
            del self._under_way[host, port]
        if not found:
            raise OSError("the name has no address")
        return list(found)

    async def aclose(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
