"""Rows 42 to 49: streams whose frames are odd, and what of them is the answer."""

import json
from typing import Any

import pytest

from application.ports.chat_provider import Timeouts
from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.server import FaultUpstream
from tests.support.fault_upstream.streams import CUT_ARGUMENTS, CUT_TEXT, MEGABYTE_TEXT, ODD_TEXT
from tests.support.fault_upstream.wire import HEALTHY_TEXT, Wire
from tests.support.gateway import HEALTHY_COST, Reply

PATIENT = Timeouts(connect_s=60.0, first_token_s=60.0, idle_s=60.0, content_idle_s=60.0, total_s=120.0)
"""A chat that waits for the end of a stream hangs for longer than a test lets it."""
WIRES = pytest.mark.parametrize("wire", ["openai", "anthropic"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
FALLBACK = "spare:ok-fallback"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@WIRES
@STREAMS
async def test_row_42_garbled_frame_is_skipped_where_the_rest_is_whole(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """The rule: what is no JSON is passed over; the answer is whole if its finish reason comes, else it was cut."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f42-whole", [FALLBACK], stream=stream)

        gate.assert_answered(reply, f"{wire}:f42-whole", cost=HEALTHY_COST)
    assert reply.body["output"] == CUT_TEXT
    assert reply.outcomes == ["ok"]


@WIRES
async def test_row_43_framing_changes_no_byte_of_the_text(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Every framing and every cut is tried in tests/wire/test_any_framing.py; here is the oddest, byte by byte."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f43-bytes", stream=True)

        gate.assert_answered(reply, f"{wire}:f43-bytes", cost=HEALTHY_COST)
    assert reply.text == ODD_TEXT


@WIRES
@STREAMS
async def test_row_44_line_of_a_megabyte_passes(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """No reader's line limit is in its way."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f44-megabyte", stream=stream)

        gate.assert_answered(reply, f"{wire}:f44-megabyte", cost=HEALTHY_COST)
    assert reply.body["output"] == MEGABYTE_TEXT, ODD_TEXT


@WIRES
async def test_row_44_line_above_eight_mebibytes_is_cut(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """With a fallback a reset; alone what was said before it is kept, and the code says why."""
    async with start() as gate:
        served = await gate.chat(f"{wire}:f44-huge", [FALLBACK], stream=True)
        gate.assert_answered(served, FALLBACK, cost=None, cut=1)
        assert served.outcomes == ["too_large", "ok"]

        alone = await gate.chat(f"{wire}:f44-huge", stream=True)
        gate.assert_cut(alone, 502, "upstream_too_large", text=CUT_TEXT, models=[f"{wire}:f44-huge"])


@WIRES
@STREAMS
async def test_row_45_nothing_is_dropped_because_it_was_said_before(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """Equal deltas are all text; a block that starts twice, and a delta of none, are passed over as in row 42."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f45-again", stream=stream)

        gate.assert_answered(reply, f"{wire}:f45-again", cost=HEALTHY_COST)
    assert reply.body["output"] == "haha end"


@WIRES
@pytest.mark.parametrize("name", ["f46-mark", "f46-finish"])
async def test_row_46_what_follows_the_end_is_ignored_and_the_upstream_closed(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str
) -> None:
    """A stream that goes on after its finish reason or its end mark costs nobody anything."""
    async with start(timeouts=PATIENT) as gate:
        reply = await gate.chat(f"{wire}:{name}", [FALLBACK], stream=True)

        gate.assert_answered(reply, f"{wire}:{name}", cost=HEALTHY_COST)
        await upstream.left(name)
    assert reply.text == HEALTHY_TEXT


@WIRES
@STREAMS
async def test_row_46_other_choices_are_ignored(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """`index: 1` was never asked for, nor a block of a kind that nobody knows; neither ends the answer."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f46-choice", [FALLBACK], stream=stream)

        gate.assert_answered(reply, f"{wire}:f46-choice", cost=HEALTHY_COST)
    assert reply.body["output"] == HEALTHY_TEXT


@WIRES
async def test_row_47_length_is_a_success_that_says_so(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """The model reached `max_tokens`: nobody else is asked."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f47-length", [FALLBACK], stream=True)

        gate.assert_answered(reply, f"{wire}:f47-length", cost=HEALTHY_COST)
        assert gate.rows("messages")[-1]["finish_reason"] == "length"
    assert reply.body["finish_reason"] == "length"


@WIRES
@pytest.mark.parametrize(("name", "finish"), [("f48-length", "length"), ("f48-garbled", "tool_calls")])
async def test_row_48_truncated_arguments_are_marked_and_never_repaired(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str, finish: str
) -> None:
    """Cut by the limit, or a piece of them lost on the way: shown as they came, `complete: false`."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:{name}", [FALLBACK], stream=True, tools=[WEATHER])

        gate.assert_answered(reply, f"{wire}:{name}", cost=HEALTHY_COST)
        stored = json.loads(gate.rows("messages")[-1]["content"])["tool_calls"]
    assert reply.body["finish_reason"] == finish
    assert reply.body["tool_calls"] == called(reply)
    assert [(call["complete"], call["function"]["arguments"]) for call in called(reply)] == [
        (False, CUT_ARGUMENTS)
    ]
    assert [(call["complete"], call["arguments"]) for call in stored] == [(False, CUT_ARGUMENTS)]


@WIRES
async def test_row_48_arguments_cut_with_the_connection_end_in_an_error(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Alone an error, the half call stored as what it is; with a fallback a reset voids it."""
    async with start() as gate:
        served = await gate.chat(f"{wire}:f48-cut", [FALLBACK], stream=True, tools=[WEATHER])
        gate.assert_answered(served, FALLBACK, cost=None, cut=1)
        assert served.body["tool_calls"] == []

        alone = await gate.chat(f"{wire}:f48-cut", stream=True, tools=[WEATHER])
        gate.assert_cut(alone, 502, "upstream_error", text="", models=[f"{wire}:f48-cut"])
        (call,) = json.loads(gate.rows("messages")[-1]["content"])["tool_calls"]
    assert called(alone) == []
    assert (call["name"], call["arguments"], call["complete"]) == ("weather", CUT_ARGUMENTS, False)


@WIRES
@STREAMS
async def test_row_49_last_usage_wins(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """Counts that come again and again are never summed; what the healthy stream says only once counts too."""
    async with start() as gate:
        for name in ("f49-growing", "ok"):
            reply = await gate.chat(f"{wire}:{name}", stream=stream)
            gate.assert_answered(reply, f"{wire}:{name}", cost=HEALTHY_COST)
            assert reply.body["usage"]["estimated"] is False


def called(reply: Reply) -> list[dict[str, Any]]:
    """The calls that a stream's own events told of."""
    return [data for event, data in reply.events if event == "tool_call"]
