"""Rows 36 to 41, 50, 51 and 55: streams that end, stall or never end after their first content."""

import asyncio
import resource
import time
from pathlib import Path

import attrs
import pytest

from application.ports.chat_provider import Timeouts
from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.server import FaultUpstream
from tests.support.fault_upstream.streams import CUT_TEXT
from tests.support.fault_upstream.wire import HEALTHY_TEXT, INPUT_TOKENS, Wire
from tests.support.gateway import HEALTHY_COST, PROMPT

WIRES = pytest.mark.parametrize("wire", ["openai", "anthropic"])
FALLBACK = "spare:ok-fallback"
MEBIBYTE = 1024 * 1024
QUICK = Timeouts(connect_s=1.0, first_token_s=20.0, idle_s=0.2, content_idle_s=0.4, total_s=120.0)
"""Silence is cut before a stream without content is, so that it shows which of the two it was."""
PATIENT = Timeouts(connect_s=60.0, first_token_s=60.0, idle_s=60.0, content_idle_s=60.0, total_s=120.0)
"""A chat that waits for the end of a stream hangs for longer than a test lets it."""

CUTS = [
    pytest.param("f36-error", "upstream_error", 502, 0.0, id="row_36_error_frame"),
    pytest.param("f37-cut", "upstream_error", 502, 0.0, id="row_37_no_terminator"),
    pytest.param("f37-reset", "upstream_error", 502, 0.0, id="row_37_reset"),
    pytest.param("f38-eof", "upstream_error", 502, 0.0, id="row_38_no_finish_reason"),
    pytest.param("f38-mark", "upstream_error", 502, 0.0, id="row_38_end_mark_alone"),
    pytest.param("f40-silence", "upstream_timeout", 504, QUICK.idle_s, id="row_40_silence"),
    pytest.param("f41-pings", "upstream_timeout", 504, QUICK.content_idle_s, id="row_41_pings"),
    pytest.param("f41-empty", "upstream_timeout", 504, QUICK.content_idle_s, id="row_41_empty_deltas"),
    pytest.param("f42-lost", "upstream_error", 502, 0.0, id="row_42_garbled_finish"),
    pytest.param("f51-limit", "upstream_rate_limited", 503, 0.0, id="row_51_limit"),
]


def resident_bytes() -> int:
    """This process's memory now (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@WIRES
@pytest.mark.parametrize(("name", "code", "status", "after_s"), CUTS)
async def test_rows_36_to_41_cut_stream_is_never_a_success(
    start: StartGateway,
    upstream: FaultUpstream,
    wire: Wire,
    name: str,
    code: str,
    status: int,
    after_s: float,
) -> None:
    """With a fallback a reset and its answer; alone an error, and what was said is stored and charged."""
    model = f"{wire}:{name}"
    async with start(timeouts=QUICK) as gate:
        served = await gate.chat(model, [FALLBACK], stream=True)
        gate.assert_answered(served, FALLBACK, cost=None, cut=1)
        assert served.names == ["start", "delta", "reset", "delta", "done"]
        (reset,) = [data for event, data in served.events if event == "reset"]
        assert (reset["from"], reset["to"], reset["reason"]) == (model, FALLBACK, served.outcomes[0])
        before = [data["text"] for event, data in served.events if event == "delta"]
        assert "".join(before) == CUT_TEXT + HEALTHY_TEXT
        assert served.text == HEALTHY_TEXT
        assert served.body["usage"]["estimated"] is True
        assert after_s * 0.9 <= served.elapsed_s

        alone = await gate.chat(model, stream=True)
        gate.assert_cut(alone, status, code, text=CUT_TEXT, models=[model])
        assert alone.names == ["start", "delta", "error"]
        if wire == "anthropic":  # it tells the prompt's tokens before the text
            assert gate.rows("messages")[-1]["input_tokens"] == INPUT_TOKENS
        assert after_s * 0.9 <= alone.elapsed_s
    assert len(upstream.seen(name)) == 2
    (asked,) = upstream.seen("ok-fallback")
    assert asked.body["messages"] == [{"role": "user", "content": PROMPT}]


@WIRES
async def test_row_36_refusal_inside_the_answer_is_a_cut_too(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A provider that blames the request after forty words: nobody else is asked, and the words are kept."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f36-filter", [FALLBACK], stream=True)

        gate.assert_cut(reply, 400, "invalid_request", text=CUT_TEXT, models=[f"{wire}:f36-filter"])
    assert upstream.seen("ok-fallback") == []


@WIRES
async def test_row_36_fallback_that_fails_too_leaves_what_was_said(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Cut and cut again: what came after the reset is what is stored; refused outright: what came before."""
    async with start() as gate:
        twice = await gate.chat(f"{wire}:f36-error", ["spare:f37-cut"], stream=True)
        gate.assert_cut(
            twice, 502, "upstream_error", text=CUT_TEXT, models=[f"{wire}:f36-error", "spare:f37-cut"]
        )
        assert twice.names == ["start", "delta", "reset", "delta", "error"]
        assert gate.rows("messages")[-1]["model"] == "f37-cut"

        refused = await gate.chat(f"{wire}:f36-error", ["spare:f10-403"], stream=True)
        gate.assert_cut(
            refused, 502, "upstream_error", text=CUT_TEXT, models=[f"{wire}:f36-error", "spare:f10-403"]
        )
        assert refused.names == ["start", "delta", "error"]
        assert gate.rows("messages")[-1]["model"] == "f36-error"


@WIRES
async def test_row_36_cut_streams_open_the_breaker(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A model that begins and never ends is as sick as one that refuses: after 5 it is passed over."""
    async with start() as gate:
        for _ in range(5):
            await gate.chat(f"{wire}:f37-cut", stream=True)
        reply = await gate.chat(f"{wire}:f37-cut", [FALLBACK], stream=True)

        gate.assert_answered(reply, FALLBACK, cost=HEALTHY_COST)
        assert reply.names == ["start", "delta", "done"]
    assert len(upstream.seen("f37-cut")) == 5


@WIRES
async def test_row_36_protocol_that_knows_no_reset_ends_with_the_error(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """What was shown there can't be made void: no other model is asked, and the words are kept."""
    async with start() as gate:
        *chunks, error, end = await gate.complete(f"{wire}:f36-error", [FALLBACK])
        assert error is not None
        assert (error["error"]["code"], end) == ("upstream_error", None)
        said = [choice for chunk in chunks if chunk is not None for choice in chunk["choices"]]
        assert "".join(choice["delta"].get("content") or "" for choice in said) == CUT_TEXT
        assert {choice["finish_reason"] for choice in said} == {None}
        gate.assert_partial(gate.rows("messages")[-1], text=CUT_TEXT)
    assert upstream.seen("ok-fallback") == []


@WIRES
async def test_row_36_whole_answer_that_is_fetched_as_a_stream_is_tried_again(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Nothing was shown: a retry, then the fallback, with no reset; what was said is charged. Alone it is a plain 502."""
    model = f"{wire}:f36-paced"
    async with start(timeouts=attrs.evolve(QUICK, first_token_s=1.05)) as gate:
        slow = await gate.chat(model)
        gate.assert_answered(slow, model)
        served = await gate.chat(model, [FALLBACK])
        gate.assert_answered(served, FALLBACK, cost=None, cut=2)
        assert served.outcomes[-3:] == [served.outcomes[0]] * 2 + ["ok"]
        assert served.body["output"] == HEALTHY_TEXT

        alone = await gate.chat(model)
        assert (alone.status, alone.code) == (502, "upstream_error")
        row = gate.rows("messages")[-1]
        assert (row["status"], row["usage_estimated"]) == ("failed", 1)
    assert [attempt.stream for attempt in upstream.seen("f36-paced")] == [False] + [True] * 4


@WIRES
@pytest.mark.parametrize("name", ["f39-open", "f39-pings", "f39-cut", "f39-error"])
async def test_row_39_finish_reason_makes_the_answer_whole(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str
) -> None:
    """Whatever comes after it, or never comes: success, and the provider's own counts."""
    async with start(timeouts=PATIENT) as gate:
        reply = await gate.chat(f"{wire}:{name}", [FALLBACK], stream=True)

        gate.assert_answered(reply, f"{wire}:{name}", cost=HEALTHY_COST)
        assert reply.outcomes == ["ok"]
    assert reply.text == HEALTHY_TEXT


@WIRES
@pytest.mark.parametrize(
    ("name", "outcome", "code"),
    [
        ("f50-text", "too_large", "upstream_too_large"),
        ("f50-comments", "too_large", "upstream_too_large"),
        ("f50-slow", "no_answer", "upstream_timeout"),
    ],
)
async def test_row_50_endless_stream_is_cut(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str, outcome: str, code: str
) -> None:
    """At its bytes or at its time, stored as far as it went; what it fills memory with is bounded."""
    peak = 0

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, resident_bytes())
            await asyncio.sleep(0.002)

    seconds = 0.6 if outcome == "no_answer" else 20.0
    async with start(timeouts=attrs.evolve(QUICK, content_idle_s=seconds, total_s=seconds)) as gate:
        await gate.chat(f"{wire}:ok", stream=True)  # whatever is loaded at first use is loaded now
        before = resident_bytes()
        watching = asyncio.create_task(watch())
        reply = await gate.chat(f"{wire}:{name}", stream=True)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

        assert reply.code == code
        gate.assert_cut(reply, reply.status, code, text=reply.text, models=[f"{wire}:{name}"])
        assert reply.text
        assert [row["outcome"] for row in gate.rows("attempts")][-1] == outcome
        # The client of this test keeps the answer twice, in the same process.
        assert peak - before < 32 * MEBIBYTE + 8 * len(reply.raw)


@WIRES
async def test_row_51_limit_without_a_fallback_costs_no_time(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """The error comes though the stream stays open, and nothing spins meanwhile."""
    async with start(timeouts=PATIENT) as gate:
        await gate.chat(f"{wire}:f51-limit", stream=True)  # the first estimate loads its tables
        began = time.process_time()
        replies = await asyncio.gather(*(gate.chat(f"{wire}:f51-limit", stream=True) for _ in range(4)))
        assert time.process_time() - began < 10.0
        for reply in replies:
            assert (reply.status, reply.code) == (503, "upstream_rate_limited")
    assert len(upstream.seen("f51-limit")) == 5


@WIRES
async def test_row_55_restart_never_sends_a_prefill(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """The fallback is asked what the first model was asked, from the beginning."""
    fallback = "anthropic:f55-prefill" if wire == "openai" else "openai:f55-prefill"
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f37-cut", [fallback], stream=True)

        gate.assert_answered(reply, fallback, cost=None, cut=1)
    assert reply.text == HEALTHY_TEXT
    first, second = upstream.seen("f37-cut")[0], upstream.seen("f55-prefill")[0]
    assert first.body["messages"] == second.body["messages"] == [{"role": "user", "content": PROMPT}]
