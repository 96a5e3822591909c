"""Traces and metrics at a collector that speaks OTLP, through the SDK's own exporters."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
from aiohttp import web

from adapters.telemetry.otlp import OTLPTelemetry
from domain.model import ModelRef
from domain.secret import Secret
from domain.telemetry import AttemptEnded, ChatRefused, FallbackTaken, RequestServed
from entrypoints.bootstrap import running
from entrypoints.configuration.load import load_settings
from entrypoints.http.app import create_app
from entrypoints.http.runner import Runner
from entrypoints.settings import OTLPSettings, TelemetrySettings
from tests.support.otlp_collector import collector
from tests.support.servers import free_port
from tests.support.sqlite_files import put_migrated
from tests.support.waiting import HANGS_S

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ASKED = {"messages": [{"role": "user", "content": "I am a.b@c.example"}]}


@asynccontextmanager
async def _lor3(folder: Path, endpoint: str, **changes: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """With the demo, exporting to `endpoint`; all is exported once this is left."""
    put_migrated(folder / "lor3.db")
    settings = load_settings(config_path=None, environ={}, cwd=folder)
    settings = attrs.evolve(
        settings,
        database=attrs.evolve(settings.database, url=Secret(f"sqlite:///{folder / 'lor3.db'}")),
        telemetry=TelemetrySettings(otlp=OTLPSettings(endpoint=endpoint, **changes)),
    )
    async with running(settings) as application:
        runner = Runner(create_app(application))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
                yield client
        finally:
            await runner.cleanup()


async def test_a_chat_is_one_trace_under_its_caller(tmp_path: Path) -> None:
    """The server span, the chat, each pass, the attempt and the commit, with the conventions' attributes; whole and
    streamed alike."""
    async with collector() as received:
        secret = {"x-team": Secret("CANARY-header")}
        async with _lor3(tmp_path, f"{received.url}/", headers=secret) as client:
            caller = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "req-1"}
            async with client.post("/chat", json=ASKED, headers=caller) as response:
                answer = await response.json()
            async with client.post("/chat", json={**ASKED, "stream": True}) as response:
                await response.read()
            async with client.get("/healthz"):
                pass
        ours = [span for span in received.spans if span.trace_id == TRACE]
        streamed = [span for span in received.spans if span.trace_id != TRACE]
        by_name = {span.name: span for span in ours}
        server, chat, attempt = by_name["POST /chat"], by_name["chat"], by_name["chat demo"]

        assert (server.kind, server.parent_id) == ("SERVER", PARENT)
        assert server.attributes["http.response.status_code"] == 200
        assert server.attributes["lor3.request_id"] == "req-1"
        assert chat.parent_id == server.span_id
        assert {span.name for span in ours if span.parent_id == chat.span_id} == {
            "pass system-prompt", "pass memory-lane", "pass format-enforcement", "pass token-budget-check", "pass model-limits", "chat demo", "commit",
        }  # fmt: skip
        assert attempt.kind == "CLIENT"
        assert attempt.attributes["gen_ai.operation.name"] == "chat"
        assert attempt.attributes["gen_ai.provider.name"] == "demo"
        assert attempt.attributes["gen_ai.request.model"] == "demo"
        assert attempt.attributes["gen_ai.response.finish_reasons"] == ["stop"]
        assert chat.attributes["gen_ai.conversation.id"] == answer["thread_id"]
        assert chat.attributes["gen_ai.usage.input_tokens"] == answer["usage"]["input_tokens"]
        assert all(server.start_ns - 5_000_000 <= span.start_ns <= span.end_ns for span in ours)
        assert len({span.trace_id for span in streamed}) == 1
        assert {span.name for span in streamed} == {span.name for span in ours}
        assert [span.name for span in streamed if not span.parent_id] == ["POST /chat"]
        assert received.resources[0]["service.name"] == "lor3"
        assert received.headers[0]["x-team"] == "CANARY-header"
        unit, points = received.metrics["gen_ai.client.operation.duration"]
        assert (unit, sum(count for _, count, _ in points)) == ("s", 2)
        assert "gen_ai.client.token.usage" in received.metrics
        assert not any(b"a.b@c.example" in body or b"CANARY" in body for body in received.bodies)
        assert not any("gen_ai.input.messages" in span.attributes for span in received.spans)


async def test_contents_come_redacted_where_they_are_wanted(tmp_path: Path) -> None:
    """In the conventions' shape."""
    async with collector() as received:
        async with _lor3(tmp_path, received.url, content=True) as client:
            async with client.post("/chat", json=ASKED) as response:
                answer = await response.json()
            key = {"Authorization": "Bearer lor3_CANARY_0123456789", "Cookie": "s=CANARY"}
            async with client.get("/threads?api_key=CANARY", headers=key) as response:
                await response.read()
        attributes = received.named("chat").attributes
        asked, answered = (json.loads(attributes[f"gen_ai.{way}.messages"]) for way in ("input", "output"))

        assert not any(b"CANARY" in body for body in received.bodies)
        assert asked[-1] == {"role": "user", "parts": [{"type": "text", "content": "I am [redacted e-mail]"}]}
        assert answered[0]["role"] == "assistant"
        assert (
            answered[0]["parts"][0]["content"].replace("[redacted e-mail]", "a.b@c.example")
            == answer["output"]
        )


async def test_callers_and_ratio_decide_what_is_traced(tmp_path: Path) -> None:
    """A caller who says no gets none, one who says yes gets all, whatever the ratio; nonsense says nothing."""
    async with collector() as received:
        async with _lor3(tmp_path, received.url, sample_ratio=0.0) as client:
            for given in (
                f"00-{TRACE}-{PARENT}-00",
                f"00-{TRACE}-{PARENT}-01",
                "nonsense",
                f"ff-{TRACE}-{PARENT}-01",
            ):
                async with client.get("/threads", headers={"traceparent": given}) as response:
                    assert response.status == 200

        assert [(span.name, span.parent_id) for span in received.spans] == [("GET /threads", PARENT)]


def _sink(url: str) -> OTLPTelemetry:
    return OTLPTelemetry.exporting(endpoint=url, headers={}, sample_ratio=1.0, timeout_s=1.0, content=False)


async def test_failures_are_errors_and_fallbacks_events() -> None:
    """By the codes that the rest of lor3 uses."""
    gpt, gemini = ModelRef("openai", "gpt-5"), ModelRef("gemini", "flash")
    async with collector() as received:
        sink = _sink(received.url)
        sink.emit(AttemptEnded(request_id="r", model=gpt, outcome="rate_limited", duration_s=0.1, status=429))
        sink.emit(FallbackTaken(request_id="r", from_model=gpt, to_model=gemini, reason="rate_limited"))
        sink.emit(
            AttemptEnded(
                request_id="r", model=gemini, outcome="timeout", duration_s=0.2, stream=True, first_chunk_s=0.1,
                output_tokens=11, input_tokens=5, response_id="resp-1",
            )
        )  # fmt: skip
        sink.emit(
            ChatRefused(request_id="r", tenant="t", code="upstream_timeout", duration_s=0.3, attempts=2)
        )
        sink.emit(RequestServed(request_id="r", route="/chat", method="POST", status=504, duration_s=0.3))
        await sink.aclose()
        chat, attempt = received.named("chat"), received.named("chat flash")

        assert chat.events == [
            ("fallback", {"lor3.fallback.from": "openai:gpt-5", "lor3.fallback.to": "gemini:flash", "lor3.fallback.reason": "rate_limited"})
        ]  # fmt: skip
        assert (chat.is_error, chat.attributes["error.type"]) == (True, "upstream_timeout")
        assert attempt.attributes["gen_ai.provider.name"] == "gcp.gemini"
        assert attempt.attributes["gen_ai.response.time_to_first_chunk"] == 0.1
        assert received.named("chat gpt-5").attributes["http.response.status_code"] == 429
        assert received.named("POST /chat").attributes["error.type"] == "504"
        _, [(_, count, total)] = received.metrics["gen_ai.client.operation.time_per_output_chunk"]
        assert (count, round(total, 6)) == (1, 0.01)


async def test_collector_that_is_away_holds_nobody_up() -> None:
    """Neither who emits nor the end."""
    sink = _sink(f"http://127.0.0.1:{free_port()}")
    served = RequestServed(request_id="r", route="/chat", method="POST", status=200, duration_s=0.3)
    for number in range(20_000):  # to emit is no coroutine: it can't wait for the collector
        sink.emit(attrs.evolve(served, request_id=f"r{number}"))
    await asyncio.wait_for(sink.aclose(), 2 * HANGS_S)
