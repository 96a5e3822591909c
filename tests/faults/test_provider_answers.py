"""Rows 1 to 17: what lor3 does when a provider says no."""

from decimal import Decimal

import pytest

from domain.routing.settings import RoutingPolicy
from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.server import FaultUpstream
from tests.support.fault_upstream.wire import Wire
from tests.support.gateway import HEALTHY_COST

WIRES = pytest.mark.parametrize("wire", ["openai", "anthropic"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def other(wire: Wire) -> str:
    """A healthy model on the other wire."""
    return "anthropic:ok-fallback" if wire == "openai" else "openai:ok-fallback"


@pytest.mark.parametrize(("wire", "stream"), [("openai", False), ("anthropic", True)])
async def test_row_01_limit_is_retried_after_the_wait_it_names(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """`Retry-After: 2` is waited out, then the same model answers."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f01-limit-once", [other(wire)], stream=stream)

        gate.assert_answered(reply, f"{wire}:f01-limit-once")
    (gap_s,) = upstream.gaps_s("f01-limit-once")
    assert 1.9 <= gap_s
    assert reply.outcomes == ["rate_limited", "ok"]
    assert upstream.seen("ok-fallback") == []


@WIRES
async def test_row_01_wait_beyond_the_deadline_falls_back(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A wait that does not fit the deadline is not begun: the fallback answers at once."""
    async with start(routing=RoutingPolicy(deadline_s=1.9)) as gate:
        reply = await gate.chat(f"{wire}:f01-limit-once", [other(wire)])

        gate.assert_answered(reply, other(wire))
    assert len(upstream.seen("f01-limit-once")) == 1


@WIRES
@STREAMS
async def test_row_02_limit_without_a_header_is_tried_twice_then_falls_back(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """At most two attempts, then the fallback answers."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f02-limit", [other(wire)], stream=stream)

        gate.assert_answered(reply, other(wire))
    assert len(upstream.seen("f02-limit")) <= 2


@WIRES
@STREAMS
async def test_row_02_limits_everywhere_are_a_503(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """When all are limited the client gets 503 with Retry-After, and the failure is stored."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f02-limit", ["spare:f02-limit-twice"], stream=stream)

        gate.assert_failed(reply, 503, "upstream_rate_limited", attempts=3)
    assert len(upstream.attempts) - 3 == 3  # the last three are the healthy ones at the end
    assert reply.body["retryable"] is True
    if not reply.events:
        assert reply.retry_after_s is not None
        assert 1 <= reply.retry_after_s <= 60


@WIRES
@pytest.mark.parametrize("name", ["f03-3600", "f03-date"])
async def test_row_03_long_wait_is_not_begun_and_the_route_rests(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str
) -> None:
    """A wait of an hour or a year: the fallback answers at once, and the next request does not even ask."""
    async with start() as gate:
        first = await gate.chat(f"{wire}:{name}", [other(wire)])
        second = await gate.chat(f"{wire}:{name}", [other(wire)])
        alone = await gate.chat(f"{wire}:{name}")

        gate.assert_answered(first, other(wire))
        gate.assert_answered(second, other(wire))
    assert len(upstream.seen(name)) == 1
    assert (alone.status, alone.code) == (503, "upstream_rate_limited")
    assert alone.retry_after_s is not None
    assert alone.retry_after_s <= 60


@WIRES
@pytest.mark.parametrize(
    "name",
    [
        "f03-negative",
        "f03-nan",
        "f03-infinite",
        "f03-abc",
        "f03-digits",
        "f03-past-date",
        "f03-date-without-clock",
        "f03-ms",
    ],
)
async def test_row_03_garbage_gives_way_to_our_own_backoff(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str
) -> None:
    """A wait that is no number of seconds is ignored; one in milliseconds is kept."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:{name}", [other(wire)])

        gate.assert_answered(reply, other(wire))
    assert len(upstream.seen(name)) == 2
    if name == "f03-ms":
        assert upstream.gaps_s(name)[0] >= 0.24


@WIRES
@STREAMS
async def test_row_04_empty_account_closes_the_whole_credential(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """No retry; the fallback answers, and no other model of the credential is asked either."""
    async with start(next_models=["spare:ok-next"]) as gate:
        first = await gate.chat(f"{wire}:f04-quota", [other(wire)], stream=stream)
        second = await gate.chat(f"{wire}:ok-other", [other(wire)], stream=stream)

        gate.assert_answered(first, other(wire))
        gate.assert_answered(second, other(wire))
        assert first.outcomes == ["quota_exhausted", "ok"]
        assert second.outcomes == ["ok"]
    assert len(upstream.seen("f04-quota")) == 1
    assert upstream.seen("ok-other") == []


@WIRES
@STREAMS
async def test_row_04_empty_account_alone_is_a_503(start: StartGateway, wire: Wire, stream: bool) -> None:
    """With nobody else to ask the client gets `upstream_quota`."""
    async with start(next_models=["spare:ok-next"]) as gate:
        reply = await gate.chat(f"{wire}:f04-quota", stream=stream)

        gate.assert_failed(reply, 503, "upstream_quota", attempts=1)


DEFAULT_ROWS = pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        pytest.param("f05-overloaded", 502, "upstream_error", id="row_05_overloaded"),
        pytest.param("f06-500", 502, "upstream_error", id="row_06_500"),
        pytest.param("f07-502", 502, "upstream_error", id="row_07_html_502"),
        pytest.param("f07-504", 504, "upstream_timeout", id="row_07_html_504"),
        pytest.param("f07-520", 502, "upstream_error", id="row_07_html_520"),
        pytest.param("f15-408", 504, "upstream_timeout", id="row_15_408"),
        pytest.param("f15-409", 502, "upstream_error", id="row_15_409"),
        pytest.param("f15-504", 504, "upstream_timeout", id="row_15_504"),
    ],
)


@WIRES
@STREAMS
@DEFAULT_ROWS
async def test_rows_05_06_07_15_passing_trouble_is_retried_once(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool, name: str, status: int, code: str
) -> None:
    """A fault that passes costs one retry; the same model answers and is charged once."""
    model = f"{name}-once"
    async with start() as gate:
        reply = await gate.chat(f"{wire}:{model}", [other(wire)], stream=stream)

        gate.assert_answered(reply, f"{wire}:{model}", cost=HEALTHY_COST)
    assert len(upstream.seen(model)) == 2
    assert len(reply.outcomes) == 2
    assert upstream.seen("ok-fallback") == []


@WIRES
@DEFAULT_ROWS
async def test_rows_05_06_07_15_lasting_trouble_falls_back_or_fails(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, name: str, status: int, code: str
) -> None:
    """A fault that lasts costs two attempts; then the fallback answers, or the client gets its class."""
    async with start() as gate:
        served = await gate.chat(f"{wire}:{name}", [other(wire)])
        gate.assert_answered(served, other(wire))
        assert len(upstream.seen(name)) == 2

        alone = await gate.chat(f"{wire}:{name}")
        gate.assert_failed(alone, status, code, attempts=2)
        assert "<" not in alone.raw.decode()
        assert alone.headers["Content-Type"].startswith("application/problem+json")


@WIRES
async def test_row_07_html_413_is_the_callers_fault(
    start: StartGateway, upstream: FaultUpstream, wire: Wire
) -> None:
    """A proxy in front of the provider refuses the request's size: no retry, no fallback, no HTML."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f07-413", [other(wire)])

        assert reply.code in ("invalid_request", "context_length_exceeded")
        gate.assert_failed(reply, 400, reply.code, attempts=1)
    assert "<" not in reply.raw.decode()


@WIRES
@STREAMS
async def test_row_08_all_providers_500_are_a_502(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """Three attempts at most over all providers; the failure is stored and costs nothing."""
    second = "anthropic" if wire == "openai" else "openai"
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f06-500", [f"{second}:f06-500", "spare:f06-500"], stream=stream)

        gate.assert_failed(reply, 502, "upstream_error", attempts=3)
        assert len(upstream.seen("f06-500")) == 3


@WIRES
@STREAMS
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        pytest.param("f09-401", 502, "upstream_auth", id="row_09_bad_key"),
        pytest.param("f10-403", 502, "upstream_auth", id="row_10_forbidden"),
        pytest.param("f11-404", 502, "upstream_model_not_found", id="row_11_unknown_model"),
    ],
)
async def test_rows_09_10_11_misconfiguration_falls_back_without_a_retry(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool, name: str, status: int, code: str
) -> None:
    """One attempt, then the fallback; alone it is a 502, never the provider's own status. The log names it."""
    async with start() as gate:
        served = await gate.chat(f"{wire}:{name}", [other(wire)], stream=stream)
        gate.assert_answered(served, other(wire))
        assert len(upstream.seen(name)) == 1

        alone = await gate.chat(f"{wire}:{name}", stream=stream)
        gate.assert_failed(alone, status, code, attempts=1)


@WIRES
async def test_rows_09_11_raise_an_alarm_for_the_operator(start: StartGateway, wire: Wire) -> None:
    """A metric of its own counts each call that an operator must act upon."""
    async with start() as gate:
        await gate.chat(f"{wire}:f09-401", [other(wire)])
        await gate.chat(f"{wire}:f11-404", [other(wire)])

        assert gate.counted("lor3_misconfigured_total") == 2


@WIRES
@STREAMS
async def test_row_12_bad_parameter_is_the_callers_400(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """Neither retry nor fallback: another model would refuse it too."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f12-400", [other(wire)], stream=stream)

        gate.assert_failed(reply, 400, "invalid_request", attempts=1)
    assert len(upstream.seen("f12-400")) == 1
    assert upstream.seen("ok-fallback") == []


@WIRES
@STREAMS
async def test_row_13_long_prompt_goes_to_a_larger_window_only(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """One attempt; a smaller window is passed over, a larger one answers."""
    windows = {f"{wire}:f13-context": 8000, "spare:ok-other": 4000, other(wire): 100_000}
    async with start(windows=windows) as gate:
        small = await gate.chat(f"{wire}:f13-context", ["spare:ok-other"], stream=stream)
        gate.assert_failed(small, 400, "context_length_exceeded", attempts=1)
        assert upstream.seen("ok-other") == []

        large = await gate.chat(f"{wire}:f13-context", ["spare:ok-other", other(wire)], stream=stream)
        gate.assert_answered(large, other(wire))
        assert len(upstream.seen("f13-context")) == 2


@STREAMS
async def test_row_14_refused_prompt_is_the_callers_400(
    start: StartGateway, upstream: FaultUpstream, stream: bool
) -> None:
    """OpenAI's content policy refuses the prompt: neither retry nor fallback."""
    async with start() as gate:
        reply = await gate.chat("openai:f14-policy", ["anthropic:ok-fallback"], stream=stream)

        gate.assert_failed(reply, 400, "content_filtered", attempts=1)
    assert upstream.seen("ok-fallback") == []


@WIRES
@STREAMS
async def test_row_14_filtered_answer_is_passed_on_and_charged(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """An answer that the provider cut by its filter, or a refusal, is an answer with that finish reason."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f14-filtered", [other(wire)], stream=stream)

        gate.assert_answered(reply, f"{wire}:f14-filtered", cost=HEALTHY_COST)
    assert reply.body["finish_reason"] == "content_filter"
    assert upstream.seen("ok-fallback") == []


@WIRES
@STREAMS
async def test_row_16_word_not_to_retry_is_obeyed(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """A 500 with `x-should-retry: false` gets one attempt; the fallback is still free to answer."""
    async with start() as gate:
        reply = await gate.chat(f"{wire}:f16-no", [other(wire)], stream=stream)

        gate.assert_answered(reply, other(wire))
    assert len(upstream.seen("f16-no")) == 1


@WIRES
@STREAMS
async def test_row_16_word_to_retry_is_obeyed_within_the_caps(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool
) -> None:
    """A 400 with `x-should-retry: true` is tried once more, and not oftener."""
    async with start() as gate:
        passing = await gate.chat(f"{wire}:f16-yes-once", stream=stream)
        gate.assert_answered(passing, f"{wire}:f16-yes-once")

        lasting = await gate.chat(f"{wire}:f16-yes", stream=stream)
        gate.assert_failed(lasting, 400, "invalid_request", attempts=2)
    assert len(upstream.seen("f16-yes")) == 2


@WIRES
@pytest.mark.parametrize(
    ("status", "stream"), [(301, False), (302, False), (303, False), (307, False), (307, True), (308, False)]
)
async def test_row_17_redirect_is_not_followed(
    start: StartGateway, upstream: FaultUpstream, wire: Wire, stream: bool, status: int
) -> None:
    """The other host sees nothing, neither body nor key; the fallback answers, alone it is a 502."""
    async with start() as gate:
        served = await gate.chat(f"{wire}:f17-{status}", [other(wire)], stream=stream)
        gate.assert_answered(served, other(wire))

        alone = await gate.chat(f"{wire}:f17-{status}", stream=stream)
        gate.assert_failed(alone, 502, "upstream_error", attempts=1)
    assert upstream.canary.connections == 0
    assert len(upstream.seen(f"f17-{status}")) == 2


def test_healthy_cost_is_what_the_prices_say() -> None:
    """12 tokens in at 1 USD and 5 out at 2 USD for a million."""
    assert Decimal("0.000022") == HEALTHY_COST
