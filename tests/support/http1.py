"""A lean HTTP/1.1 client in front of a test, and the event loops it must run on."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from adapters.providers.transport.http1.addresses import Addresses, Resolve
from adapters.providers.transport.http1.answer import HTTPAnswer
from adapters.providers.transport.http1.client import HTTP1Client
from adapters.providers.transport.http1.dialer import Dialer
from adapters.providers.transport.http1.request import prepare
from domain.errors import ProviderFailure
from tests.support.fault_upstream.certificates import Authority
from tests.support.waiting import HANGS_S

Scenario: TypeAlias = Coroutine[Any, Any, None]
Run: TypeAlias = Callable[[Scenario], None]


class Client:
    """The client under test, with requests made up on the way."""

    def __init__(
        self, *, authority: Authority | None = None, connect_s: float = 2.0, resolve: Resolve | None = None
    ) -> None:
        tls = None if authority is None else ssl.create_default_context(cadata=authority.pem)
        self.client = HTTP1Client(
            dialer=Dialer(connect_s=connect_s, tls=tls, addresses=Addresses(resolve=resolve))
        )

    async def send(self, url: str, body: bytes = b"{}") -> HTTPAnswer:
        return await self.client.send(prepare("POST", url + "/v1/chat", []), body)

    async def failure(self, url: str) -> ProviderFailure:
        try:
            await (await self.send(url)).read()
        except ProviderFailure as failure:
            return failure
        raise AssertionError("it went through")

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANGS_S):
        while not condition():  # noqa: ASYNC110 - the other side has no event for it
            await asyncio.sleep(0.005)


async def drain(answer: HTTPAnswer) -> None:
    while await answer.block():
        pass
