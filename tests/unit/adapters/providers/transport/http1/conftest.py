"""What the tests of the HTTP/1.1 client share."""

import asyncio
from typing import Any

import pytest
import uvloop

from tests.support.http1 import Run, Scenario


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a scenario to its end; a task or an error that it leaves behind in the loop fails the test."""

    async def watched(scenario: Scenario) -> None:
        unhandled: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        await asyncio.wait_for(scenario, 20)
        await asyncio.sleep(0.01)

        assert [] == unhandled

    def run_scenario(scenario: Scenario) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(watched(scenario))

    return run_scenario
