"""SendChat, wired as in production on the shipped fakes."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import attrs
import pytest

from application.ports.chat_provider import ChatProvider, ProviderCall, Timeouts, WireRequest
from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatDone, ChatEvent, ChatStarted, ContextUse, Delta, Reset, ToolCalled
from domain.chat import AnswerFinished, ProviderEvent, TextDelta, Tool, ToolCallDelta
from domain.errors import (
    ChatFailed,
    ContextTooLong,
    InvalidRequest,
    LorError,
    NoCapableModel,
    NotFound,
    OutputInvalid,
    ProviderFailure,
    StorageUnavailable,
)
from domain.ids import ThreadId
from domain.message import Message, ToolCall
from domain.model import ModelRef, ModelSpec
from domain.routing.settings import BreakerPolicy, RoutingPolicy
from domain.telemetry import BreakerMoved, ChatAnswered, ChatCut, ChatLost, ChatRefused, FallbackTaken
from domain.thread import StoredMessage
from entrypoints.application import Application
from lor3.testing import (
    InMemoryStore,
    RecordingTelemetry,
    ScriptedProvider,
    fake_application,
    fake_settings,
)
from tests.support.streams import streamed

FAST = RoutingPolicy(retry_base_s=0.0)
SERVER_ERROR = ProviderFailure("server_error", "it broke", status=500)


def ask(text: str = "What is the capital of France?", **fields: object) -> SendChatCommand:
    command = SendChatCommand(request_id="r1", messages=(Message.of("user", text),))
    return attrs.evolve(command, **fields)  # type: ignore[arg-type] # a test's own keywords


def stored(store: InMemoryStore) -> list[StoredMessage]:
    return [message for turns in store.shelves.turns.values() for message in turns]


async def drain(events: object) -> list[ChatEvent]:
    return [event async for event in events]  # type: ignore[attr-defined] # an async iterator of events


async def test_answer_is_stored_with_all_that_is_known_of_it() -> None:
    """Turn and answer are two rows of one thread; the answer names model, tokens and attempts."""
    store = InMemoryStore()
    async with fake_application({"a": ScriptedProvider(["Paris."])}, store=store) as lor3:
        answer = await lor3.send_chat.execute(ask(user="u1", metadata=(("page", "faq"),)))

    turn, reply = stored(store)
    assert answer.output == "Paris."
    assert answer.finish_reason == "stop"
    assert (turn.message.text, turn.position) == ("What is the capital of France?", 0)
    assert (reply.id, reply.message.text, reply.position) == (answer.message_id, "Paris.", 1)
    assert (reply.model, reply.status, reply.metadata) == (
        ModelRef("a", "test"),
        "complete",
        (("page", "faq"),),
    )
    assert reply.usage == answer.usage
    assert [each.outcome for each in store.shelves.attempts[reply.tenant, reply.id]] == ["ok"]
    assert answer.cost_usd is None  # no price is known, which is not the same as free


async def test_failing_primary_falls_back_after_one_retry() -> None:
    """Three attempts: the primary twice, then the fallback, whose name the answer bears."""
    broken, healthy = ScriptedProvider([SERVER_ERROR]), ScriptedProvider(["Paris."])
    telemetry = RecordingTelemetry()
    providers = {"a": broken, "b": healthy}
    settings = fake_settings(providers, primary="a:x", fallbacks=("b:y",), routing=FAST)
    async with fake_application(providers, settings=settings, telemetry=telemetry) as lor3:
        answer = await lor3.send_chat.execute(ask())

    assert [(str(each.model), each.outcome) for each in answer.attempts] == [
        ("a:x", "server_error"),
        ("a:x", "server_error"),
        ("b:y", "ok"),
    ]
    assert answer.model == ModelRef("b", "y")
    assert [each.cost_usd for each in answer.attempts[:2]] == [Decimal(0), Decimal(0)]
    assert answer.fallbacks == 1
    assert [(str(each.from_model), str(each.to_model)) for each in telemetry.of(FallbackTaken)] == [
        ("a:x", "b:y")
    ]
    assert len(telemetry.of(ChatAnswered)) == 1


async def test_caller_can_turn_fallback_off() -> None:
    """`fallbacks: []` leaves the primary alone."""
    healthy = ScriptedProvider(["Paris."])
    providers = {"a": ScriptedProvider([SERVER_ERROR]), "b": healthy}
    settings = fake_settings(providers, primary="a:x", fallbacks=("b:y",), routing=FAST)
    async with fake_application(providers, settings=settings) as lor3:
        with pytest.raises(ChatFailed) as failed:
            await lor3.send_chat.execute(ask(fallbacks=()))

    assert failed.value.code == "upstream_error"
    assert healthy.calls == []


@pytest.mark.parametrize(
    ("kind", "code", "error"),
    [
        ("rate_limited", "upstream_rate_limited", ChatFailed),
        ("quota_exhausted", "upstream_quota", ChatFailed),
        ("auth", "upstream_auth", ChatFailed),
        ("forbidden", "upstream_auth", ChatFailed),
        ("model_not_found", "upstream_model_not_found", ChatFailed),
        ("timeout", "upstream_timeout", ChatFailed),
        ("no_answer", "upstream_timeout", ChatFailed),
        ("tls", "upstream_tls", ChatFailed),
        ("too_large", "upstream_too_large", ChatFailed),
        ("bad_body", "bad_upstream_body", ChatFailed),
        ("exhausted", "overloaded", ChatFailed),
        ("bad_request", "invalid_request", InvalidRequest),
        ("content_filtered", "content_filtered", InvalidRequest),
        ("context_too_long", "context_length_exceeded", ContextTooLong),
    ],
)
async def test_failure_kind_decides_the_public_code(kind: str, code: str, error: type[LorError]) -> None:
    """One provider, one failure, one code; the turn and the failure are stored, nothing is charged."""
    store, telemetry = InMemoryStore(), RecordingTelemetry()
    failure = ProviderFailure(kind, "in the provider's words: sk-canary")  # type: ignore[arg-type] # from the table
    providers = {"a": ScriptedProvider([failure])}
    settings = fake_settings(providers, primary="a:x", routing=FAST)
    async with fake_application(providers, settings=settings, store=store, telemetry=telemetry) as lor3:
        with pytest.raises(error) as failed:
            await lor3.send_chat.execute(ask())

    turn, row = stored(store)
    assert failed.value.code == code
    assert "canary" not in failed.value.detail
    assert (turn.status, row.status, row.error_code, row.cost_usd) == ("complete", "failed", code, Decimal(0))
    assert [each.code for each in telemetry.of(ChatRefused)] == [code]


async def test_first_candidates_class_is_the_callers_error() -> None:
    """Fault 53: a fallback's own 400 does not hide the primary's 503."""
    providers = {
        "a": ScriptedProvider([ProviderFailure("overloaded", "", status=503)]),
        "b": ScriptedProvider([ProviderFailure("bad_request", "", status=400)]),
    }
    settings = fake_settings(providers, primary="a:x", fallbacks=("b:y",), routing=FAST)
    async with fake_application(providers, settings=settings) as lor3:
        with pytest.raises(ChatFailed) as failed:
            await lor3.send_chat.execute(ask())

    assert failed.value.code == "upstream_error"
    assert "b:y" in failed.value.detail


async def test_bad_request_is_not_tried_elsewhere() -> None:
    """A request that is wrong here is wrong there."""
    other = ScriptedProvider(["Paris."])
    providers = {"a": ScriptedProvider([ProviderFailure("bad_request", "", parameter="stop")]), "b": other}
    settings = fake_settings(providers, primary="a:x", fallbacks=("b:y",))
    async with fake_application(providers, settings=settings) as lor3:
        with pytest.raises(InvalidRequest) as refused:
            await lor3.send_chat.execute(ask())

    assert [fault.path for fault in refused.value.faults] == ["stop"]
    assert other.calls == []


async def test_too_long_a_prompt_goes_to_a_larger_window_only() -> None:
    """A candidate that is no larger is passed over."""
    small, large = ScriptedProvider(["no"]), ScriptedProvider(["yes"])
    providers = {"a": ScriptedProvider([ProviderFailure("context_too_long", "")]), "b": small, "c": large}
    specs = tuple(
        ModelSpec(ref=ModelRef(name, "m"), context_window=window)
        for name, window in (("a", 100_000), ("b", 50_000), ("c", 900_000))
    )
    settings = fake_settings(providers, primary="a:m", fallbacks=("b:m", "c:m"), specs=specs)
    async with fake_application(providers, settings=settings) as lor3:
        answer = await lor3.send_chat.execute(ask())

    assert (answer.output, small.calls) == ("yes", [])


async def test_retry_after_is_waited_for_or_passed_over() -> None:
    """A long one falls back at once and closes the route for the next request too."""
    limited = ProviderFailure("rate_limited", "", retry_after_s=20.0)
    primary = ScriptedProvider([limited])
    providers = {"a": primary, "b": ScriptedProvider(["Paris."])}
    settings = fake_settings(providers, primary="a:x", fallbacks=("b:y",))
    async with fake_application(providers, settings=settings) as lor3:
        first = await lor3.send_chat.execute(ask())
        second = await lor3.send_chat.execute(ask())

    assert [each.outcome for each in first.attempts] == ["rate_limited", "ok"]
    assert [each.outcome for each in second.attempts] == ["ok"]
    assert (first.fallbacks, second.fallbacks) == (1, 1)
    assert "a:x was passed over" in second.warnings[0]
    assert len(primary.calls) == 1


async def test_closed_route_without_fallback_says_when_to_come_back() -> None:
    """The second caller is refused without a call, with the time left."""
    primary = ScriptedProvider([ProviderFailure("rate_limited", "", retry_after_s=45.0)])
    async with fake_application({"a": primary}) as lor3:
        with pytest.raises(ChatFailed):
            await lor3.send_chat.execute(ask())
        with pytest.raises(ChatFailed) as refused:
            await lor3.send_chat.execute(ask())

    assert refused.value.code == "upstream_rate_limited"
    assert 40 < (refused.value.retry_after_s or 0) <= 45
    assert len(primary.calls) == 1


async def test_breaker_opens_and_spares_a_sick_provider() -> None:
    """After five failures the primary is not asked any more."""
    primary = ScriptedProvider([SERVER_ERROR])
    providers = {"a": primary, "b": ScriptedProvider(["Paris."])}
    routing = attrs.evolve(FAST, breaker=BreakerPolicy(failures=5, open_s=60))
    settings = fake_settings(providers, primary="a:x", fallbacks=("b:y",), routing=routing)
    async with fake_application(providers, settings=settings) as lor3:
        for _ in range(5):
            await lor3.send_chat.execute(ask())
        answer = await lor3.send_chat.execute(ask())

    assert len(primary.calls) == 5
    assert [each.outcome for each in answer.attempts] == ["ok"]
    models = {str(each.spec.ref): each.health for each in lor3.describe_service.execute().models}
    assert models == {"a:x": "down", "b:y": "ok"}


async def test_silent_provider_is_given_up_at_the_first_token_limit() -> None:
    """One attempt, no retry, the fallback answers."""
    silent = _Hanging(timeouts=Timeouts(first_token_s=0.05))
    providers: dict[str, ChatProvider] = {"a": silent, "b": ScriptedProvider(["Paris."])}
    settings = fake_settings(providers, primary="a:x", fallbacks=("b:y",))
    async with fake_application(providers, settings=settings) as lor3:
        answer = await lor3.send_chat.execute(ask())

    assert [each.outcome for each in answer.attempts] == ["no_answer", "ok"]
    assert silent.closed == 1


async def test_slow_model_is_fetched_as_a_stream_afterwards() -> None:
    """An answer that takes half of the limit switches the model over."""
    slow = _Hanging(timeouts=Timeouts(first_token_s=0.6), answer_after_s=0.35)
    async with fake_application({"a": slow}) as lor3:
        await lor3.send_chat.execute(ask())
        await lor3.send_chat.execute(ask())

    assert [call.stream for call in slow.calls] == [False, True]


async def test_stream_gives_start_deltas_and_done() -> None:
    """`done` comes after the commit, and what was seen is what is stored."""
    store = InMemoryStore()
    async with fake_application({"a": ScriptedProvider(["Paris is it."])}, store=store) as lor3:
        events: list[ChatEvent] = []
        async with streamed(lor3, ask(stream=True)) as stream:
            async for event in stream:
                if isinstance(event, ChatDone):
                    assert len(stored(store)) == 2
                events.append(event)

    assert isinstance(events[0], ChatStarted)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "Paris is it."
    assert isinstance(events[-1], ChatDone)
    assert stored(store)[1].message.text == "Paris is it."


async def test_answer_cut_in_the_middle_is_voided_and_begun_anew_elsewhere() -> None:
    """`Reset` stands between the two; the cut attempt is charged, and only the second text is stored."""
    store = InMemoryStore()
    cut = ScriptedProvider([[TextDelta("Lon"), ProviderFailure("connection_lost", "")]])
    providers = {"a": cut, "b": ScriptedProvider(["Paris."])}
    settings = fake_settings(providers, primary="a:x", fallbacks=("b:y",))
    async with fake_application(providers, settings=settings, store=store) as lor3:
        async with streamed(lor3, ask(stream=True)) as stream:
            events = await drain(stream)

    kinds = [type(event) for event in events]
    assert kinds == [ChatStarted, Delta, Reset, Delta, ChatDone]
    assert stored(store)[1].message.text == "Paris."
    assert [each.usage.output_tokens for each in next(iter(store.shelves.attempts.values()))] == [1, 1]


async def test_answer_without_an_end_is_never_a_success() -> None:
    """An iterator that stops without a finish reason is a lost connection; what was shown is kept as incomplete."""
    store = InMemoryStore()
    async with fake_application({"a": ScriptedProvider([[TextDelta("Par")]])}, store=store) as lor3:
        with pytest.raises(ChatFailed):
            async with streamed(lor3, ask(stream=True)) as stream:
                await drain(stream)

    row = stored(store)[1]
    assert (row.status, row.message.text, row.error_code) == ("incomplete", "Par", "upstream_error")


async def test_leaving_a_stream_closes_the_upstream_and_keeps_the_text_so_far() -> None:
    """The row is `incomplete` and charged by estimate."""
    store = InMemoryStore()
    endless = _Hanging(first="Once upon a time")
    async with fake_application({"a": endless}, store=store) as lor3:
        async with streamed(lor3, ask(stream=True)) as stream:
            async for event in stream:
                if isinstance(event, Delta):
                    break

    row = stored(store)[1]
    assert (row.status, row.message.text) == ("incomplete", "Once upon a time")
    assert row.usage is not None
    assert (row.usage.output_tokens, row.usage.estimated) == (4, True)
    assert endless.closed == 1


async def test_cut_chat_is_told_with_what_is_stored() -> None:
    """By the server, which says why, or by a caller who leaves before anything was said."""
    store, telemetry = InMemoryStore(), RecordingTelemetry()
    providers = {"a": _Hanging(first="Once"), "b": _Hanging()}
    async with fake_application(providers, store=store, telemetry=telemetry) as lor3:
        lor3.live_answers.start(ask(stream=True))
        await asyncio.sleep(0.05)
        await lor3.live_answers.drain(within_s=0, because=ChatFailed("shutting_down", "", retryable=True))
        task = asyncio.ensure_future(lor3.send_chat.execute(ask(model="b:m")))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    by_server, by_caller = telemetry.of(ChatCut)
    assert (by_server.stored, by_server.characters, by_server.code) == ("incomplete", 4, "shutting_down")
    assert (by_caller.stored, by_caller.characters, by_caller.code) == ("cancelled", 0, None)
    assert {by_server.message_id, by_caller.message_id} <= {row.id for row in stored(store)}


async def test_cancelled_call_is_stored_as_cancelled() -> None:
    """Nothing was said: the turn is kept, the attempt is recorded."""
    store = InMemoryStore()
    async with fake_application({"a": _Hanging()}, store=store) as lor3:
        task = asyncio.ensure_future(lor3.send_chat.execute(ask()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    row = stored(store)[1]
    assert row.status == "cancelled"
    assert [each.outcome for each in store.shelves.attempts[row.tenant, row.id]] == ["cancelled"]


async def test_thread_remembers_its_last_turns() -> None:
    """The second question goes with the first and its answer."""
    provider = ScriptedProvider(["Paris.", "Two million."])
    async with fake_application({"a": provider}) as lor3:
        first = await lor3.send_chat.execute(ask())
        second = await lor3.send_chat.execute(ask("How many live there?", thread_id=first.thread_id))

    assert [message.text for message in provider.calls[1].request.history] == [
        "What is the capital of France?",
        "Paris.",
    ]
    assert second.context == ContextUse(injected=2, dropped=0)
    assert second.thread_id == first.thread_id
    assert second.session_id == first.session_id


@pytest.mark.parametrize("place", ["thread_id", "session_id"])
async def test_chat_of_another_user_is_refused(place: str) -> None:
    """Nothing is asked or stored; the session's own user, or none, is fine."""
    provider, store = ScriptedProvider(["Paris."]), InMemoryStore()
    async with fake_application({"a": provider}, store=store) as lor3:
        first = await lor3.send_chat.execute(ask(user="a\0da"))
        there = {place: getattr(first, place)}
        for run in (lor3.send_chat.execute, lor3.explain_chat.execute):
            with pytest.raises(InvalidRequest, match="not this user's") as refused:
                await run(ask(**there, user="bob"))
            assert ["user"] == [fault.path for fault in refused.value.faults]
        assert (len(provider.calls), len(stored(store))) == (1, 2)
        for user in ("a\0da", None):
            answer = await lor3.send_chat.execute(ask(**there, user=user))
            assert first.session_id == answer.session_id


async def test_session_of_nobody_takes_any_user_and_keeps_none() -> None:
    """The provider is told of whoever is named."""
    provider, store = ScriptedProvider(["Paris."]), InMemoryStore()
    async with fake_application({"a": provider}, store=store) as lor3:
        first = await lor3.send_chat.execute(ask())
        for user in ("ada", "bob"):
            await lor3.send_chat.execute(ask(thread_id=first.thread_id, user=user))

    assert [None, "ada", "bob"] == [call.request.user for call in provider.calls]
    assert [None] == [session.user for session in store.shelves.sessions.values()]


async def test_context_depth_zero_injects_nothing() -> None:
    """The thread goes on without being shown."""
    provider = ScriptedProvider(["Paris."])
    async with fake_application({"a": provider}) as lor3:
        first = await lor3.send_chat.execute(ask())
        await lor3.send_chat.execute(ask(thread_id=first.thread_id, context_depth=0))

    assert provider.calls[1].request.history == ()


async def test_failed_turns_are_not_remembered() -> None:
    """A question without an answer would make two user turns in a row."""
    provider = ScriptedProvider(["Paris.", ProviderFailure("bad_request", ""), "Two million."])
    async with fake_application({"a": provider}) as lor3:
        first = await lor3.send_chat.execute(ask())
        with pytest.raises(InvalidRequest):
            await lor3.send_chat.execute(ask("What?", thread_id=first.thread_id))
        await lor3.send_chat.execute(ask("How many?", thread_id=first.thread_id))

    assert "What?" not in [message.text for message in provider.calls[2].request.history]


async def test_unknown_thread_is_not_found_and_nothing_is_asked() -> None:
    """The error names the way out."""
    provider = ScriptedProvider(["Paris."])
    async with fake_application({"a": provider}) as lor3:
        with pytest.raises(NotFound, match="thread_id"):
            await lor3.send_chat.execute(ask(thread_id=ThreadId("00000000-0000-7000-8000-00000000dead")))

    assert provider.calls == []


async def test_all_faults_of_a_request_are_named_at_once() -> None:
    """Model, fallback, format and schema in one answer; nothing is stored."""
    store = InMemoryStore()
    async with fake_application({"a": ScriptedProvider()}, store=store) as lor3:
        with pytest.raises(InvalidRequest) as refused:
            await lor3.send_chat.execute(
                ask(model="nope", fallbacks=("b:y",), format="yaml", schema={"type": "nonsense"})
            )

    assert {fault.path.partition(".")[0] for fault in refused.value.faults} == {
        "model",
        "fallbacks[0]",
        "format",
        "schema",
    }
    assert stored(store) == []


async def test_json_is_asked_for_once_more_with_the_problems() -> None:
    """The second ask holds the first answer and what is wrong with it; both are paid for."""
    provider = ScriptedProvider(["Well, no.", '{"city": "Paris"}'])
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    async with fake_application({"a": provider}) as lor3:
        answer = await lor3.send_chat.execute(ask(format="json", schema=schema))

    assert answer.output == {"city": "Paris"}
    assert [message.role for message in provider.calls[1].request.messages] == ["user", "assistant", "user"]
    assert [each.outcome for each in answer.attempts] == ["ok", "ok"]
    assert answer.usage.output_tokens == 4


async def test_json_that_is_wrong_twice_fails() -> None:
    """Stored as failed with what it cost."""
    store = InMemoryStore()
    async with fake_application({"a": ScriptedProvider(["no", "still no"])}, store=store) as lor3:
        with pytest.raises(OutputInvalid):
            await lor3.send_chat.execute(ask(format="json"))

    row = stored(store)[1]
    assert (row.status, row.error_code) == ("failed", "output_invalid")
    assert row.usage is not None
    assert row.usage.output_tokens == 3


async def test_stream_whose_first_answer_was_empty_begins_with_the_second() -> None:
    """`ChatStarted` comes before any text, whoever said it first."""
    async with fake_application({"a": ScriptedProvider(["", '{"ok": 1}'])}) as lor3:
        async with streamed(lor3, ask(format="json", stream=True)) as stream:
            events = await drain(stream)

    kinds = list(dict.fromkeys(type(event) for event in events))
    assert kinds == [ChatStarted, Delta, ChatDone]


async def test_stream_of_json_with_words_around_it_is_told_again_without_them() -> None:
    """The text that a reader puts together is the JSON, and it is what is stored."""
    store, said = InMemoryStore(), 'Here you go:\n```json\n{"ok": 1}\n```'
    async with fake_application({"a": ScriptedProvider([said])}, store=store) as lor3:
        async with streamed(lor3, ask(format="json", stream=True)) as stream:
            events = await drain(stream)

    (reset,) = [index for index, event in enumerate(events) if isinstance(event, Reset)]
    done = events[-1]
    assert [Delta('{"ok": 1}')] == events[reset + 1 : -1]
    assert isinstance(done, ChatDone)
    assert done.answer.output == {"ok": 1}
    assert stored(store)[1].message.text == '{"ok": 1}'


@pytest.mark.parametrize(
    "said", ['So: {"ok": 1}', '```json\n{"ok": 1}\n```', '\xa0{"ok": 1}', '{"ok": 1}\u2028']
)
async def test_stream_of_json_with_words_around_it_fails_where_nothing_can_be_made_void(said: str) -> None:
    """Its reader has words that are no JSON, and can't be told to forget them; blanks of other scripts are words."""
    store = InMemoryStore()
    async with fake_application({"a": ScriptedProvider([said])}, store=store) as lor3:
        with pytest.raises(OutputInvalid, match="around the JSON"):
            async with streamed(lor3, ask(format="json", stream=True, may_reset=False)) as stream:
                await drain(stream)

    assert stored(store)[1].error_code == "output_invalid"


@pytest.mark.parametrize("said", ['{"ok": 1}', ' \n{"ok": 1}\n'])
async def test_stream_of_json_is_left_as_it_is(said: str) -> None:
    """Blanks around it are JSON too (RFC 8259, section 2)."""
    async with fake_application({"a": ScriptedProvider([said])}) as lor3:
        async with streamed(lor3, ask(format="json", stream=True, may_reset=False)) as stream:
            events = await drain(stream)

    assert said == "".join(event.text for event in events if isinstance(event, Delta))


def cut(*texts: str) -> list[ProviderEvent]:
    return [*[TextDelta(each) for each in texts], AnswerFinished(reason="length")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("said", ['{"a": [{"b": 1}, {"b"', '{"a": 1} and so', '"abc"'])
async def test_json_that_was_cut_off_is_passed_on(said: str, stream: bool) -> None:
    """A second ask would end at the same limit, and cost as much; nor is a part taken for the whole."""
    asked = ScriptedProvider([cut(said)])
    async with fake_application({"a": asked}) as lor3:
        command = ask(format="json", stream=stream, may_reset=False)
        if stream:
            async with streamed(lor3, command) as events:
                done = (await drain(events))[-1]
            assert isinstance(done, ChatDone)
            answer = done.answer
        else:
            answer = await lor3.send_chat.execute(command)

    assert (answer.output, answer.finish_reason, len(answer.attempts)) == (said, "length", 1)
    assert "raise max_tokens" in answer.warnings[0]


async def test_json_that_is_whole_at_the_limit_is_json() -> None:
    """It says so itself."""
    async with fake_application({"a": ScriptedProvider([cut('{"a": 1}')])}) as lor3:
        answer = await lor3.send_chat.execute(ask(format="json"))

    assert (answer.output, answer.warnings) == ({"a": 1}, ())


async def test_tool_calls_pass_through() -> None:
    """A call is no JSON answer: the format does not judge it."""
    call: list[ProviderEvent] = [
        ToolCallDelta(index=0, id="c1", name="f", arguments='{"x":1}'),
        AnswerFinished(reason="tool_calls"),
    ]
    async with fake_application({"a": ScriptedProvider([call])}) as lor3:
        async with streamed(lor3, ask(format="json")) as stream:
            events = await drain(stream)

    expected = ToolCall(id="c1", name="f", arguments='{"x":1}')
    done = events[-1]
    assert ToolCalled(expected) in events
    assert isinstance(done, ChatDone)
    assert (done.answer.tool_calls, done.answer.finish_reason) == ((expected,), "tool_calls")


async def test_store_that_is_away_is_found_out_before_money_is_spent() -> None:
    """Nothing is asked."""
    store, provider = InMemoryStore(), ScriptedProvider(["Paris."])
    async with fake_application({"a": provider}, store=store) as lor3:
        store.shelves.available = False
        with pytest.raises(StorageUnavailable):
            await lor3.send_chat.execute(ask())

    assert provider.calls == []


async def test_answer_that_cannot_be_stored_is_not_given() -> None:
    """The store goes away during the call: an error, never an unacknowledged answer."""
    store = InMemoryStore()

    def leave(_: ProviderCall) -> str:
        store.shelves.available = False
        return "Paris."

    async with fake_application({"a": ScriptedProvider([leave])}, store=store) as lor3:
        with pytest.raises(StorageUnavailable):
            await lor3.send_chat.execute(ask())


async def test_candidate_that_cannot_do_it_is_passed_over_with_a_warning() -> None:
    """The caller learns why another model than the first one answered."""
    specs = (ModelSpec(ref=ModelRef("a", "m"), capabilities=frozenset()),)
    providers = {"a": ScriptedProvider(), "b": ScriptedProvider(["Paris."])}
    settings = fake_settings(providers, primary="a:m", fallbacks=("b:m",), specs=specs)
    async with fake_application(providers, settings=settings) as lor3:
        answer = await lor3.send_chat.execute(ask(tools=(Tool(name="f"),)))

    assert answer.fallbacks == 1
    assert answer.warnings == ("a:m was passed over: it can't call tools, and the request has some",)


async def test_provider_without_a_key_is_the_operators_matter() -> None:
    """Nobody was asked, so nobody refused anything."""
    provider = ScriptedProvider()
    settings = fake_settings({"a": provider}, primary="a:m")
    settings = attrs.evolve(settings, unavailable={"a": "no API key: set A_API_KEY"})
    async with fake_application({"a": provider}, settings=settings) as lor3:
        with pytest.raises(ChatFailed, match="set A_API_KEY") as failed:
            await lor3.send_chat.execute(ask())

    assert failed.value.code == "not_configured"


async def test_no_candidate_that_can_do_it_is_the_callers_error() -> None:
    """Each candidate is named with its reason."""
    spec = ModelSpec(ref=ModelRef("a", "m"), capabilities=frozenset())
    provider = ScriptedProvider()
    settings = fake_settings({"a": provider}, primary="a:m", specs=(spec,))
    async with fake_application({"a": provider}, settings=settings) as lor3:
        with pytest.raises(NoCapableModel, match="tools"):
            await lor3.send_chat.execute(ask(tools=(Tool(name="f"),)))


@pytest.mark.parametrize("stream", [False, True])
async def test_fault_of_a_plugin_is_in_the_books(stream: bool) -> None:
    """A provider that breaks its promise may have been paid: the failure is stored and counted."""
    store, telemetry = InMemoryStore(), RecordingTelemetry()

    def broken(_: ProviderCall) -> str:
        raise ValueError("a bug")

    async def whole_stream(lor3: Application) -> list[ChatEvent]:
        async with streamed(lor3, ask()) as events:
            return await drain(events)

    async with fake_application({"a": ScriptedProvider([broken])}, store=store, telemetry=telemetry) as lor3:
        with pytest.raises(ValueError, match="a bug"):
            await (whole_stream(lor3) if stream else lor3.send_chat.execute(ask()))

    row = stored(store)[1]
    assert (row.status, row.error_code) == ("failed", "internal_error")
    assert [each.outcome for each in store.shelves.attempts[row.tenant, row.id]] == ["internal_error"]
    assert [each.code for each in telemetry.of(ChatRefused)] == ["internal_error"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answer", ["Here.", ProviderFailure("bad_request", "", status=400)])
async def test_paid_chat_of_a_purged_thread_is_told_to_telemetry(
    stream: bool, answer: str | ProviderFailure
) -> None:
    """Nothing can be stored, complete or failed, so no report has its cost: the operator is told."""
    store, telemetry = InMemoryStore(), RecordingTelemetry()

    def purging(_: ProviderCall) -> str | ProviderFailure:
        store.shelves.threads.clear()
        store.shelves.messages.clear()
        return answer

    async def whole_stream(lor3: Application, command: SendChatCommand) -> list[ChatEvent]:
        async with streamed(lor3, command) as events:
            return await drain(events)

    provider = ScriptedProvider(["First.", purging])
    async with fake_application({"a": provider}, store=store, telemetry=telemetry) as lor3:
        first = await lor3.send_chat.execute(ask())
        command = ask(thread_id=first.thread_id)
        with pytest.raises(LorError):
            await (whole_stream(lor3, command) if stream else lor3.send_chat.execute(command))

    (lost,) = telemetry.of(ChatLost)
    assert (lost.code, lost.attempts, lost.thread_id) == ("not_found", 1, first.thread_id)
    assert len(telemetry.of(ChatRefused)) == 1


async def test_memory_is_bounded_where_the_window_is_unknown() -> None:
    """Two million characters at most, in whole exchanges, the newest ones."""
    provider = ScriptedProvider(["a" * 900_000])
    async with fake_application({"a": provider}) as lor3:
        first = await lor3.send_chat.execute(ask("one"))
        for text in ("two", "three", "four"):
            await lor3.send_chat.execute(ask(text, thread_id=first.thread_id, context_depth=200))

    history = provider.calls[-1].request.history
    assert [message.text for message in history if message.role == "user"] == ["two", "three"]
    assert history[0].role == "user"


class _Hanging:
    """Says `first`, if that is given, then nothing for `answer_after_s`, then that it is late."""

    name = "hanging"

    def __init__(
        self, *, first: str = "", timeouts: Timeouts | None = None, answer_after_s: float = 60.0
    ) -> None:
        self.first = first
        self.timeouts = timeouts or Timeouts()
        self.answer_after_s = answer_after_s
        self.calls: list[ProviderCall] = []
        self.closed = 0

    def lower(self, call: ProviderCall) -> WireRequest:
        return WireRequest(method="POST", url="hanging:", body={})

    @asynccontextmanager
    async def open(self, call: ProviderCall) -> AsyncIterator[AsyncIterator[Sequence[ProviderEvent]]]:
        self.calls.append(call)
        try:
            yield self._events()
        finally:
            self.closed += 1

    def refused_parameters(self, names: Collection[str]) -> frozenset[str]:
        return frozenset()

    async def _events(self) -> AsyncIterator[Sequence[ProviderEvent]]:
        if self.first:
            yield (TextDelta(self.first),)
        await asyncio.sleep(self.answer_after_s)
        yield (TextDelta("late"), AnswerFinished(reason="stop"))

    async def aclose(self) -> None:
        """Holds nothing."""


async def test_lack_of_file_descriptors_is_nobodys_failure() -> None:
    """503 `overloaded` after one attempt: no retry, no fallback, and no breaker moves, however often."""
    providers = {"a": ScriptedProvider([ProviderFailure("exhausted", "")]), "b": ScriptedProvider(["Fine"])}
    telemetry = RecordingTelemetry()
    settings = fake_settings(providers, primary="a:x", fallbacks=("b:y",), routing=FAST)
    async with fake_application(providers, settings=settings, telemetry=telemetry) as lor3:
        for _ in range(19):
            with pytest.raises(ChatFailed):
                await lor3.send_chat.execute(ask())
        with pytest.raises(ChatFailed) as failed:
            await lor3.send_chat.execute(ask())

    assert (failed.value.code, failed.value.retryable, failed.value.retry_after_s) == (
        "overloaded",
        True,
        1.0,
    )
    assert len(providers["a"].calls) == 20
    assert providers["b"].calls == []
    assert telemetry.of(BreakerMoved) == []
