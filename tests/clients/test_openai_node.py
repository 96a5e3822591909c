"""The `openai` package of npm against `/v1`: what it reads, and the errors it raises."""

from typing import Any

import pytest

from tests.support.client_servers import Place
from tests.support.client_upstream import BROKEN, HALF, TEXT

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _texts(chunks: list[dict[str, Any]]) -> str:
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])


async def test_whole_answer_is_a_completion(place: Place) -> None:
    """With lor3's own ids and headers beside OpenAI's."""
    answer = await place.run("openai", "whole")
    data = answer["data"]

    assert (TEXT, "stop") == (data["choices"][0]["message"]["content"], data["choices"][0]["finish_reason"])
    assert ("chat.completion", "first:m") == (data["object"], data["model"])
    assert {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}.items() <= data["usage"].items()
    assert data["lor3"]["message_id"] == data["id"]
    assert answer["requestID"]
    assert "first:m" == answer["headers"]["x-lor3-model"]


async def test_stream_is_chunks_of_one_completion(place: Place) -> None:
    """One id, a role first, one finish reason, usage last; the text is the provider's to the byte."""
    chunks = await place.run("openai", "streamed")
    finishes = [each["choices"][0]["finish_reason"] for each in chunks if each["choices"]]

    assert TEXT == _texts(chunks)
    assert 1 == len({chunk["id"] for chunk in chunks})
    assert "assistant" == chunks[0]["choices"][0]["delta"]["role"]
    assert ["stop"] == [each for each in finishes if each is not None]
    assert ([], 12) == (chunks[-1]["choices"], chunks[-1]["usage"]["total_tokens"])
    assert {None} == {chunk["usage"] for chunk in chunks[:-1]}


async def test_stream_is_put_together_by_the_package(place: Place) -> None:
    """Its helper checks what it reads as it goes."""
    found = await place.run("openai", "assembled")

    assert [TEXT, TEXT] == [found["deltas"], found["final"]["choices"][0]["message"]["content"]]
    assert 12 == found["final"]["usage"]["total_tokens"]


async def test_tools_are_called_and_answered(place: Place) -> None:
    """Whole and streamed alike; the message is sent back as the package has it."""
    found = await place.run("openai", "tools")

    for choice in (found["whole"], found["streamed"]):
        (call,) = choice["message"]["tool_calls"]
        assert "tool_calls" == choice["finish_reason"]
        assert ("weather", '{"city": "Paris"}') == (call["function"]["name"], call["function"]["arguments"])
    assert "It says rain" == found["answered"]["message"]["content"]


async def test_tools_run_in_the_packages_own_loop(place: Place) -> None:
    """`runTools` streams, calls the function and sends its result."""
    found = await place.run("openai", "loop")

    assert {"text": "It says sun", "asked": [{"city": "Paris"}]} == found


async def test_answers_that_fit_a_schema_are_parsed(place: Place) -> None:
    """`json_schema`, whole and streamed."""
    found = await place.run("openai", "schema")

    assert {"city": "Paris", "rain": True} == found["parsed"]
    assert '{"city": "Paris", "rain": true}' == found["streamed"]


async def test_errors_are_of_the_packages_classes(place: Place) -> None:
    """By status, with a code, whose retry is nobody's business but lor3's, and without the provider's words."""
    found = await place.run("openai", "errors")
    told = {name: (each["class"], each["status"], each["code"]) for name, each in found.items()}

    assert {
        "model": ("NotFoundError", 404, "model_not_found"),
        "field": ("BadRequestError", 400, "invalid_request"),
        "refused": ("BadRequestError", 400, "invalid_request"),
        "streamed": ("BadRequestError", 400, "invalid_request"),
        "failed": ("InternalServerError", 502, "upstream_error"),
        "limited": ("InternalServerError", 503, "upstream_rate_limited"),
        "broken": ("APIError", None, "upstream_error"),
    } == told
    assert ("temperature", "model") == (found["field"]["param"], found["model"]["param"])
    assert ("false", "false") == (found["failed"]["shouldRetry"], found["limited"]["shouldRetry"])
    assert int(found["limited"]["retryAfter"]) >= 1
    assert BROKEN == found["broken"]["text"]
    assert "PROVIDER-TEXT" not in str(found)


async def test_models_are_listed(place: Place) -> None:
    """As objects of OpenAI's; one that there is none of is a 404."""
    found = await place.run("openai", "models")

    assert {"first:m", "second:m"} <= {model["id"] for model in found["found"]}
    assert {"model"} == {model["object"] for model in found["found"]}
    assert "NotFoundError" == found["one"]["class"]


async def test_threads_go_on(place: Place) -> None:
    """`lor3` beside OpenAI's fields: the provider sees what was said before."""
    first, second = await place.run("openai", "thread")

    assert first["thread_id"] == second["thread_id"]
    assert 2 == second["context"]["injected"]
    (asked,) = place.upstream.asked("say more")
    assert ["say it", TEXT, "say more"] == [message["content"] for message in asked.json["messages"]]


async def test_client_that_hangs_up_loses_nothing(place: Place) -> None:
    """The answer is finished and stored without it."""
    found = await place.run("openai", "aborted", "hung-up")
    place.upstream.open("hung-up")
    stored = await place.message(found["id"])

    assert HALF.startswith(found["text"])
    assert found["isAborted"]
    assert ("complete", TEXT) == (stored["status"], stored["content"])
