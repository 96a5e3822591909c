"""Events of answers as bytes and back."""

import json
from collections.abc import Sequence

import attrs
import pytest

from adapters.cache.error_codec import decode_error, encode_error
from adapters.cache.event_codec import (
    NOTHING_YET,
    Unreadable,
    decode_entry,
    encode_ending,
    encode_portion,
)
from domain import errors
from domain.answer import ChatDone, ChatEvent, ChatStarted, Delta, Reset, ToolCalled, ToolCallGrew
from domain.errors import AnswerInterrupted, AnswerUnknown, ChatFailed, Fault, InvalidRequest, LorError
from domain.live_answer import RUN, Ending, Portion
from domain.message import ToolCall
from domain.model import ModelRef
from tests.support.http import an_answer, started

_CALL = ToolCall(id="", name="näme", arguments='{"a": "\n', complete=False)


@pytest.mark.parametrize(
    "events",
    [
        (),
        (Delta(""),),
        (Delta("a"), Delta("\n\r\0\u2028\U0001f600"), Delta("\\n")),
        (Delta("\ud83d"), Delta("\ude00")),
        (started(), attrs.evolve(started(), prompt_version="agent:v3", is_replay=True)),
        (ToolCallGrew(index=3), ToolCallGrew(index=0, id="i", name="\udfff", arguments="[")),
        (ToolCalled(_CALL), ToolCalled(attrs.evolve(_CALL, complete=True))),
        (Reset(reason="r", from_model=ModelRef("a", "b:c"), to_model=ModelRef("d", "e")), Delta("x")),
        (ChatDone(an_answer()),),
        (ChatDone(an_answer(is_replay=True, output={"\ud800": [2**80, 1.0, None]}, tool_calls=(_CALL,))),),
    ],
)
def test_events_come_back_as_they_were(events: Sequence[ChatEvent]) -> None:
    """In the same pieces, and on one line."""
    portion = Portion(begins=RUN + 17, events=tuple(events))
    line = encode_portion(portion)

    assert [portion] == list(decode_entry(line))
    assert b"\n" not in line


def test_an_entry_holds_several_portions_and_the_end() -> None:
    """In order."""
    one, two = Portion(begins=0, events=(started(),)), Portion(begins=1, events=(Delta("a"),))
    value = b"\n".join([NOTHING_YET, encode_portion(one), encode_portion(two), encode_ending(Ending())])

    assert [Portion(begins=0, events=()), one, two, Ending()] == list(decode_entry(value))


def test_texts_alone_are_little_more_than_themselves() -> None:
    """The common case."""
    assert b'[17,"Hel","lo"]' == encode_portion(Portion(begins=17, events=(Delta("Hel"), Delta("lo"))))


@pytest.mark.parametrize(
    "error",
    [
        LorError("an unexpected fault"),
        InvalidRequest.of(Fault(path="model", message="is none"), Fault(path="", message="ü")),
        errors.ContextTooLong("too long", (Fault(path="prompt", message="is too long"),)),
        errors.AnswerStopped("stopped"),
        errors.ThreadBusy("busy"),
        errors.KeyInFlight("in flight", retry_after_s=7.5),
        errors.StorageUnavailable("away"),
        errors.UnreadableVersion("a:v1"),
        errors.AnswerInterrupted("cut"),
        errors.OutputInvalid("no JSON"),
        ChatFailed("upstream_rate_limited", "all failed", retryable=True, retry_after_s=12),
        ChatFailed("a_code_of_the_future", "failed", retryable=False),
    ],
)
def test_errors_say_the_same_to_callers(error: LorError) -> None:
    """Of the same class, or of one that tells no less."""
    (ending,) = decode_entry(encode_ending(Ending(error=error)))

    assert isinstance(ending, Ending)
    told = ending.error
    assert told is not None
    assert encode_error(error) == encode_error(told)
    assert str(error) == str(told)
    assert isinstance(error, type(told))


def test_what_is_not_shared_any_longer_has_no_end_there() -> None:
    """Its readers come back to the place where they stood: the error has none."""
    endings = [Ending(error=AnswerInterrupted("gone")), Ending(error=AnswerUnknown("too long")), Ending()]
    told = [each for ending in endings for each in decode_entry(encode_ending(ending))]

    assert [True, False, True] == [each.is_for_all for each in told if isinstance(each, Ending)]


def test_what_an_error_is_told_as_is_its_own() -> None:
    """The class of all others with that code stays as it is."""
    decode_error({**encode_error(errors.AnswerStopped("s")), "retryable": True, "retry_after_s": 3.0})

    assert (False, None) == (errors.AnswerStopped.retryable, errors.AnswerStopped.retry_after_s)


_DONE = json.loads(encode_portion(Portion(begins=0, events=(ChatDone(an_answer()),))))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "[0]",
        7,
        b"",
        b"\xff",
        b"null",
        b"1",
        b'"[0]"',
        b"[]",
        b"{}",
        b"[-1]",
        b"[1.0]",
        b"[true]",
        b"[null]",
        b'["0"]',
        b"[0,1]",
        b"[0,null]",
        b"[0,[]]",
        b"[0,{}]",
        b'[0,["g",0,null,null]]',
        b'[0,["g","0",null,null,""]]',
        b'[0,["g",true,null,null,""]]',
        b'[0,["c","i","n","a",1]]',
        b'[0,["r","x",["a"],["b","c"]]]',
        b'[0,["r","x","ab",["b",1]]]',
        b'[0,["s","m","t","s",["a","b"],1,false]]',
        b'[0,["d",{},false]]',
        json.dumps([0, ["d", _DONE[1][1][:-1], False]]).encode(),
        b'{"error":1}',
        b'{"error":{}}',
        b'{"error":{"code":"x","detail":"y","retryable":0,"retry_after_s":null}}',
        b'{"error":{"code":"x","detail":"y","retryable":true,"retry_after_s":"1"}}',
        b'{"error":{"code":"invalid_request","detail":"y","retryable":true,"retry_after_s":1,"faults":[1]}}',
        b'{"error":{"code":"invalid_request","detail":"y","retryable":true,"retry_after_s":1,"faults":[[1,2]]}}',
        b"[" * 100_000,
        b'[0,"a"]\n',
    ],
)
def test_garbage_is_unreadable(value: object) -> None:
    """And is never guessed at."""
    with pytest.raises(Unreadable):
        list(decode_entry(value))


def test_a_line_that_is_unreadable_comes_after_those_that_are_not() -> None:
    """They are handed on first."""
    lines = decode_entry(b'[0,"a"]\n[')

    assert Portion(begins=0, events=(Delta("a"),)) == next(lines)
    with pytest.raises(Unreadable):
        next(lines)


def test_every_event_has_a_form() -> None:
    """A new kind of event must get one: else it is taken for a text."""
    assert {ChatStarted, Delta, ToolCallGrew, ToolCalled, Reset, ChatDone} == set(ChatEvent.__args__)
