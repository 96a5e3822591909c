"""Rows 34 and 35: streams that fail before their first content, where falling back is still free."""

import attrs
import pytest

from application.ports.chat_provider import Timeouts
from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.server import FaultUpstream
from tests.support.fault_upstream.wire import HEALTHY_TEXT, Wire
from tests.support.gateway import HEALTHY_COST

WIRES = pytest.mark.parametrize("wire", ["openai", "anthropic"])
FALLBACK = "spare:ok-fallback"
QUICK = Timeouts(connect_s=1.0, first_token_s=0.5, idle_s=60.0, content_idle_s=60.0, total_s=120.0)
"""Of the limits it is only the first token's that can end a silence before the test does."""


@WIRES
@pytest.mark.parametrize("name", ["f34-silent", "f34-pings", "f34-empty"])
async def test_row_34_limit_of_the_first_token_counts_to_the_first_content(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str
) -> None:
    """A start, pings and empty deltas are no token: one attempt, the fallback, one answer; alone a plain 504."""
    async with start(timeouts=QUICK) as gate:
        served = await gate.chat(f"{wire}:{name}", [FALLBACK], stream=True)
        gate.assert_answered(served, FALLBACK, cost=HEALTHY_COST)
        assert served.outcomes == ["no_answer", "ok"]
        assert served.names == ["start", "delta", "done"]
        assert served.events[0][1]["model"] == FALLBACK
        assert QUICK.first_token_s * 0.9 <= served.elapsed_s

        alone = await gate.chat(f"{wire}:{name}", stream=True)
        gate.assert_failed(alone, 504, "upstream_timeout", attempts=1)
        assert alone.http_status == 504


@WIRES
async def test_row_34_whole_answer_that_is_fetched_as_a_stream_has_the_same_limit(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A model that was silent too long is asked for a stream, whose pings are no answer either."""
    async with start(timeouts=QUICK) as gate:
        for _ in range(2):
            served = await gate.chat(f"{wire}:f34-pings", [FALLBACK])
            gate.assert_answered(served, FALLBACK, cost=HEALTHY_COST)
            assert served.outcomes == ["no_answer", "ok"]
    assert [attempt.stream for attempt in upstream.seen("f34-pings")] == [False, True]


@WIRES
@pytest.mark.parametrize(
    ("name", "kind", "attempts", "status", "code"),
    [
        ("f35-first", "server_error", 2, 502, "upstream_error"),
        ("f35-started", "overloaded", 2, 502, "upstream_error"),
        ("f35-limit", "rate_limited", 2, 503, "upstream_rate_limited"),
        ("f35-auth", "auth", 1, 502, "upstream_auth"),
    ],
)
async def test_row_35_error_frame_before_content_is_the_error_that_it_names(
    start: StartGateway,
    upstream: FaultUpstream,
    wire: Wire,
    name: str,
    kind: str,
    attempts: int,
    status: int,
    code: str,
) -> None:
    """Retried and passed on as an answer with that status would be; alone a plain problem, no stream."""
    async with start() as gate:
        if attempts > 1:
            passing = await gate.chat(f"{wire}:{name}-once", [FALLBACK], stream=True)
            gate.assert_answered(passing, f"{wire}:{name}-once", cost=HEALTHY_COST)
            assert passing.outcomes == [kind, "ok"]

        served = await gate.chat(f"{wire}:{name}", [FALLBACK], stream=True)
        gate.assert_answered(served, FALLBACK, cost=HEALTHY_COST)
        assert served.outcomes == [kind] * attempts + ["ok"]
        assert (served.names, served.text) == (["start", "delta", "done"], HEALTHY_TEXT)

        alone = await gate.chat(f"{wire}:{name}", stream=True)
        gate.assert_failed(alone, status, code, attempts=attempts)
        assert alone.http_status == status


def test_rows_34_40_41_defaults_are_the_promised_limits() -> None:
    """First token 10 s, silence 15 s, 60 s without content; a stream may take 5 minutes."""
    limits = Timeouts()

    assert attrs.astuple(limits) == (3.0, 10.0, 15.0, 60.0, 300.0)
