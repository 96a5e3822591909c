"""Rows 25 to 33: what lor3 does with a 200 whose body is no good."""

import asyncio
import json
import resource
from pathlib import Path

import pytest

from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.bodies import TOOL_ARGUMENTS
from tests.support.fault_upstream.server import FaultUpstream
from tests.support.fault_upstream.wire import HEALTHY_TEXT, INPUT_TOKENS, OUTPUT_TOKENS, Wire
from tests.support.gateway import HEALTHY_COST

WIRES = pytest.mark.parametrize("wire", ["openai", "anthropic"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
FALLBACK = "spare:ok-fallback"
MEBIBYTE = 1024 * 1024


def resident_bytes() -> int:
    """This process's memory now (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@WIRES
@STREAMS
@pytest.mark.parametrize(
    ("name", "codes"),
    [
        pytest.param("f25-short", ("upstream_error",), id="row_25_short"),
        pytest.param("f25-no-terminator", ("upstream_error",), id="row_25_no_terminator"),
        pytest.param("f26-half", ("upstream_error", "bad_upstream_body"), id="row_26_half"),
        pytest.param("f27-empty", ("bad_upstream_body",), id="row_27_empty"),
        pytest.param("f27-204", ("bad_upstream_body",), id="row_27_204"),
        pytest.param("f27-html", ("bad_upstream_body",), id="row_27_html"),
        pytest.param("f27-null", ("bad_upstream_body",), id="row_27_null"),
        pytest.param("f27-list", ("bad_upstream_body",), id="row_27_list"),
        pytest.param("f27-deep", ("bad_upstream_body",), id="row_27_deep"),
        pytest.param("f28-error", ("upstream_error",), id="row_28_error"),
    ],
)
async def test_rows_25_to_28_bad_body_is_never_an_answer(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool, name: str, codes: tuple[str, ...]
) -> None:
    """One retry where it passes; the fallback where it lasts; alone a 502, never a partial 200."""
    if stream and name in ("f25-short", "f25-no-terminator", "f26-half"):
        codes = ("upstream_error", "bad_upstream_body")  # a body without an event in it may be either
    async with start() as gate:
        passing = await gate.chat(f"{wire}:{name}-once", [FALLBACK], stream=stream)
        gate.assert_answered(passing, f"{wire}:{name}-once", cost=HEALTHY_COST)
        assert len(upstream.seen(f"{name}-once")) == 2

        served = await gate.chat(f"{wire}:{name}", [FALLBACK], stream=stream)
        gate.assert_answered(served, FALLBACK, cost=HEALTHY_COST)
        assert len(upstream.seen(name)) == 2

        alone = await gate.chat(f"{wire}:{name}", stream=stream)
        assert alone.code in codes
        gate.assert_failed(alone, 502, alone.code, attempts=2)


@WIRES
@STREAMS
async def test_row_28_limit_inside_a_200_has_its_own_class(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """The error in the body decides, not the status in the head."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f28-limit", stream=stream)

        gate.assert_failed(reply, 503, "upstream_rate_limited", attempts=2)


@pytest.mark.parametrize("name", ["f29-no-choices", "f29-null-message"])
async def test_row_29_openai_without_a_message_is_no_answer(
    start: StartGateway, upstream: FaultUpstream, name: str
) -> None:
    """No choice, or no message in it: a retry, then the fallback; alone a 502."""
    async with start() as gate:
        served = await gate.chat(f"openai:{name}", [FALLBACK])
        gate.assert_answered(served, FALLBACK)
        assert len(upstream.seen(name)) == 2

        alone = await gate.chat(f"openai:{name}")
        gate.assert_failed(alone, 502, "bad_upstream_body", attempts=2)


async def test_row_29_anthropic_without_content_is_an_empty_answer(
    start: StartGateway, upstream: FaultUpstream
) -> None:
    """`content: []` with `end_turn` is what Claude says when there is nothing to add."""
    async with start() as gate:
        reply = await gate.chat("anthropic:f29-no-choices", [FALLBACK])

        gate.assert_answered(reply, "anthropic:f29-no-choices", cost=HEALTHY_COST)
    assert reply.body["output"] == ""
    assert reply.body["finish_reason"] == "stop"


@WIRES
async def test_row_30_tool_call_passes_and_the_unknown_is_tolerated(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A call without a text is passed on; fields and blocks of the future do no harm."""
    tool = {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f30-tools", [FALLBACK], tools=[tool])

        gate.assert_answered(reply, f"{wire}:f30-tools", cost=HEALTHY_COST)
    (call,) = reply.body["tool_calls"]
    assert call["id"] == "call_1"
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == json.loads(TOOL_ARGUMENTS)
    assert reply.body["finish_reason"] == "tool_calls"


@WIRES
@pytest.mark.parametrize(
    "name",
    [
        "f31-usage-missing",
        "f31-usage-is-null",
        "f31-usage-null",
        "f31-usage-string",
        "f31-usage-negative",
        "f31-usage-huge",
    ],
)
async def test_row_31_unusable_usage_is_estimated(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str
) -> None:
    """The answer stands; lor3 counts by itself, says so, and charges a small positive sum."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:{name}", [FALLBACK])

        gate.assert_answered(reply, f"{wire}:{name}", cost=None)
        usage = reply.body["usage"]
    assert reply.outcomes == ["ok"]
    assert usage["estimated"] is True
    assert 0 < usage["input_tokens"] < 100
    assert 0 < usage["output_tokens"] < 100
    assert 0 < float(reply.body["cost_usd"]) < 0.001


@WIRES
async def test_row_31_explicit_zero_stays_zero(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A provider that says 0 is believed."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f31-usage-zero")

        gate.assert_answered(reply, f"{wire}:f31-usage-zero", cost=0 * HEALTHY_COST)
    usage = reply.body["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["estimated"]) == (0, 0, False)


@WIRES
@pytest.mark.parametrize("name", ["f32-huge", "f32-gzip", "f32-stream"])
async def test_row_32_huge_body_is_cut_at_eight_mebibytes(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str
) -> None:
    """No retry; the fallback answers, alone it is 502 `upstream_too_large`; memory grows by less than 32 MB."""
    peak = 0

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, resident_bytes())
            await asyncio.sleep(0.002)

    async with start() as gate:
        await gate.chat(f"{wire}:ok")  # whatever is loaded at first use is loaded now
        await gate.chat(f"{wire}:{name}-once", [FALLBACK])  # and the bomb is made
        before = resident_bytes()
        watching = asyncio.create_task(watch())
        served = await gate.chat(f"{wire}:{name}", [FALLBACK])
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

        gate.assert_answered(served, FALLBACK)
        assert served.outcomes == ["too_large", "ok"]
        assert peak - before < 32 * MEBIBYTE

        alone = await gate.chat(f"{wire}:{name}")
        gate.assert_failed(alone, 502, "upstream_too_large", attempts=1)


@WIRES
@STREAMS
@pytest.mark.parametrize("name", ["f33-nul", "f33-surrogate", "f33-utf8"])
async def test_row_33_text_that_databases_refuse_is_mapped_once(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool, name: str
) -> None:
    """The answer is a 200 and stored; what the client sees is what the row holds, in clean Unicode."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:{name}", [FALLBACK], stream=stream)

        gate.assert_answered(reply, f"{wire}:{name}")
        stored = gate.rows("messages")[-1]["content"]
    output = reply.body["output"]
    assert output.startswith("before")
    assert "after" in output
    assert "\x00" not in output
    output.encode()  # a lone surrogate would raise
    assert output in json.dumps(json.loads(stored), ensure_ascii=False)
    if stream:
        deltas = [data["text"] for event, data in reply.events if event == "delta"]
        assert "".join(deltas) == output


@WIRES
async def test_healthy_answer_is_the_measure(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Without a fault all of this is plain: one attempt, the text, the provider's own usage."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:ok")

        gate.assert_answered(reply, f"{wire}:ok", cost=HEALTHY_COST)
    assert reply.body["output"] == HEALTHY_TEXT
    assert reply.body["usage"]["input_tokens"] == INPUT_TOKENS
    assert reply.body["usage"]["output_tokens"] == OUTPUT_TOKENS
    assert reply.body["usage"]["estimated"] is False
