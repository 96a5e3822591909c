"""The `openai` package of PyPI against `/v1`, as programs use it: no `async`, its own retries on."""

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.support.client_servers import Place
from tests.support.client_upstream import BROKEN, TEXT

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _with_client(place: Place, use: Callable[[openai.OpenAI], Any], **options: Any) -> Any:
    """In a thread: the client blocks, and lor3 runs in this one."""

    def run() -> Any:
        with openai.OpenAI(base_url=f"{place.url}/v1", api_key="unused", **options) as client:
            return use(client)

    return await asyncio.to_thread(run)


def _ask(text: str) -> dict[str, Any]:
    return {"model": "first:m", "messages": [{"role": "user", "content": text}]}


async def test_stream_is_iterated(place: Place) -> None:
    """The provider's text, and the usage at the end."""

    def use(client: openai.OpenAI) -> list[Any]:
        request = _ask("say python")
        return list(
            client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True})
        )

    chunks = await _with_client(place, use)

    assert TEXT == "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert 12 == chunks[-1].usage.total_tokens


async def test_upstream_that_is_cut_raises(place: Place) -> None:
    """After what was said: half an answer never ends as if it were whole."""

    def use(client: openai.OpenAI) -> tuple[str, openai.APIError | None]:
        text = ""
        try:
            for chunk in client.chat.completions.create(**_ask("break all python"), stream=True):
                text += chunk.choices[0].delta.content or "" if chunk.choices else ""
        except openai.APIError as error:
            return text, error
        return text, None

    text, error = await _with_client(place, use)

    assert BROKEN == text
    assert error is not None
    assert "upstream_error" == error.code


async def test_options_of_lor3_go_into_the_extra_body(place: Place) -> None:
    """A thread that goes on, without its memory; lor3's words come back beside OpenAI's."""

    def use(client: openai.OpenAI) -> list[Any]:
        first = client.chat.completions.create(**_ask("say python first"))
        thread_id = first.lor3["thread_id"]
        extra = {"lor3": {"thread_id": thread_id, "context_depth": 0}}
        return [first, client.chat.completions.create(**_ask("say python second"), extra_body=extra)]

    first, second = await _with_client(place, use)
    (asked,) = place.upstream.asked("say python second")

    assert first.lor3["thread_id"] == second.lor3["thread_id"]
    assert 0 == second.lor3["context"]["injected"]
    assert ["say python second"] == [message["content"] for message in asked.json["messages"]]


@pytest.mark.parametrize("text", ["fail python", "limit python"])
async def test_final_failure_is_not_asked_for_again(place: Place, text: str) -> None:
    """lor3 has tried what there is: the client, which would retry a 5xx twice, is told not to."""

    def use(client: openai.OpenAI) -> openai.APIStatusError:
        try:
            client.chat.completions.create(
                model="spare:m",
                messages=[{"role": "user", "content": text}],
                extra_body={"lor3": {"fallbacks": []}},
            )
        except openai.APIStatusError as error:
            return error
        raise AssertionError("it was answered")

    served = len(place.server.telemetry.served)
    error = await _with_client(place, use, max_retries=2)

    assert "false" == error.response.headers["x-should-retry"]
    assert 1 == len(place.server.telemetry.served) - served
    assert "PROVIDER-TEXT" not in str(error)
