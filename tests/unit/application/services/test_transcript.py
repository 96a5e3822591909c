"""Events folded into an answer."""

from application.services.transcript import Transcript
from domain.chat import AnswerFinished, AnswerStarted, ProviderEvent, TextDelta, ToolCallDelta, UsageReported
from domain.message import ToolCall


def _fold(*events: ProviderEvent) -> Transcript:
    transcript = Transcript()
    transcript.take(events)
    return transcript


def test_equal_deltas_are_kept_both() -> None:
    """Nothing is de-duplicated by its text."""
    transcript = _fold(
        AnswerStarted(response_id="r1"), TextDelta("ha"), TextDelta("ha"), AnswerFinished(reason="stop")
    )

    assert (transcript.text, transcript.finish_reason, transcript.response_id) == ("haha", "stop", "r1")


def test_last_usage_wins() -> None:
    """Cumulative reports are never summed."""
    transcript = _fold(
        UsageReported(input_tokens=5, output_tokens=1), UsageReported(input_tokens=5, output_tokens=9)
    )

    assert transcript.reported == UsageReported(input_tokens=5, output_tokens=9)


def test_interleaved_tool_calls_are_put_together_by_index() -> None:
    """Arguments are joined as they came."""
    transcript = _fold(
        ToolCallDelta(index=1, id="b", name="g"),
        ToolCallDelta(index=0, id="a", name="f", arguments='{"x"'),
        ToolCallDelta(index=1, arguments="{}"),
        ToolCallDelta(index=0, arguments=":1}"),
        AnswerFinished(reason="tool_calls"),
    )

    assert transcript.tool_calls == (
        ToolCall(id="a", name="f", arguments='{"x":1}'),
        ToolCall(id="b", name="g", arguments="{}"),
    )


def test_call_that_the_limit_cut_is_marked_incomplete() -> None:
    """Truncated arguments are never repaired by guess."""
    transcript = _fold(
        ToolCallDelta(index=0, id="a", name="f", arguments='{"x'), AnswerFinished(reason="length")
    )

    assert transcript.tool_calls == (ToolCall(id="a", name="f", arguments='{"x', complete=False),)


def test_call_whose_arguments_are_no_json_is_marked_incomplete() -> None:
    """A piece that was lost on the way shows only there: the answer itself says that it is whole."""
    transcript = _fold(
        ToolCallDelta(index=0, id="a", name="f", arguments='{"x"'),
        ToolCallDelta(index=1, id="b", name="g"),
        ToolCallDelta(index=2, id="c", name="h", arguments="[" * 100_000),
        AnswerFinished(reason="tool_calls"),
    )

    assert [call.complete for call in transcript.tool_calls] == [False, True, False]
