"""The same faults through the vendors' own SDKs: which errors they make of them must not show."""

import pytest

from application.ports.chat_provider import Timeouts
from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.bodies import bomb
from tests.support.fault_upstream.certificates import Authority
from tests.support.fault_upstream.listeners import refused_port
from tests.support.fault_upstream.server import FaultUpstream, fault_upstream
from tests.support.fault_upstream.streams import CUT_TEXT
from tests.support.fault_upstream.wire import Wire

WIRES = pytest.mark.parametrize("wire", ["openai", "anthropic"])
FALLBACK = "spare:ok-fallback"


@WIRES
@pytest.mark.parametrize(
    ("name", "attempts", "status", "code"),
    [
        pytest.param("f02-limit", 2, 503, "upstream_rate_limited", id="row_02"),
        pytest.param("f06-500", 2, 502, "upstream_error", id="row_06"),
        pytest.param("f09-401", 1, 502, "upstream_auth", id="row_09"),
        pytest.param("f12-400", 1, 400, "invalid_request", id="row_12"),
        pytest.param("f16-no", 1, 502, "upstream_error", id="row_16"),
        pytest.param("f17-307", 1, 502, "upstream_error", id="row_17"),
        pytest.param("f21-reset", 2, 502, "upstream_error", id="row_21"),
        pytest.param("f23-silence", 1, 504, "upstream_timeout", id="row_23"),
        pytest.param("f25-short", 2, 502, "upstream_error", id="row_25"),
        pytest.param("f27-html", 2, 502, "bad_upstream_body", id="row_27"),
        pytest.param("f32-gzip", 1, 502, "upstream_too_large", id="row_32"),
    ],
)
async def test_sdk_transport_has_the_same_rows(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str, attempts: int, status: int, code: str
) -> None:
    """As many attempts, the same code and nothing more upstream: the SDK retries and follows nothing."""
    bomb(wire)  # made once; later it would block the loop that all of this runs on
    async with start(transport="sdk", timeouts=Timeouts(connect_s=2.0, first_token_s=1.0)) as gate:
        reply = await gate.chat(f"{wire}:{name}")

        gate.assert_failed(reply, status, code, attempts=attempts)
    assert len(upstream.seen(name)) == attempts
    assert upstream.canary.connections == 0


@WIRES
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        pytest.param("f36-error", 502, "upstream_error", id="row_36"),
        pytest.param("f37-cut", 502, "upstream_error", id="row_37"),
        pytest.param("f40-silence", 504, "upstream_timeout", id="row_40"),
    ],
)
async def test_sdk_transport_has_the_same_rows_of_streams(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str, status: int, code: str
) -> None:
    """What was said is kept and charged; nothing of it is a success."""
    async with start(transport="sdk", timeouts=Timeouts(connect_s=2.0, idle_s=0.2)) as gate:
        reply = await gate.chat(f"{wire}:{name}", stream=True)
        gate.assert_cut(reply, status, code, text=CUT_TEXT, models=[f"{wire}:{name}"])


@WIRES
async def test_sdk_transport_tells_tls_and_refusal_apart(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Rows 19 and 20: an SDK's one word for both, a connection error, is looked behind."""
    async with (
        fault_upstream(Authority.make().server_context("self_signed")) as secure,
        start(transport="sdk", broken=(wire, secure.url(wire))) as gate,
    ):
        reply = await gate.chat("broken:ok", [FALLBACK])
        gate.assert_answered(reply, FALLBACK)
        assert reply.outcomes == ["tls", "ok"]
        gate.unseen = 1
    with refused_port() as port:
        async with start(transport="sdk", broken=(wire, f"http://127.0.0.1:{port}")) as gate:
            upstream.attempts.clear()
            reply = await gate.chat("broken:ok", [FALLBACK])
            gate.assert_answered(reply, FALLBACK)
            assert reply.outcomes == ["connect", "connect", "ok"]
            gate.unseen = 2


@WIRES
async def test_sdk_transport_retries_a_stale_connection_silently(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """Row 22: the request goes out again on a new connection and counts once."""
    async with start(transport="sdk") as gate:
        await gate.chat(f"{wire}:ok")
        reply = await gate.chat(f"{wire}:f22-stale")
        gate.assert_answered(reply, f"{wire}:f22-stale")
        assert reply.outcomes == ["ok"]
        gate.unseen = -1
    assert [attempt.reused for attempt in upstream.seen("f22-stale")] == [True, False]
