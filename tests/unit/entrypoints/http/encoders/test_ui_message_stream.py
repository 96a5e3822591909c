"""The UI message stream, part by part, for each version of the AI SDK."""

import json
from collections.abc import Sequence
from typing import Any, Final

import attrs
import pytest

from domain.answer import ChatDone, ChatEvent, Delta, Reset, ToolCalled, ToolCallGrew
from domain.errors import ChatFailed
from domain.live_answer import Portion
from domain.message import ToolCall
from domain.model import ModelRef
from entrypoints.http.encoders.ui_message_stream import (
    AI_SDK_5,
    AI_SDK_6,
    AI_SDK_7,
    Dialect,
    UIMessageEncoder,
)
from tests.support.http import MODEL, an_answer, started
from tests.support.ui_chats import parts_of

DIALECTS: Final = (AI_SDK_5, AI_SDK_6, AI_SDK_7)
RESET: Final = Reset(reason="connection_lost", from_model=MODEL, to_model=ModelRef("a", "b"))
CALL: Final = ToolCall(id="c1", name="weather", arguments='{"city":"Paris"}')
GREW: Final = (
    ToolCallGrew(index=0, id="c1", name="weather", arguments=""),
    ToolCallGrew(index=0, arguments='{"city":'),
    ToolCallGrew(index=0, arguments='"Paris"}'),
)

# `uiMessageChunkSchema` of the first releases of 5 and 6, which throw on anything else: type → fields.
_COMMON: Final = {
    "text-start": {"id"},
    "text-delta": {"id", "delta"},
    "text-end": {"id"},
    "error": {"errorText"},
    "tool-input-start": {"toolCallId", "toolName"},
    "tool-input-delta": {"toolCallId", "inputTextDelta"},
    "tool-input-available": {"toolCallId", "toolName", "input"},
    "start-step": set(),
    "finish-step": set(),
    "start": {"messageId", "messageMetadata"},
    "abort": set(),
    "message-metadata": {"messageMetadata"},
}
KNOWN: Final[dict[Dialect, dict[str, set[str]]]] = {
    AI_SDK_5: {**_COMMON, "finish": {"messageMetadata"}},
    AI_SDK_6: {
        **_COMMON,
        "finish": {"messageMetadata", "finishReason"},
        "tool-input-error": {"toolCallId", "toolName", "input", "errorText"},
    },
}


def parts(
    dialect: Dialect,
    events: Sequence[ChatEvent],
    *,
    failure: ChatFailed | None = None,
    shown_as: str | None = None,
) -> list[dict[str, Any]]:
    """Of events that come one by one; together they are the same."""
    apart = UIMessageEncoder(dialect=dialect, shown_as=shown_as)
    at_once = UIMessageEncoder(dialect=dialect, shown_as=shown_as)
    raw = b"".join(apart.encode(Portion(begins=0, events=(each,))) for each in events)
    whole = at_once.encode(Portion(begins=0, events=events))
    raw += apart.close(failure, request_id="r")
    assert raw == whole + at_once.close(failure, request_id="r")
    return parts_of(raw)


def kinds(found: Sequence[dict[str, Any]]) -> list[str]:
    return [each["type"] for each in found]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_text_is_one_part_between_start_and_finish(dialect: Dialect) -> None:
    """What lor3 says of the answer stands in the metadata alone."""
    start, step, begun, first, second, ended, last, finish = parts(
        dialect, (started(), Delta("Hel"), Delta("lo\n\u2028"), ChatDone(an_answer()))
    )
    answer = an_answer()

    assert {"type": "start", "messageId": answer.message_id} == {
        key: start[key] for key in ("type", "messageId")
    }
    assert {"type": "start-step"} == step
    assert {"type": "text-start", "id": "text-1"} == begun
    assert {"type": "text-delta", "id": "text-1", "delta": "Hel"} == first
    assert {"type": "text-delta", "id": "text-1", "delta": "lo\n\u2028"} == second
    assert {"type": "text-end", "id": "text-1"} == ended
    assert {"type": "finish-step"} == last
    told = finish["messageMetadata"]["lor3"]
    assert (answer.message_id, "demo:scripted", "0.005168") == (
        told["message_id"], told["model"], told["cost_usd"]
    )  # fmt: skip
    assert (None if dialect == AI_SDK_5 else "stop") == finish.get("finishReason")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content-filter"),
        ("tool_calls", "tool-calls"),
    ],
)
def test_finish_reasons_have_the_sdks_names(reason: Any, told: str) -> None:
    """All that a provider may give."""
    found = parts(AI_SDK_7, (started(), ChatDone(an_answer(finish_reason=reason))))

    assert told == found[-1]["finishReason"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_calls_grow_and_are_given_whole_at_the_end(dialect: Dialect) -> None:
    """A client runs a tool as soon as its input is there, so that comes after the commit."""
    found = parts(
        dialect,
        (started(), Delta("Let me look."), *GREW, ToolCalled(CALL), ChatDone(an_answer(tool_calls=(CALL,)))),
    )

    assert [
        "start", "start-step", "text-start", "text-delta", "text-end", "tool-input-start", "tool-input-delta",
        "tool-input-delta", "tool-input-available", "finish-step", "finish",
    ] == kinds(found)  # fmt: skip
    assert {"type": "tool-input-start", "toolCallId": "c1", "toolName": "weather"} == found[5]
    assert CALL.arguments == "".join(each["inputTextDelta"] for each in found[6:8])
    assert {
        "type": "tool-input-available",
        "toolCallId": "c1",
        "toolName": "weather",
        "input": {"city": "Paris"},
    } == found[8]


@pytest.mark.parametrize("arguments", ['{"city":', "[1]", "nonsense"])
def test_input_that_no_tool_can_take_is_an_error_of_the_call(arguments: str) -> None:
    """Those who don't know that part see a call that never ended: no tool is run either way."""
    call = attrs.evolve(CALL, arguments=arguments)
    events = (started(), ToolCalled(call), ChatDone(an_answer()))

    assert [False, True, True] == ["tool-input-error" in kinds(parts(each, events)) for each in DIALECTS]
    assert all("tool-input-available" not in kinds(parts(each, events)) for each in DIALECTS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stopped_answer_ends_with_abort_and_runs_no_tool(dialect: Dialect) -> None:
    """Its metadata is told before, since nothing follows."""
    stopped = an_answer(finish_reason="stopped", tool_calls=(CALL,))
    found = parts(dialect, (started(), Delta("a"), *GREW, ToolCalled(CALL), ChatDone(stopped)))

    assert ["finish-step", "message-metadata", "abort"] == kinds(found)[-3:]
    assert {"type": "abort"} == found[-1]
    assert "tool-input-available" not in kinds(found)


def test_a_reset_drops_the_step_for_those_who_know_it() -> None:
    """The text that follows is another one. For the others answers are made without it."""
    found = parts(AI_SDK_7, (started(), Delta("a"), *GREW, RESET, Delta("b"), ChatDone(an_answer())))

    assert [True, False, False] == [UIMessageEncoder(dialect=each).may_reset for each in DIALECTS[::-1]]
    assert ["reset-step", "text-start", "text-delta", "text-end", "finish-step", "finish"] == kinds(found)[
        -6:
    ]
    assert "text-2" == found[-5]["id"]
    assert all(
        "reset-step" not in kinds(parts(each, (started(), Delta("a"), RESET)))
        for each in (AI_SDK_5, AI_SDK_6)
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_failure_is_the_last_part(dialect: Dialect) -> None:
    """A problem object, as the body of an answer that failed at once is."""
    found = parts(
        dialect, (started(), Delta("a")), failure=ChatFailed("upstream_error", "cut", retryable=True)
    )
    problem = json.loads(found[-1]["errorText"])

    assert ["text-end", "error"] == kinds(found)[-2:]
    assert ("upstream_error", "cut", 502, "r", True) == tuple(
        problem[key] for key in ("code", "detail", "status", "request_id", "retryable")
    )


def test_an_answer_that_goes_on_with_a_message_has_its_id() -> None:
    """Or the client would show two."""
    found = parts(AI_SDK_7, (started(), ChatDone(an_answer())), shown_as="theirs")

    assert "theirs" == found[0]["messageId"]
    assert started().message_id == found[0]["messageMetadata"]["lor3"]["message_id"]


@pytest.mark.parametrize("dialect", [AI_SDK_5, AI_SDK_6])
def test_strict_versions_see_nothing_they_do_not_know(dialect: Dialect) -> None:
    """Whatever happens to an answer."""
    broken = attrs.evolve(CALL, id="c2", arguments="{", complete=False)
    said = (started(), Delta("a"), *GREW, Delta("b"))
    ways: tuple[tuple[ChatEvent, ...], ...] = (
        (*said, ToolCalled(CALL), ToolCalled(broken), ChatDone(an_answer())),
        (*said, RESET, Delta("c"), ChatDone(an_answer(finish_reason="stopped"))),
        (ToolCallGrew(index=0, arguments="{"), ChatDone(an_answer())),
        said,
    )
    known = KNOWN[dialect]
    for way in ways:
        for part in parts(dialect, way, failure=ChatFailed("upstream_error", "cut", retryable=True)):
            assert part["type"] in known, part
            assert set(part) - {"type"} <= known[part["type"]], part
