"""How long each pass takes, for those who trace. Each test is a task, so that its scope ends with it."""

import attrs
import pytest

from adapters.in_memory.clock import ManualClock
from adapters.in_memory.telemetry import RecordingTelemetry
from application.services.pass_spans import PassSpans
from application.services.request_scope import RequestScope, enter
from domain.chat import ChatRequest
from domain.message import Message
from domain.model import ModelRef
from domain.passes.compiler_pass import Rewrite, Target
from domain.telemetry import PassRan

MODEL = ModelRef("openai", "gpt-5")
REQUEST = ChatRequest(messages=(Message.of("user", "hi"),), model=MODEL)


@attrs.frozen
class SlowPass:
    clock: ManualClock
    name: str
    fails: bool = False

    def run(self, request: ChatRequest, target: Target) -> Rewrite:
        self.clock.advance(2.0)
        if self.fails:
            raise RuntimeError("broken")
        return Rewrite(request=request)


def _run(clock: ManualClock, *passes: SlowPass) -> list[PassRan]:
    told = RecordingTelemetry()
    target: Target = None  # type: ignore[assignment] # these look at none
    with PassSpans(clock=clock, telemetry=told).timed(passes, MODEL) as timed:
        assert [each.name for each in timed] == [each.name for each in passes]
        for each in timed:
            each.run(REQUEST, target)
    return told.of(PassRan)


async def test_each_pass_is_told_with_its_request() -> None:
    """In order, on the monotonic clock."""
    clock = ManualClock()
    enter(RequestScope(request_id="req-1"))
    started_s = clock.monotonic()

    assert _run(clock, SlowPass(clock, "one"), SlowPass(clock, "two")) == [
        PassRan(request_id="req-1", name="one", model=MODEL, started_s=started_s, duration_s=2.0),
        PassRan(request_id="req-1", name="two", model=MODEL, started_s=started_s + 2.0, duration_s=2.0),
    ]


async def test_outside_of_a_request_nothing_is_told() -> None:
    """A span without a trace would be nobody's; nor is a scope that has ended anybody's."""
    clock = ManualClock()
    enter(RequestScope(request_id="req-1", ended=True))

    assert _run(clock, SlowPass(clock, "one")) == []


async def test_pass_that_refuses_is_told_too() -> None:
    """And its error goes on."""
    clock = ManualClock()
    enter(RequestScope(request_id="req-1"))
    told = RecordingTelemetry()
    target: Target = None  # type: ignore[assignment] # as above
    with (
        pytest.raises(RuntimeError),
        PassSpans(clock=clock, telemetry=told).timed((SlowPass(clock, "one", fails=True),), MODEL) as [timed],
    ):
        timed.run(REQUEST, target)

    assert [event.name for event in told.of(PassRan)] == ["one"]
