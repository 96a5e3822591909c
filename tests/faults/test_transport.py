"""Rows 18 to 24: what lor3 does when the connection itself fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from adapters.providers.transport.http1.tls import default_context
from application.ports.chat_provider import Timeouts
from domain.routing.settings import BreakerPolicy, RoutingPolicy
from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.certificates import Authority, TLSFault
from tests.support.fault_upstream.listeners import full_backlog, garbage_port, refused_port
from tests.support.fault_upstream.resolver import ABSENT_HOST, HANGING_HOST, broken_resolver
from tests.support.fault_upstream.server import FaultUpstream, fault_upstream
from tests.support.fault_upstream.wire import Wire

WIRES = pytest.mark.parametrize("wire", ["openai", "anthropic"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
FALLBACK = "spare:ok-fallback"
QUICK = Timeouts(connect_s=1.0, first_token_s=0.6, idle_s=60.0, total_s=120.0)
"""Of the limits only these two can end a silence before the test does."""


@attrs.define
class Ticks:
    """How often the event loop came to a task that wants to run every 10 ms."""

    count: int = 0


@asynccontextmanager
async def watched_loop() -> AsyncIterator[Ticks]:
    """Counts while the context is open."""
    ticks = Ticks()

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.01)
            ticks.count += 1

    ticking = asyncio.create_task(tick())
    try:
        yield ticks
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)


@WIRES
async def test_row_18_absent_host_falls_back(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A name that does not resolve is known at once; alone it is a 502."""
    with broken_resolver() as asked:
        async with start(broken=(wire, f"http://{ABSENT_HOST}:9/v1")) as gate:
            served = await gate.chat("broken:ok", [FALLBACK])
            gate.assert_answered(served, FALLBACK)
            alone = await gate.chat("broken:ok")
            gate.assert_failed(alone, 502, "upstream_error")
            gate.unseen = (len(served.outcomes) - 1) + 2
    assert asked


@WIRES
async def test_row_18_hanging_resolver_costs_the_connect_limit_once(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A look-up that never ends is cut at the connect limit, not tried again, and never blocks the loop."""
    with broken_resolver():
        async with start(
            broken=(wire, f"http://{HANGING_HOST}:9/v1"), timeouts=attrs.evolve(QUICK, first_token_s=60.0)
        ) as gate:
            async with watched_loop() as ticks:
                replies = await asyncio.gather(*(gate.chat("broken:ok", [FALLBACK]) for _ in range(4)))
            for reply in replies:
                gate.assert_answered(reply, FALLBACK)
                assert reply.outcomes == ["connect", "ok"]
            gate.unseen = len(replies)
    assert ticks.count >= 5


@WIRES
async def test_row_19_refused_connection_is_retried_then_falls_back(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """One retry, then the fallback; alone it is a 502."""
    with refused_port() as port:
        async with start(broken=(wire, f"http://127.0.0.1:{port}")) as gate:
            served = await gate.chat("broken:ok", [FALLBACK])
            gate.assert_answered(served, FALLBACK)
            assert served.outcomes == ["connect", "connect", "ok"]

            alone = await gate.chat("broken:ok")
            gate.assert_failed(alone, 502, "upstream_error", attempts=2)
            gate.unseen = 4


@WIRES
async def test_row_19_breaker_opens_after_five_failures(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """The sixth call is not made: the fallback answers at once, and the row says why."""
    with refused_port() as port:
        async with start(
            broken=(wire, f"http://127.0.0.1:{port}"), routing=RoutingPolicy(retry_base_s=0.01)
        ) as gate:
            replies = [await gate.chat("broken:ok", [FALLBACK]) for _ in range(5)]
            for reply in replies:
                gate.assert_answered(reply, FALLBACK)
            gate.unseen = 5
            assert [len(reply.outcomes) for reply in replies] == [3, 3, 2, 1, 1]
            outcomes = [row["outcome"] for row in gate.rows("attempts")]
    assert outcomes.count("connect") == 5
    assert outcomes.count("skipped_breaker_open") == 2


@WIRES
async def test_row_19_full_backlog_costs_the_connect_limit_once(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A route that timed out is not retried: the fallback answers after one connect limit."""
    with full_backlog() as port:
        async with start(
            broken=(wire, f"http://127.0.0.1:{port}"), timeouts=attrs.evolve(QUICK, first_token_s=60.0)
        ) as gate:
            reply = await gate.chat("broken:ok", [FALLBACK])
            gate.assert_answered(reply, FALLBACK)
            gate.unseen = 1
    assert reply.outcomes == ["connect", "ok"]


@pytest.fixture(scope="module")
def authority() -> Authority:
    """An authority that this process trusts, so that each certificate has no fault but its own."""
    made = Authority.make()
    default_context().load_verify_locations(cadata=made.pem)
    return made


@WIRES
async def test_row_20_good_certificate_is_accepted(
    start: StartGateway, upstream: FaultUpstream, authority: Authority, wire: Wire
) -> None:
    """Without a fault the call goes through, so the refusals below have no other reason."""
    async with (
        fault_upstream(authority.server_context("none")) as secure,
        start(broken=(wire, secure.url(wire))) as gate,
    ):
        reply = await gate.chat("broken:ok")
        gate.assert_answered(reply, "broken:ok")
        gate.unseen = len(secure.attempts)
    assert len(secure.attempts) == 1


@WIRES
@STREAMS
@pytest.mark.parametrize("fault", ["expired", "self_signed", "wrong_name"])
async def test_row_20_bad_certificate_is_refused(
    start: StartGateway,
    upstream: FaultUpstream,
    authority: Authority,
    wire: Wire,
    stream: bool,
    fault: TLSFault,
) -> None:
    """No retry, no request sent; the fallback answers, alone it is 502 `upstream_tls`."""
    async with (
        fault_upstream(authority.server_context(fault)) as secure,
        start(broken=(wire, secure.url(wire))) as gate,
    ):
        served = await gate.chat("broken:ok", [FALLBACK], stream=stream)
        gate.assert_answered(served, FALLBACK)
        assert served.outcomes == ["tls", "ok"]

        alone = await gate.chat("broken:ok", stream=stream)
        gate.assert_failed(alone, 502, "upstream_tls", attempts=1)
        gate.unseen = 2
    assert secure.attempts == []


@WIRES
async def test_row_20_garbage_in_place_of_tls_is_refused(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Bytes of no protocol: no retry, the fallback answers, alone it is 502 `upstream_tls`."""
    async with garbage_port() as port, start(broken=(wire, f"https://127.0.0.1:{port}")) as gate:
        served = await gate.chat("broken:ok", [FALLBACK])
        gate.assert_answered(served, FALLBACK)
        assert served.outcomes == ["tls", "ok"]

        alone = await gate.chat("broken:ok")
        gate.assert_failed(alone, 502, "upstream_tls", attempts=1)
        gate.unseen = 2


@WIRES
@STREAMS
async def test_row_21_reset_before_headers_is_retried(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """One retry, and the same model answers; a lasting reset is a 502 after two attempts."""
    async with start() as gate:
        passing = await gate.chat(f"{wire}:f21-reset-once", [FALLBACK], stream=stream)
        gate.assert_answered(passing, f"{wire}:f21-reset-once")
        assert passing.outcomes == ["connection_lost", "ok"]
    assert len(upstream.seen("f21-reset-once")) == 2
    assert upstream.seen("ok-fallback") == []


@WIRES
async def test_row_21_lasting_reset_is_a_502(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Two attempts on new connections, then the error of a transport."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f21-reset")
        gate.assert_failed(reply, 502, "upstream_error", attempts=2)


@WIRES
@STREAMS
@pytest.mark.parametrize("name", ["f22-stale", "f22-stale-reset"])
async def test_row_22_stale_pooled_connection_is_retried_silently(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool, name: str
) -> None:
    """The request goes out again on a new connection; the answer shows one attempt, and no retry is spent."""
    async with start(routing=RoutingPolicy(retries=0, max_attempts=1)) as gate:
        warm = await gate.chat(f"{wire}:ok")
        gate.assert_answered(warm, f"{wire}:ok")
        reply = await gate.chat(f"{wire}:{name}", stream=stream)
        gate.assert_answered(reply, f"{wire}:{name}")
        assert reply.outcomes == ["ok"]
        gate.unseen = -1  # the silent one reached the upstream and is not counted
    assert [attempt.reused for attempt in upstream.seen(name)] == [True, False]


@WIRES
@STREAMS
async def test_row_23_silence_is_cut_at_the_first_token_limit(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """One attempt, cut at the limit; the fallback answers, alone it is a 504."""
    async with start(timeouts=QUICK) as gate:
        served = await gate.chat(f"{wire}:f23-silence", [FALLBACK], stream=stream)
        gate.assert_answered(served, FALLBACK)
        assert served.outcomes == ["no_answer", "ok"]
        assert QUICK.first_token_s * 0.9 <= served.elapsed_s

        alone = await gate.chat(f"{wire}:f23-silence", stream=stream)
        gate.assert_failed(alone, 504, "upstream_timeout", attempts=1)
    assert len(upstream.seen("f23-silence")) == 2


@WIRES
async def test_row_24_trickled_headers_are_cut_at_the_first_token_limit(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A byte a second keeps a connection alive, but not beyond the limit."""
    async with start(timeouts=QUICK) as gate:
        reply = await gate.chat(f"{wire}:f24-trickle", [FALLBACK])
        gate.assert_answered(reply, FALLBACK)
    assert reply.outcomes == ["no_answer", "ok"]


@WIRES
@STREAMS
@pytest.mark.parametrize("name", ["f24-big-header", "f24-endless-headers", "f24-status-line", "f24-not-http"])
async def test_row_24_head_that_is_no_http_falls_back(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool, name: str
) -> None:
    """An oversized, endless or garbled head is an error of that provider; the fallback answers."""
    async with start(timeouts=attrs.evolve(QUICK, first_token_s=20.0)) as gate:
        reply = await gate.chat(f"{wire}:{name}", [FALLBACK], stream=stream)
        gate.assert_answered(reply, FALLBACK)
    assert len(upstream.seen(name)) <= 2


@WIRES
async def test_row_24_two_hundred_headers_are_answered_whole(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Many headers either pass or fall back; the client gets one whole answer."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f24-many-headers", [FALLBACK])
        assert reply.status == 200
        gate.assert_answered(reply, reply.body["model"])
    assert len(reply.outcomes) <= 3


@WIRES
@STREAMS
async def test_row_24_interim_statuses_are_skipped(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """100 and 103 come first; the answer after them is the answer."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f24-interim", [FALLBACK], stream=stream)
        gate.assert_answered(reply, f"{wire}:f24-interim")
    assert reply.outcomes == ["ok"]


def test_rows_18_19_23_defaults_are_the_promised_limits() -> None:
    """Connect 3 s, first token 10 s, idle 15 s; a breaker opens after 5; at most 3 attempts, 1 retry."""
    limits, policy = Timeouts(), RoutingPolicy()

    assert (limits.connect_s, limits.first_token_s, limits.idle_s) == (3.0, 10.0, 15.0)
    assert (policy.max_attempts, policy.retries, policy.retry_ratio) == (3, 1, 0.2)
    assert (policy.max_retry_after_s, policy.max_cooldown_s, policy.quota_cooldown_s) == (30.0, 60.0, 300.0)
    assert policy.breaker == BreakerPolicy(failures=5, open_s=5.0, max_open_s=20.0)
