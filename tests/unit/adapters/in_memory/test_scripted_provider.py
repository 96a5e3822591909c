"""The provider that testers use."""

import pytest

from adapters.in_memory.scripted_provider import ScriptedProvider
from adapters.testing.chat_provider_suite import call_for, events_of, text_of
from domain.chat import AnswerFinished, AnswerStarted, ProviderEvent, TextDelta
from domain.errors import ProviderFailure


async def test_answers_come_in_turn_and_the_last_one_stays() -> None:
    """Texts, and functions of the call."""
    provider = ScriptedProvider(["One", lambda call: call.request.messages[-1].text.upper()])

    texts = [text_of(await events_of(provider, call_for(text))) for text in ("a", "b", "c")]

    assert texts == ["One", "B", "C"]
    assert [call.request.messages[-1].text for call in provider.calls] == ["a", "b", "c"]


async def test_a_failure_in_the_script_is_raised() -> None:
    """And the next answer is the next one."""
    provider = ScriptedProvider([ProviderFailure("overloaded", "scripted"), "Fine"])

    with pytest.raises(ProviderFailure) as caught:
        await events_of(provider, call_for())

    assert caught.value.kind == "overloaded"
    assert text_of(await events_of(provider, call_for())) == "Fine"


async def test_a_failure_among_events_is_raised_at_its_place() -> None:
    """As a stream that breaks."""
    provider = ScriptedProvider(
        [[AnswerStarted(), TextDelta("So f"), ProviderFailure("connection_lost", "cut")]]
    )
    seen: list[ProviderEvent] = []

    async def read() -> None:
        async with provider.open(call_for(stream=True)) as batches:
            async for batch in batches:
                seen.extend(batch)

    with pytest.raises(ProviderFailure):
        await read()

    assert [AnswerStarted(), TextDelta("So f")] == seen


async def test_without_answers_it_echoes() -> None:
    """The shortest set-up there is."""
    events = await events_of(ScriptedProvider(), call_for("Ping"))

    assert text_of(events) == "Ping"
    assert AnswerFinished(reason="stop") == events[-1]


async def test_a_closed_one_fails_calls() -> None:
    """As the real ones do."""
    provider = ScriptedProvider(["x"])
    await provider.aclose()

    with pytest.raises(ProviderFailure) as caught:
        await events_of(provider, call_for())

    assert caught.value.kind == "connection_lost"
