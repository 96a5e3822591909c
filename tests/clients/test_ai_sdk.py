"""Vercel's AI SDK against `/ui/chat`: the state machine and the transport of `useChat`, in versions 5, 6 and 7."""

import json
from typing import Any

import pytest

from tests.support.client_servers import Place
from tests.support.client_upstream import BROKEN, HALF, TEXT

pytestmark = pytest.mark.asyncio(loop_scope="module")
every_version = pytest.mark.parametrize("major", ["7", "6", "5"])
_FINISHED = {"isAbort": False, "isDisconnect": False, "isError": False}
_FAILED = _FINISHED | {"isError": True}


def _said(chat: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["text"]) for message in chat["messages"]]


def _stored(items: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    return [
        (
            item["role"],
            "".join(part["text"] for part in item["parts"] if part["type"] == "text"),
            item["metadata"]["lor3"].get("status"),
        )
        for item in items
    ]


@every_version
async def test_second_turn_goes_on_with_the_thread(place: Place, major: str) -> None:
    """The client sends its messages, and the provider sees what the thread remembers, each once."""
    name = f"talk{major}"
    chat = await place.run("ui", major, "talk", name)
    (asked,) = place.upstream.asked(f"say {name} second")
    first, second = f"say {name} first", f"say {name} second"

    assert [("user", first), ("assistant", TEXT), ("user", second), ("assistant", TEXT)] == _said(chat)
    assert ("ready", None, [_FINISHED] * 2) == (chat["status"], chat["error"], chat["finished"])
    assert ["submitted", "streaming", "ready"] * 2 == chat["statuses"]
    assert [first, TEXT, second] == [message["content"] for message in asked.json["messages"]]
    told = [message["metadata"]["lor3"] for message in chat["messages"] if message["role"] == "assistant"]
    assert told[0]["thread_id"] == told[1]["thread_id"]
    assert [each["message_id"] for each in told] == [chat["messages"][at]["id"] for at in (1, 3)]


@every_version
async def test_regenerated_answer_takes_the_place_of_the_other(place: Place, major: str) -> None:
    """Another message of lor3's, from the same turn of the user."""
    name = f"again{major}"
    found = await place.run("ui", major, "regenerate", name)
    asked = [request.json["messages"] for request in place.upstream.asked(f"say {name}")]

    assert _said(found["before"]) == _said(found["after"]) == [("user", f"say {name}"), ("assistant", TEXT)]
    assert found["before"]["messages"][1]["id"] != found["after"]["messages"][1]["id"]
    assert [[f"say {name}"]] * 2 == [[message["content"] for message in each] for each in asked]


@every_version
async def test_stop_keeps_the_text_so_far(place: Place, major: str) -> None:
    """The stream ends as aborted, not as failed; what was said is stored, and the thread goes on."""
    name = f"stop{major}"
    found = await place.run("ui", major, "stop", name)
    after = found["after"]

    # 202 where the end takes longer than a second to come.
    assert found["stopped"]["http"] in (200, 202)
    assert [("user", f"hold {name}", None), ("assistant", HALF, "incomplete")] == _stored(
        found["stored"]["items"]
    )
    assert [("assistant", HALF), ("user", f"say {name} more"), ("assistant", TEXT)] == _said(after)[1:]
    assert ("ready", []) == (after["status"], after["errors"])
    assert "abort" in [chunk["type"] for chunk in after["chunks"]]


@every_version
async def test_cut_connection_is_resumed_by_the_same_page(place: Place, major: str) -> None:
    """The text is the provider's, with nothing twice and nothing left out, in the same message."""
    name = f"cut{major}"
    found = await place.run("ui", major, "cut", name)
    before, after = found["before"], found["after"]

    assert ("error", True) == (before["status"], HALF.startswith(before["messages"][1]["text"]))
    assert [("user", f"hold {name}"), ("assistant", TEXT)] == _said(after)
    assert ("ready", None) == (after["status"], after["error"])
    assert before["messages"][1]["id"] == after["messages"][1]["id"]
    assert 1 == len(place.upstream.asked(f"hold {name}"))


@every_version
async def test_page_that_is_loaded_again_resumes(place: Place, major: str) -> None:
    """Leaving does not stop the answer; once it is whole there is nothing to resume."""
    name = f"reload{major}"
    found = await place.run("ui", major, "reload", name)

    assert ("assistant", TEXT) == _said(found["after"])[-1]
    assert ("ready", None) == (found["after"]["status"], found["after"]["error"])
    assert _said(found["after"]) == _said(found["again"])
    assert [] == found["again"]["chunks"]
    assert 1 == len(place.upstream.asked(f"hold {name}"))


@every_version
async def test_page_that_is_loaded_again_amid_a_tools_answer_resumes(place: Place, major: str) -> None:
    """It shows one message, with the call and its result; the tool was run once."""
    name = f"callreload{major}"
    found = await place.run("ui", major, "callAndReload", name)

    assert 1 == len(found["runs"])
    assert ("ready", None) == (found["after"]["status"], found["after"]["error"])
    assert (
        [("user", f"call hold {name}"), ("assistant", TEXT)] == _said(found["after"]) == _said(found["first"])
    )
    parts = [message["parts"] for message in (found["after"]["messages"][1], found["stored"][1])]
    for each in parts:
        assert ["step-start", "tool-weather", "step-start", "text"] == [part["type"] for part in each]
        call = each[1]
        assert ("output-available", {"sky": "rain"}) == (call["state"], call["output"])
    assert parts[0][1]["input"] == parts[1][1]["input"]
    assert found["after"]["messages"][1]["id"] == found["stored"][1]["id"]


async def test_failover_begins_the_step_again(place: Place) -> None:
    """Version 7 is told to drop what the first model said, by `reset-step`."""
    chat = await place.run("ui", "7", "break", "failover7")

    assert [("user", "break failover7"), ("assistant", TEXT)] == _said(chat)
    assert ("ready", None) == (chat["status"], chat["error"])
    assert 1 == [chunk["type"] for chunk in chat["chunks"]].count("reset-step")
    assert "second:m" == chat["messages"][1]["metadata"]["lor3"]["model"]


@pytest.mark.parametrize("major", ["6", "5"])
async def test_failure_amid_the_text_is_an_error_for_those_who_can_not_reset(
    place: Place, major: str
) -> None:
    """Half an answer is never shown as a whole one."""
    chat = await place.run("ui", major, "break", f"failover{major}")

    assert ("assistant", BROKEN) == _said(chat)[-1]
    assert ("error", [_FAILED]) == (chat["status"], chat["finished"])
    assert "reset-step" not in [chunk["type"] for chunk in chat["chunks"]]
    assert "upstream_error" == json.loads(chat["error"])["code"]


async def test_failure_of_all_models_amid_the_text_is_an_error(place: Place) -> None:
    """After the reset too; what was said last is stored as incomplete."""
    chat = await place.run("ui", "7", "breakAll", "all7")

    assert ("error", "upstream_error") == (chat["status"], json.loads(chat["error"])["code"])
    assert ("assistant", BROKEN, "incomplete") == _stored(chat["items"])[-1]


@every_version
async def test_failure_before_the_text_is_an_error_and_no_message(place: Place, major: str) -> None:
    """The problem's own text, without the provider's."""
    chat = await place.run("ui", major, "refuse", f"refuse{major}")

    assert [("user", f"refuse refuse{major}")] == _said(chat)
    assert ("error", [_FAILED], []) == (chat["status"], chat["finished"], chat["chunks"])
    problem = json.loads(chat["error"])
    assert (400, "invalid_request") == (problem["status"], problem["code"])
    assert "PROVIDER-TEXT" not in json.dumps(chat)


@every_version
async def test_tool_of_the_page_is_called_and_the_answer_goes_on(place: Place, major: str) -> None:
    """One message with both steps; the provider gets the result that the page gave."""
    name = f"call{major}"
    chat = await place.run("ui", major, "call", name)
    asked = place.upstream.asked(f"call {name}")

    assert [("user", f"call {name}"), ("assistant", "It says rain")] == _said(chat)
    parts = chat["messages"][1]["parts"]
    assert ["step-start", "tool-weather", "step-start", "text"] == [part["type"] for part in parts]
    assert ({"city": "Paris"}, "output-available") == (parts[1]["input"], parts[1]["state"])
    assert ["user", "assistant", "tool"] == [message["role"] for message in asked[1].json["messages"]]


async def test_hook_in_react_talks_and_resumes(place: Place) -> None:
    """`useChat` of `@ai-sdk/react`, rendered without a page; `resume` as another page mounts it."""
    found = await place.run("usechat", "hook")

    assert ["say hook", TEXT] == found["said"]
    assert ("streaming", None) == (found["streaming"], found["error"])
    assert ["say hook", TEXT, "hold hook", TEXT] == found["resumed"]
