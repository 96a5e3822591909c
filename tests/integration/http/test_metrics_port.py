"""`/metrics` on a port of its own."""

import asyncio
from pathlib import Path

import aiohttp
import attrs
import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.errors import ConfigurationError
from entrypoints.application import Application
from entrypoints.http.metrics_port import metrics_served
from tests.support.http import serving
from tests.support.servers import free_port


async def test_metrics_have_a_port_of_their_own(tmp_path: Path) -> None:
    """There is nothing else there, and they are nowhere else; a port that is taken is a fault with a remedy."""
    port = free_port()

    def apart(application: Application) -> Application:
        telemetry = attrs.evolve(application.settings.telemetry, metrics_port=port)
        return attrs.evolve(application, settings=attrs.evolve(application.settings, telemetry=telemetry))

    async with (
        serving(tmp_path, change=apart) as server,
        metrics_served(server.state, reuse_port=False),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        async with client.get("/metrics") as response:
            families = {family.name for family in text_string_to_metric_families(await response.text())}
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        for path in ("/", "/healthz", "/chat"):
            async with client.get(path) as response:
                problem = await response.json()
                assert (response.status, problem["detail"]) == (404, "only GET /metrics is here")
                assert response.headers["Server"] == "lor3"
        async with server.client.get("/metrics") as response:
            assert response.status == 404
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}"):
            async with metrics_served(server.state, reuse_port=False):
                raise AssertionError("the port is taken")

        assert {"lor3_http_requests_in_flight", "lor3_commit_queue_depth", "process_open_fds"} <= families


@pytest.mark.parametrize(
    "sent", [b"CANARY\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: CANARY\0b\r\n\r\n"]
)
async def test_what_is_no_request_is_not_said_back(
    tmp_path: Path, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reaches that port may do no more there than at the server's own."""
    port = free_port()

    def apart(application: Application) -> Application:
        telemetry = attrs.evolve(application.settings.telemetry, metrics_port=port)
        return attrs.evolve(application, settings=attrs.evolve(application.settings, telemetry=telemetry))

    async with serving(tmp_path, change=apart) as server, metrics_served(server.state, reuse_port=False):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert b" 400 Bad Request\r\n" in answer
    assert b"X-Content-Type-Options: nosniff" in answer
    assert b"CANARY" not in answer
    assert b"aiohttp" not in answer
    assert "CANARY" not in caplog.text


async def test_metrics_stay_on_the_servers_port_where_none_is_named(tmp_path: Path) -> None:
    """Which is the default."""
    async with serving(tmp_path) as server, metrics_served(server.state, reuse_port=False):
        async with server.client.get("/metrics") as response:
            assert response.status == 200
