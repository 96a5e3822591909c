"""Usage as providers report it, byte by byte from the wire to dollars: `tests/data/usage/*.json`."""

import asyncio
import datetime
import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapters.in_memory.token_meter import WordMeter
from adapters.prices.genai_price_book import GenaiPriceBook
from adapters.providers.anthropic.wire import AnthropicCodec
from adapters.providers.openai.wire import OpenAICodec
from application.services.accounting import Accounting, Bill
from application.services.transcript import Transcript
from domain.chat import ChatRequest, ProviderEvent
from domain.message import Message
from domain.model import ModelRef, ModelSpec
from domain.usage import Usage
from entrypoints.resources import resource

DATA = Path(__file__).parents[1] / "data" / "usage"
VENDORS = ("openai", "anthropic")


@cache
def _accounting() -> Accounting:
    vendors = {vendor: vendor for vendor in VENDORS}
    return Accounting(
        prices=GenaiPriceBook(vendors=vendors, snapshot_path=resource("config/prices.json")),
        meter=WordMeter(),
    )


def _read() -> Iterator[Any]:
    for vendor in VENDORS:
        document = json.loads((DATA / f"{vendor}.json").read_text())
        for case in document["cases"]:
            yield pytest.param(vendor, {"at": document["at"], **case}, id=f"{vendor}: {case['name']}")


CASES = list(_read())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("vendor", "case"), CASES)
def test_usage_costs_what_the_vendor_charges(vendor: str, case: dict[str, Any], stream: bool) -> None:
    """To the last digit, and the same whether it was streamed."""
    say = _ANSWERS[vendor, stream]

    bill = _bill(vendor, case, say(case))

    tokens = {
        "input": bill.usage.input_tokens,
        "output": bill.usage.output_tokens,
        "cached": bill.usage.cached_input_tokens,
        "written": bill.usage.cache_write_tokens,
        "reasoning": bill.usage.reasoning_tokens,
    }
    assert case["tokens"] == tokens
    assert not bill.usage.estimated
    assert bill.cost_usd == (None if case["cost_usd"] is None else Decimal(case["cost_usd"]))


_WRITTEN: dict[str, Any] = {
    "at": "2026-11-01T00:00:00+00:00",
    "model": "claude-opus-5-5",
    "stream": {
        "start": {
            "input_tokens": 10,
            "cache_read_input_tokens": 3000,
            "cache_creation_input_tokens": 2000,
            "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 1500},
            "output_tokens": 1,
        },
        "delta": {"output_tokens": 7},
    },
}


def test_a_cut_stream_keeps_what_was_told_of_its_prompt() -> None:
    """Only the answer is counted by lor3, whose one word is one token here: the reader of a connection that broke,
    or that its caller left, never asks for the end of the stream."""
    bill = _bill("anthropic", _WRITTEN, _anthropic_streamed(_WRITTEN, cut=3))

    assert bill.usage == Usage(
        input_tokens=5010, output_tokens=1, cached_input_tokens=3000, cache_write_tokens=2000, estimated=True
    )
    # 10 x 4 + 3000 x 0.2 + 500 x 5 + 1500 x 8 + 1 x 20
    assert bill.cost_usd == Decimal("0.01516")


@pytest.mark.parametrize("delta", [None, {}, {"output_tokens": None}])
def test_an_answer_that_is_not_counted_is_estimated(delta: Any) -> None:
    """`output_tokens` of message_start is no count of what was not yet written."""
    case = {**_WRITTEN, "stream": {**_WRITTEN["stream"], "delta": delta}}
    case["stream"]["start"] = {"input_tokens": 10, "output_tokens": 9}

    bill = _bill("anthropic", case, _anthropic_streamed(case))

    assert bill.usage == Usage(input_tokens=10, output_tokens=1, estimated=True)


@pytest.mark.parametrize(("vendor", "case"), CASES)
def test_the_reckoning_adds_up(vendor: str, case: dict[str, Any]) -> None:
    """Every token once, and what the case says it costs is what its parts do."""
    if case["cost_usd"] is None:
        assert "reckoning" not in case
        return
    parts = [(tokens, Decimal(rate)) for tokens, rate in case["reckoning"]]

    assert case["tokens"]["input"] + case["tokens"]["output"] == sum(tokens for tokens, _ in parts)
    assert Decimal(case["cost_usd"]) == (
        sum(tokens * rate for tokens, rate in parts) * Decimal(case.get("times", 1)) / 1_000_000
    )


def _bill(vendor: str, case: dict[str, Any], events: list[ProviderEvent]) -> Bill:
    transcript = Transcript()
    transcript.take(events)
    ref = ModelRef(vendor, case["model"])
    request = ChatRequest(messages=(Message.of("user", "Hi"),), model=ref)
    at = datetime.datetime.fromisoformat(case["at"])
    return asyncio.run(_accounting().bill(request, ModelSpec(ref=ref), transcript, at=at))


def _openai_whole(case: dict[str, Any]) -> list[ProviderEvent]:
    message = {"role": "assistant", "content": "Hello!", "refusal": None}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": case["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        **_tier(case),
        "usage": case["usage"],
    }
    return OpenAICodec().decode(json.dumps(answer).encode())


def _openai_streamed(case: dict[str, Any]) -> list[ProviderEvent]:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": case["model"],
        **_tier(case),
        "usage": None,
    }
    said = {"role": "assistant", "content": "Hello!"}
    frames = [
        {**chunk, "choices": [{"index": 0, "delta": said, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**chunk, "choices": [], "usage": case["usage"]},
    ]
    decoder = OpenAICodec().decoder()
    events = [event for frame in frames for event in decoder.feed(json.dumps(frame).encode())]
    return [*events, *decoder.feed(b"[DONE]"), *decoder.end()]


def _anthropic_whole(case: dict[str, Any]) -> list[ProviderEvent]:
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": case["model"],
        "content": [{"type": "text", "text": "Hello!"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": case["usage"],
    }
    return AnthropicCodec().decode(json.dumps(answer).encode())


def _anthropic_streamed(case: dict[str, Any], *, cut: int = 0) -> list[ProviderEvent]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": case["model"], "content": []}
    frames = [
        {"type": "message_start", "message": {**message, "usage": case["stream"]["start"]}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello!"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": case["stream"]["delta"],
        },
        {"type": "message_stop"},
    ]
    decoder = AnthropicCodec().decoder()
    read = frames[: len(frames) - cut]
    events = [event for frame in read for event in decoder.feed(json.dumps(frame).encode())]
    return events if cut else [*events, *decoder.end()]


def _tier(case: dict[str, Any]) -> dict[str, Any]:
    return {"service_tier": case["service_tier"]} if "service_tier" in case else {}


_ANSWERS = {
    ("openai", False): _openai_whole,
    ("openai", True): _openai_streamed,
    ("anthropic", False): _anthropic_whole,
    ("anthropic", True): _anthropic_streamed,
}
