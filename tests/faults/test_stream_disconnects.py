"""Rows 56 and 57: clients that leave a stream, before its first token and in its middle."""

import asyncio
from decimal import Decimal

import pytest

from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.server import FaultUpstream
from tests.support.fault_upstream.streams import CUT_TEXT
from tests.support.fault_upstream.wire import HEALTHY_TEXT, INPUT_TOKENS, OUTPUT_TOKENS, Wire
from tests.support.gateway import HEALTHY_COST

WIRES = pytest.mark.parametrize("wire", ["openai", "anthropic"])
FALLBACK = "spare:ok-fallback"


@WIRES
@pytest.mark.parametrize(
    ("name", "stream"), [("f56-silence", True), ("f56-silence", False), ("f34-pings", True)]
)
async def test_row_56_leaving_before_the_first_token_cancels_the_upstream(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str, stream: bool
) -> None:
    """With `on_disconnect: cancel` the upstream is closed within a second, the row says so and costs nothing."""
    loop = asyncio.get_running_loop()
    async with start() as gate:
        async with gate.listening(f"{wire}:{name}", [FALLBACK], on_disconnect="cancel", stream=stream):
            await upstream.asked(name)
            left = loop.time()
        assert await upstream.left(name) - left < 1.0
        row = await gate.settled("cancelled")
        assert row["error_code"] is None
        assert Decimal(row["cost_usd"]) == 0
        assert [attempt["outcome"] for attempt in gate.rows("attempts")] == ["cancelled"]
        assert len(upstream.attempts) == 1


@WIRES
@pytest.mark.parametrize("name", ["f57-words", "f57-usage"])
async def test_row_57_answer_that_is_left_is_finished_and_stored(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str
) -> None:
    """By default: drained in a task that the server knows of, then stored with the provider's own counts."""
    async with start() as gate:
        async with gate.listening(f"{wire}:{name}", [FALLBACK], until=b"Hello"):
            pass
        row = await gate.settled("complete")
        assert gate.stored_text(row) == HEALTHY_TEXT
        assert (row["input_tokens"], row["output_tokens"]) == (INPUT_TOKENS, OUTPUT_TOKENS)
        assert (row["usage_estimated"], Decimal(row["cost_usd"])) == (0, HEALTHY_COST)


@WIRES
@pytest.mark.parametrize(
    ("name", "until", "text"),
    [("f40-silence", b"word-39", CUT_TEXT), ("f57-usage", b"upstream.", HEALTHY_TEXT)],
    ids=["in its middle", "just before the usage"],
)
async def test_row_57_answer_that_is_cancelled_is_charged(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str, until: bytes, text: str
) -> None:
    """With `on_disconnect: cancel`: the upstream is closed, what was said is stored, and charged by our own count."""
    loop = asyncio.get_running_loop()
    async with start() as gate:
        async with gate.listening(f"{wire}:{name}", [FALLBACK], until=until, on_disconnect="cancel"):
            left = loop.time()
        assert await upstream.left(name) - left < 1.0
        gate.assert_partial(await gate.settled("incomplete"), text=text)
        assert upstream.seen("ok-fallback") == []


@WIRES
async def test_row_57_upstream_that_stalls_after_the_reader_left_is_cut(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Draining has the same limits as an answer that is read; nobody is left to see the reset."""
    async with start() as gate:
        async with gate.listening(f"{wire}:f36-error", [FALLBACK], until=b"Hello"):
            pass
        row = await gate.settled("complete")
        assert (f"{row['provider']}:{row['model']}", gate.stored_text(row)) == (FALLBACK, HEALTHY_TEXT)
