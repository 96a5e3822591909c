"""Names, addresses, TCP and TLS, against real servers."""

import asyncio
import resource
import socket
import ssl
from typing import Any

import pytest

from adapters.providers.transport.http1.dialer import Dialer
from adapters.providers.transport.http1.pool import Pool
from adapters.providers.transport.http1.request import prepare
from domain.errors import ProviderFailure
from tests.support import wire_upstream as wire
from tests.support.fault_upstream.certificates import Authority, TLSFault
from tests.support.http1 import Client, Run, until


def test_ipv6(run: Run) -> None:
    """By address."""

    async def scenario() -> None:
        upstream = wire.WireUpstream(wire.answer(b"six"))
        server = await asyncio.start_server(upstream._serve, "::1", 0)
        async with Client() as client:
            url = f"http://[::1]:{server.sockets[0].getsockname()[1]}"

            assert b"six" == await (await client.send(url)).read()
            assert upstream.received[0].headers["host"].startswith("[::1]:")
        server.close()

    run(scenario())


def test_a_name_is_looked_up_once_for_many(run: Run) -> None:
    """Its addresses are tried until one answers, here the second."""
    asked: list[str] = []

    async def resolve(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        await asyncio.sleep(0.01)
        stream = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [
            (socket.AF_INET6, *stream, ("::1", port, 0, 0)),
            (socket.AF_INET, *stream, ("127.0.0.1", port)),
        ]

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(b"ok")) as upstream, Client(resolve=resolve) as client:
            url = upstream.url.replace("127.0.0.1", "model.internal")
            answers = await asyncio.gather(*(client.send(url) for _ in range(20)))

            assert [b"ok"] * 20 == [await answer.read() for answer in answers]
            assert ["model.internal"] == asked

    run(scenario())


def test_a_name_is_asked_again_once_its_addresses_fail(run: Run) -> None:
    """A service that moved is found without waiting for the memory of names to expire."""
    hosts = ["127.0.0.1", "127.0.0.9", "127.0.0.1"]

    async def resolve(_host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (hosts.pop(0), port))]

    async def scenario() -> None:
        closing = ("Connection", "close")
        async with (
            wire.wire_upstream(wire.answer(b"ok", closing)) as upstream,
            Client(resolve=resolve) as client,
        ):
            url = upstream.url.replace("127.0.0.1", "model.internal")
            for _ in range(2):
                assert b"ok" == await (await client.send(url)).read()
            assert 2 == len(hosts)
            client.client._dialer._addresses.forget("model.internal", upstream.port)
            assert "connect" == (await client.failure(url)).kind
            assert b"ok" == await (await client.send(url)).read()
            assert [] == hosts

    run(scenario())


def test_tls(run: Run) -> None:
    """With an authority that the test trusts: calls, streams, reuse, cuts; without, a refusal."""
    authority = Authority.make()

    async def scenario() -> None:
        server = authority.server_context("none")
        async with wire.wire_upstream(wire.answer(b"x" * 3_000_000), ssl=server) as upstream:
            url = upstream.url.replace("http:", "https:")
            async with Client(authority=authority) as client:
                for _ in range(3):
                    assert 3_000_000 == len(await (await client.send(url)).read())
                assert 1 == upstream.connections
                upstream.reply = wire.sse([b"a", b"b"], then="cut")
                answer = await client.send(url)
                with pytest.raises(ProviderFailure):
                    await answer.read()
                upstream.reply = wire.sse([b"a"], then="hang")
                answer = await client.send(url)
                assert b"a" == await answer.block()
                answer.close()
            await until(upstream.clients_are_gone)
            async with Client() as stranger:
                assert "tls" == (await stranger.failure(url)).kind

    run(scenario())


@pytest.mark.parametrize("fault", ["expired", "self_signed", "wrong_name"])
def test_certificates_with_a_fault_are_refused(run: Run, fault: TLSFault) -> None:
    """Though their authority is trusted; no request is sent."""
    authority = Authority.make()

    async def scenario() -> None:
        async with wire.wire_upstream(ssl=authority.server_context(fault)) as upstream:
            async with Client(authority=authority) as client:
                failure = await client.failure(upstream.url.replace("http:", "https:"))

                assert "tls" == failure.kind
                assert [] == upstream.received

    run(scenario())


def test_a_context_that_does_not_verify_is_refused() -> None:
    """There is no way to turn verification off."""
    context = ssl.create_default_context()
    context.check_hostname = False
    for mode in (ssl.CERT_REQUIRED, ssl.CERT_NONE):
        context.verify_mode = mode
        with pytest.raises(ValueError, match="verify"):
            Dialer(connect_s=1.0, tls=context)


def test_connecting_has_one_limit(run: Run) -> None:
    """A server that accepts and then says nothing in TLS; another try is not worth it."""

    async def scenario() -> None:
        async with wire.wire_upstream() as upstream, Client(connect_s=0.2) as client:
            failure = await client.failure(upstream.url.replace("http:", "https:"))

            assert ("connect", False) == (failure.kind, failure.should_retry)
            await until(upstream.clients_are_gone)

    run(scenario())


def test_small_requests_are_not_held_back(run: Run) -> None:
    """Nagle's algorithm would let a request wait for the acknowledgement of the one before."""

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(b"ok")) as upstream, Client() as client:
            request = prepare("POST", upstream.url, [])
            pool = Pool()
            connection = await client.client._dialer.connect(request.origin, pool)
            assert connection._transport is not None
            opened = connection._transport.get_extra_info("socket")

            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            await pool.aclose()

    run(scenario())


def test_refused_and_unknown_hosts(run: Run) -> None:
    """Both are connect failures that another try may heal."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def scenario() -> None:
        async with Client() as client:
            for url in (f"http://127.0.0.1:{port}", "http://no-such-host.invalid"):
                failure = await client.failure(url)
                assert ("connect", None) == (failure.kind, failure.should_retry)

    run(scenario())


def test_the_last_connection_used_is_the_first_used_again(run: Run) -> None:
    """So that those above what is needed grow old."""

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(b"ok")) as upstream, Client() as client:
            origin = prepare("POST", upstream.url, []).origin
            pool = Pool()
            first = await client.client._dialer.connect(origin, pool)
            second = await client.client._dialer.connect(origin, pool)
            for connection in (second, first):
                pool.freed(connection)

            assert [first, second, None] == [pool.take() for _ in range(3)]
            await pool.aclose()

    run(scenario())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_descriptor_left_is_this_processs_trouble(run: Run, host: str) -> None:
    """Not the provider's: another kind, and the names that are known stay known."""

    async def scenario() -> None:
        closing = wire.answer(b"{}", ("Connection", "close"))
        async with wire.wire_upstream(closing) as upstream, Client() as client:
            url = f"http://{host}:{upstream.port}"
            await (await client.send(url)).read()  # the name is looked up, and the connection is not kept
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
            try:
                failures = [await client.failure(url) for _ in range(3)]
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            await (await client.send(url)).read()

        assert ["exhausted"] * 3 == [failure.kind for failure in failures]

    run(scenario())
