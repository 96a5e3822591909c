"""`GET /usage`: what was used, and whether a prompt's change was one for the better."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.http import serving
from tests.support.prompt_api import PromptAPI
from tests.support.thread_api import ThreadAPI


@pytest.fixture(params=["sqlite", "postgresql"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ThreadAPI]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    async with serving(tmp_path, database_url=url) as server:
        yield ThreadAPI(server)


async def _usage(api: ThreadAPI, query: str = "") -> dict[str, dict[str, Any]]:
    """The rows by their groups; that without one is `none`."""
    answered = await api.get(f"/usage{query}")
    assert answered.status == 200, answered.raw
    return {row["group"] or "none": row for row in answered.body["items"]}


async def test_a_prompts_change_is_judged(api: ThreadAPI) -> None:
    """Two versions behind one label: chats fall to either, are rated, and the report tells the better one."""
    prompts = PromptAPI(api.server)
    for text in ("Be terse.", "Be kind."):
        await prompts.version("support", text)
    await prompts.label("support", "production", {"weights": {"v1": 50, "v2": 50}})
    for number in range(40):
        answer = await api.chat("Hi", system_prompt="support", user=f"u-{number}")
        # The first version pleases one of four, the second all of them.
        liked = answer["prompt_version"] == "support:v2" or number % 4 == 0
        rating = "thumbs_up" if liked else "thumbs_down"
        path = f"/messages/{answer['message_id']}/feedback"
        rated = await api.call("PUT", path, {"rating": rating, "user": f"u-{number}"})
        assert rated.status == 200
    await api.chat("Hi", system_prompt="support:v1")
    await api.chat("Hi")

    versions = await _usage(api, "?group_by=prompt_version")
    labels = await _usage(api, "?group_by=label")
    names = await _usage(api, "?group_by=prompt")
    assert set(versions) == {"support:v1", "support:v2", "none"}
    terse, kind = versions["support:v1"]["ratings"], versions["support:v2"]["ratings"]
    assert terse["count"] + kind["count"] == 40
    assert min(terse["count"], kind["count"]) > 5
    assert kind["mean"] == 1.0
    assert terse["mean"] == round(terse["thumbs_up"] / terse["count"], 4)
    for ratings in (terse, kind):
        assert ratings["low"] <= ratings["mean"] <= ratings["high"]
    assert terse["high"] < kind["low"], "the intervals do not overlap: the second version is better"
    assert (labels["support@production"]["requests"], labels["none"]["requests"]) == (40, 2)
    assert (names["support"]["requests"], names["none"]["requests"]) == (41, 1)


async def test_usage_is_that_of_the_chats(api: ThreadAPI) -> None:
    """Tokens, costs and latencies of the answers that were given, in the shape that is documented."""
    answers = [await api.chat(prompt, user="ada") for prompt in ("one", "two words")]
    answered = await api.get("/usage")

    assert set(answered.body) == {"from", "to", "group_by", "items"}
    (row,) = answered.body["items"]
    assert (row["group"], row["requests"], row["errors"], row["unpriced"]) == (None, 2, 0, 0)
    for field in ("input_tokens", "output_tokens", "cached_input_tokens"):
        assert row[field] == sum(answer["usage"][field] for answer in answers)
    assert row["cost_usd"] == "0"
    assert 0 <= row["latency_ms"]["p50"] <= row["latency_ms"]["p95"]
    assert row["ratings"] == {
        "count": 0,
        "mean": None,
        "low": None,
        "high": None,
        "thumbs_up": 0,
        "thumbs_down": 0,
        "stars_mean": None,
    }
    assert set(await _usage(api, "?group_by=user")) == {"ada"}
    assert set(await _usage(api, "?group_by=model")) == {"demo:demo"}
    assert set(await _usage(api, "?group_by=provider")) == {"demo"}


async def test_usage_is_that_of_its_time(api: ThreadAPI) -> None:
    """Days and times are understood; a day ends where the next one begins."""
    await api.chat("Hi")
    (day,) = await _usage(api, "?group_by=day")

    assert (await _usage(api, f"?from={day}&to={day}T23:59:59.999999Z"))["none"]["requests"] == 1
    assert (await _usage(api, f"?to={day}"))["none"]["requests"] == 0
    assert await _usage(api, f"?from=2020-01-01T00:00:00%2B02:00&to={day}&group_by=day") == {}


async def test_copies_count_nothing_and_deleted_threads_count(api: ThreadAPI) -> None:
    """What was spent was spent once."""
    answer = await api.chat("Hi")
    fork = await api.post(f"/threads/{answer['thread_id']}/fork", {"message_id": answer["message_id"]})
    assert fork.status == 201
    await api.delete(f"/threads/{answer['thread_id']}")

    assert (await _usage(api))["none"]["requests"] == 1
