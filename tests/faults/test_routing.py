"""Rows 52 to 54: what clients see of an outage, and which model gets the credit."""

import asyncio
import itertools
from decimal import Decimal

import pytest

from domain.routing.settings import BreakerPolicy, RoutingPolicy
from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.server import FaultUpstream
from tests.support.fault_upstream.wire import Wire
from tests.support.gateway import HEALTHY_COST, KEY_CANARIES

WIRES = pytest.mark.parametrize("wire", ["openai", "anthropic"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
SCALE = 20.0
"""Row 52's minute runs this many times faster: every number of the policy is divided by it."""


def other(wire: Wire, name: str) -> str:
    return f"anthropic:{name}" if wire == "openai" else f"openai:{name}"


@WIRES
async def test_row_52_outage_is_served_by_the_fallback_until_a_probe_succeeds(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """All 20 requests of an outage get answers, the sick model at most one probe in 5 s, and it is back within 30 s."""
    normal = RoutingPolicy()
    policy = RoutingPolicy(
        retry_base_s=normal.retry_base_s / SCALE,
        breaker=BreakerPolicy(
            failures=normal.breaker.failures,
            open_s=normal.breaker.open_s / SCALE,
            max_open_s=normal.breaker.max_open_s / SCALE,
        ),
    )
    primary, fallback = f"{wire}:f52-outage", other(wire, "ok-fallback")
    every_s, outage_s = 4 / SCALE, 60 / SCALE
    loop = asyncio.get_running_loop()
    async with start(routing=policy) as gate:
        began, healed_at, back_at = loop.time(), 0.0, 0.0
        for number in range(20):
            await asyncio.sleep(max(0.0, began + number * every_s - loop.time()))
            if not upstream.healthy and loop.time() - began >= outage_s:
                upstream.healthy, healed_at = True, loop.time()
            reply = await gate.chat(primary, [fallback])
            gate.assert_answered(reply, reply.body["model"], cost=HEALTHY_COST)
            if not upstream.healthy:
                assert reply.body["model"] == fallback
            elif reply.body["model"] == primary and not back_at:
                back_at = loop.time()

    # By the last request, 16 s of row 52's after it was healed.
    assert back_at, "the primary was never used again"
    sick = [attempt.at_s for attempt in upstream.seen("f52-outage") if attempt.at_s < healed_at]
    probes = sick[normal.breaker.failures - 1 :]  # the failure that opened the breaker, then the probes
    assert len(probes) > 1, "no probe went out during the outage"
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(probes)]
    assert min(gaps_s) >= normal.breaker.open_s / SCALE * 0.95


@WIRES
async def test_row_52_many_requests_at_once_send_one_probe(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """When an open breaker's time is over, one of ten concurrent requests probes; all are served."""
    policy = RoutingPolicy(retry_base_s=0.01, breaker=BreakerPolicy(open_s=0.3, max_open_s=5.0))
    primary, fallback = f"{wire}:f52-outage", other(wire, "ok-fallback")
    async with start(routing=policy) as gate:
        for _ in range(4):
            await gate.chat(primary, [fallback])
        failures = len(upstream.seen("f52-outage"))
        await asyncio.sleep(0.35)
        replies = await asyncio.gather(*(gate.chat(primary, [fallback]) for _ in range(10)))

        for reply in replies:
            gate.assert_answered(reply, fallback, cost=HEALTHY_COST)
    assert failures == policy.breaker.failures
    assert len(upstream.seen("f52-outage")) == failures + 1


@WIRES
@STREAMS
async def test_row_53_client_gets_the_class_of_the_primary(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """The primary is overloaded, the fallback says 400: a 502 that may be retried, with both in the row."""
    primary, fallback = f"{wire}:f05-overloaded", other(wire, "f12-400")
    async with start() as gate:
        reply = await gate.chat(primary, [fallback], stream=stream)

        gate.assert_failed(reply, 502, "upstream_error", attempts=3)
        outcomes = [(f"{row['provider']}:{row['model']}", row["outcome"]) for row in gate.rows("attempts")]
    assert reply.body["retryable"] is True
    assert [(primary, "overloaded"), (primary, "overloaded"), (fallback, "bad_request")] == outcomes[:3]


@WIRES
@STREAMS
async def test_row_53_reversed_the_primarys_400_stands(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """The primary says 400: no fallback is asked (row 12), so the client gets 400."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f12-400", [other(wire, "f05-overloaded")], stream=stream)

        gate.assert_failed(reply, 400, "invalid_request", attempts=1)
    assert upstream.seen("f05-overloaded") == []


@WIRES
@STREAMS
async def test_row_54_answer_and_row_name_the_model_that_served(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """Served by the fallback: its name is in answer, headers and row; the failed attempts cost 0."""
    primary, fallback = f"{wire}:f06-500", other(wire, "ok-fallback")
    async with start() as gate:
        reply = await gate.chat(primary, [fallback], stream=stream)

        gate.assert_answered(reply, fallback, cost=HEALTHY_COST)
        answer = gate.rows("messages")[-1]
        attempts = gate.rows("attempts")
    assert f"{answer['provider']}:{answer['model']}" == fallback
    assert [attempt["model"] for attempt in reply.body["attempts"]] == [primary, primary, fallback]
    assert [Decimal(0), Decimal(0), HEALTHY_COST] == [Decimal(row["cost_usd"]) for row in attempts[:3]]
    if not stream:
        assert reply.headers["x-lor3-model"] == fallback
        assert reply.headers["x-lor3-attempts"] == "3"
        assert reply.headers["x-lor3-fallbacks"] == "1"
        assert Decimal(reply.headers["x-lor3-cost-usd"]) == HEALTHY_COST


@WIRES
async def test_keys_reach_their_own_provider_only(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Falling back sends the fallback's key, never the primary's: each key is seen by one provider alone."""
    async with start() as gate:
        await gate.chat(f"{wire}:f06-500", [other(wire, "ok-fallback")])

    for attempt in upstream.attempts:
        own = KEY_CANARIES[attempt.wire]
        carried = [key for key in KEY_CANARIES.values() if key in str(attempt.headers)]
        assert carried in ([own], [KEY_CANARIES["spare"]])
