"""An answer that grows on a terminal."""

import pytest

from application.use_cases.chat_command import SendChatCommand
from domain.chat import AnswerFinished, TextDelta
from domain.errors import ChatFailed, ProviderFailure
from domain.message import Message
from entrypoints.cli.sending import Live, _stream
from lor3.testing import ScriptedProvider, fake_application

LOST = ProviderFailure("connection_lost", "it went away")
COMMAND = SendChatCommand(request_id="r", messages=(Message.of("user", "Say it."),))


async def test_a_model_that_breaks_off_is_followed_by_another(capsys: pytest.CaptureFixture[str]) -> None:
    """What it said stays to be seen, on lines of its own; why it went is no part of the answer."""
    broken = ScriptedProvider([[TextDelta("Once"), LOST]])
    whole = ScriptedProvider([[TextDelta("There "), TextDelta("was."), AnswerFinished(reason="stop")]])
    live = Live(thread=None)
    async with fake_application({"a": broken, "b": whole}, fallbacks=("b:y",)) as lor3:
        answer = await _stream(lor3, COMMAND, live)
    printed = capsys.readouterr()

    assert printed.out == "Once\nThere was.\n"
    assert "— a:test: connection_lost; b:y starts again —\n" in printed.err
    assert (answer.output, answer.thread_id) == ("There was.", live.thread)


async def test_an_error_inside_the_answer_stands_on_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The text so far is closed before anything else is said."""
    broken = ScriptedProvider([[TextDelta("Once upon"), LOST]])
    async with fake_application({"a": broken}) as lor3:
        with pytest.raises(ChatFailed):
            await _stream(lor3, COMMAND, Live(thread=None))

    assert capsys.readouterr().out == "Once upon\n"


async def test_lines_break_at_blanks_while_an_answer_grows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a terminal of that width; what is held back when a model breaks off is shown, too."""
    monkeypatch.setattr("entrypoints.cli.sending.columns_of", lambda stream: 12)
    broken = ScriptedProvider([[TextDelta("Start lor3 a"), LOST]])
    pieces = [TextDelta(text) for text in ("Start lor3 a", "gain to g", "et it")]
    whole = ScriptedProvider([[*pieces, AnswerFinished(reason="stop")]])
    async with fake_application({"a": broken, "b": whole}, fallbacks=("b:y",)) as lor3:
        await _stream(lor3, COMMAND, Live(thread=None))

    assert capsys.readouterr().out == "Start lor3 a\nStart lor3\nagain to get\nit\n"
