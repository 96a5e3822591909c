"""The streamed answers that a process makes."""

import asyncio
from typing import Any

import pytest

from application.ports.event_log import AnswerAddress
from application.services import live_answers
from application.services.live_answers import LiveAnswers
from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatAdmitted, ChatDone, ChatEvent, Delta
from domain.errors import AnswerInterrupted, AnswerStopped, ChatFailed, LorError
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.live_answer import Ending
from lor3.testing import LocalEventLog
from tests.support.http import ScriptedSendChat, an_answer, started
from tests.support.shared_events import EventHub, SharedLog

COMMAND = SendChatCommand(request_id="r")
SHORT: "list[ChatEvent]" = [started(), Delta("Hi."), ChatDone(an_answer())]


def admitted(message_id: str = "m") -> Any:
    return ChatAdmitted(message_id=MessageId(message_id), thread_id=ThreadId("t"), session_id=SessionId("s"))


class Script(ScriptedSendChat):
    """Hands `ChatAdmitted` on as it is; other events in batches of one."""

    async def stream(self, command: SendChatCommand, *, stop: Any = None) -> Any:
        async for batch in super().stream(command, stop=stop):
            yield batch[0] if isinstance(batch[0], ChatAdmitted) else batch


def live(script: list[Any], event_log: Any = None) -> tuple[LiveAnswers, Script]:
    chat = Script(script=script)
    return LiveAnswers(send_chat=chat, event_log=event_log or LocalEventLog()), chat


async def test_an_answer_is_found_from_its_admission_on_and_after_its_end() -> None:
    """By its tenant alone."""
    go = asyncio.Event()
    answers, _ = live([admitted(), started(), go, *SHORT[1:]])
    answer = answers.start(COMMAND)
    before = answers.find(DEFAULT_TENANT, MessageId("m"))
    await answer.log.reader().wait(within_s=5)
    found = answers.find(DEFAULT_TENANT, MessageId("m"))
    foreign = answers.find(Tenant("other"), MessageId("m"))
    go.set()
    await answer.task

    assert before is foreign is None
    assert answer.log is found is answers.find(DEFAULT_TENANT, MessageId("m"))
    assert answer.log.message_id == "m"
    assert answers.is_idle


async def test_a_name_belongs_to_the_answer_that_was_admitted_with_it() -> None:
    """Another request with it does not take it, unless it is admitted itself; it ends with its answer."""
    go = asyncio.Event()
    answers, chat = live([admitted(), started(), go, *SHORT[1:]])
    first = answers.start(COMMAND, names=("key:k",))
    await first.log.reader().wait(within_s=5)
    chat.script = [ChatFailed("x", "refused", retryable=False)]
    second = answers.start(COMMAND, names=("key:k",))
    await second.task
    named = answers.named(DEFAULT_TENANT, "key:k")
    go.set()
    await first.task

    assert first is named
    assert answers.named(DEFAULT_TENANT, "key:k") is None


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (ChatFailed("upstream_error", "x", retryable=True), "upstream_error", 0),
        (RuntimeError("CANARY"), "internal_error", 1),
    ],
)
async def test_a_failure_ends_the_log(raised: Exception, code: str, told: int) -> None:
    """One that nobody meant shows nothing of itself, and is handed to whoever writes the log."""
    faults: list[Exception] = []
    answers, _ = live([admitted(), started(), raised])
    answer = answers.start(COMMAND, on_fault=faults.append)
    await answer.task

    assert answer.log.ending is not None
    assert answer.log.ending.error is not None
    assert (code, told) == (answer.log.ending.error.code, len(faults))
    assert "CANARY" not in answer.log.ending.error.detail


async def test_what_waits_for_its_turn_is_stopped_at_once() -> None:
    """It has no id, and nothing is stored of it."""
    answers, chat = live([60.0])
    answer = answers.start(COMMAND, names=("chat:c",))
    await chat.called.wait()
    answers.stop(answer)
    await answer.task

    assert answer.log.ending is not None
    assert isinstance(answer.log.ending.error, AnswerStopped)
    assert chat.ended == ["cancelled"]


async def test_what_has_not_taken_its_first_step_is_stopped_too() -> None:
    """Nobody waits for an end that no task would bring."""
    answers, chat = live([60.0])
    answer = answers.start(COMMAND, names=("chat:c",))
    answers.stop(answer)
    await asyncio.wait([answer.task])
    await asyncio.sleep(0)

    assert answer.log.ending is not None
    assert isinstance(answer.log.ending.error, AnswerStopped)
    assert answers.named(DEFAULT_TENANT, "chat:c") is None
    assert not chat.commands


@pytest.mark.parametrize("on_disconnect", ["finish", "cancel"])
async def test_the_last_reader_decides(on_disconnect: Any) -> None:
    """Whichever it is; what goes on unread counts as load until it ends."""
    go = asyncio.Event()
    answers, _ = live([admitted(), started(), go, *SHORT[1:]])
    answer = answers.start(SendChatCommand(request_id="r", on_disconnect=on_disconnect))
    first, second = answer.log.reader(), answer.log.reader()
    await first.wait(within_s=5)
    first.close()
    read = answers.unread
    second.close()
    unread = answers.unread
    go.set()
    await asyncio.wait([answer.task])

    assert (0, 1, 0) == (read, unread, answers.unread)
    assert answer.stop.is_set == (on_disconnect == "cancel")


async def test_a_reader_who_comes_back_is_no_load_twice() -> None:
    """The one who left counts until another one reads, whose own request counts from then on."""
    go = asyncio.Event()
    answers, _ = live([admitted(), started(), go, *SHORT[1:]])
    answer = answers.start(COMMAND)
    first = answer.log.reader()
    await first.wait(within_s=5)
    first.close()
    left = answers.unread
    second = answer.log.reader()
    third = answer.log.reader()
    back = answers.unread
    second.close()
    third.close()
    again = answers.unread
    go.set()
    await answer.task

    assert (1, 0, 1, 0) == (left, back, again, answers.unread)


async def test_the_drain_tells_readers_why() -> None:
    """Without a reason the answer was interrupted."""
    for because in (LorError("stopping"), None):
        answers, _ = live([admitted(), started(), 60.0])
        answer = answers.start(COMMAND)
        await answer.log.reader().wait(within_s=5)
        await answers.drain(within_s=0, because=because)

        assert answer.log.ending is not None
        error = answer.log.ending.error
        assert error is because if because else isinstance(error, AnswerInterrupted)
        assert answers.is_idle


async def test_old_answers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last ones are kept, by number and by size."""
    monkeypatch.setattr(live_answers, "KEPT", 2)
    answers, chat = live([])
    for number in range(4):
        chat.script = [admitted(str(number)), *SHORT]
        await answers.start(COMMAND).task
    by_number = [answers.find(DEFAULT_TENANT, MessageId(str(number))) is not None for number in range(4)]
    monkeypatch.setattr(live_answers, "KEPT_CHARACTERS", 55)
    chat.script = [admitted("long"), started(), Delta("x" * 45), ChatDone(an_answer())]
    await answers.start(COMMAND).task

    assert [False, False, True, True] == by_number
    assert answers.find(DEFAULT_TENANT, MessageId("3")) is None
    assert answers.find(DEFAULT_TENANT, MessageId("long")) is not None


async def test_others_are_told_all_of_it_in_order() -> None:
    """Its begin with its names, its events with their places, its end; and they may ask it to stop."""
    hub = EventHub()
    go = asyncio.Event()
    answers, _ = live([admitted(), *SHORT[:2], go, SHORT[2]], SharedLog(hub))
    answer = answers.start(COMMAND, names=("chat:c",))
    reader = answer.log.reader()
    while reader.position < 4:
        await reader.wait(within_s=5)
        reader.take()
    address = AnswerAddress(DEFAULT_TENANT, MessageId("m"))
    await SharedLog(hub).ask_to_stop(address)
    stopped = answer.stop.is_set
    go.set()
    await answer.task
    told = hub.told[address]

    assert stopped
    assert await SharedLog(hub).find(DEFAULT_TENANT, "chat:c") == "m"
    assert [0, 1, 4] == [portion.begins for portion in told.portions]
    assert SHORT == [event for portion in told.portions for event in portion.events]
    assert told.ending == Ending()
