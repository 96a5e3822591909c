"""A chat with a stored prompt, wired as in production on the shipped fakes."""

from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from application.services.prompt_choice import PATIENCE
from application.use_cases.chat_command import SendChatCommand
from application.use_cases.label_prompt import LabelPromptCommand
from application.use_cases.version_prompt import VersionPromptCommand
from domain.answer import ChatAnswer, ChatStarted
from domain.chat_defaults import ChatDefaults
from domain.errors import ConfigurationError, InvalidRequest, VersionInUse
from domain.ids import DEFAULT_TENANT, SessionId, ThreadId
from domain.json_value import JSONValue
from domain.message import Message
from domain.prompt.document import read_source
from domain.prompt.reference import PromptName, PromptReference, VersionRef
from domain.prompt.rendering import OutOfPatience
from domain.telemetry import ChatAnswered
from entrypoints.application import Application
from lor3.testing import (
    InMemoryStore,
    RecordingTelemetry,
    ScriptedProvider,
    fake_application,
    fake_settings,
)
from tests.support.streams import streamed

AGENT: JSONValue = {
    "template": "You help {{name}}.\n{{#vip}}\nBe quick.\n{{/vip}}\n{{> tone}}\n",
    "variables": {"name": "string", "vip": {"type": "boolean", "default": False}},
}
TRANSLATOR: JSONValue = {
    "messages": [
        {"role": "system", "content": "Translate into {{language}}."},
        {"role": "user", "content": "cheese"},
        {"role": "assistant", "content": "fromage"},
    ],
    "variables": {"language": "string"},
}


@attrs.frozen
class Bench:
    application: Application
    provider: ScriptedProvider
    store: InMemoryStore
    telemetry: RecordingTelemetry

    async def version(self, name: str, document: JSONValue) -> VersionRef:
        made = await self.application.version_prompt.execute(
            VersionPromptCommand(name=PromptName(name), source=read_source(document), made_by="api")
        )
        return made.version.ref

    async def ask(self, prompt: str | None, **fields: Any) -> ChatAnswer:
        return await self.application.send_chat.execute(command(prompt, **fields))

    @property
    def asked(self) -> dict[str, JSONValue]:
        """The last request as a provider lowers it."""
        return dict(self.provider.lower(self.provider.calls[-1]).body)


def command(prompt: str | None, **fields: Any) -> SendChatCommand:
    text = fields.pop("text", "Hello?")
    plain = SendChatCommand(request_id="r1", messages=(Message.of("user", text),), system_prompt=prompt)
    return attrs.evolve(plain, **fields)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    provider, store, telemetry = ScriptedProvider(), InMemoryStore(), RecordingTelemetry()
    async with fake_application({"fake": provider}, store=store, telemetry=telemetry) as application:
        bench = Bench(application, provider, store, telemetry)
        await bench.version("tone", {"template": "Be kind.\n"})
        await bench.version("agent", AGENT)
        await bench.version("translator", TRANSLATOR)
        yield bench


async def test_prompt_is_composed_filled_in_and_named(bench: Bench) -> None:
    """In what the provider gets, in the answer, in the store and in what telemetry hears."""
    answer = await bench.ask("agent", variables={"name": "Ada"})

    assert bench.asked["system"] == "You help Ada.\nBe kind.\n"
    assert answer.prompt_version == "agent:v1"
    (turns,) = bench.store.shelves.turns.values()
    assert [turn.prompt_version for turn in turns] == [None, "agent:v1"]
    (event,) = [each for each in bench.telemetry.events if isinstance(each, ChatAnswered)]
    assert event.prompt_version == "agent:v1"


async def test_stream_names_the_version_at_its_start(bench: Bench) -> None:
    """A UI shows it while the answer grows."""
    async with streamed(
        bench.application, command("agent:v1", variables={"name": "Ada", "vip": True}, stream=True)
    ) as events:
        started = [event async for event in events if isinstance(event, ChatStarted)]

    assert [event.prompt_version for event in started] == ["agent:v1"]
    assert bench.asked["system"] == "You help Ada.\nBe quick.\nBe kind.\n"


async def test_turns_of_a_chat_template_lead_the_conversation(bench: Bench) -> None:
    """In front of what the thread remembers, each time it is continued."""
    first = await bench.ask("translator", variables={"language": "French"}, text="bread")
    await bench.ask("translator", variables={"language": "French"}, text="wine", thread_id=first.thread_id)

    assert bench.asked["system"] == "Translate into French."
    assert bench.asked["messages"] == [
        {"role": "user", "content": "cheese"},
        {"role": "assistant", "content": "fromage"},
        {"role": "user", "content": "bread"},
        {"role": "assistant", "content": first.output},
        {"role": "user", "content": "wine"},
    ]
    assert bench.store.shelves.turns[next(iter(bench.store.shelves.turns))][0].message.text == "bread"


@pytest.mark.parametrize(
    ("prompt", "variables", "faults"),
    [
        ("agent", {}, {"variables.name"}),
        ("agent", {"nme": "Ada", "vip": "yes"}, {"variables.name", "variables.nme", "variables.vip"}),
        ("agnt", {"name": "Ada"}, {"system_prompt"}),
        ("agent:v9", {"name": "Ada"}, {"system_prompt"}),
        ("agent@canary", {"name": "Ada"}, {"system_prompt"}),
        ("a gent", {"name": "Ada"}, {"system_prompt"}),
        (None, {"name": "Ada"}, {"variables"}),
    ],
)
async def test_what_does_not_fit_is_named_whole_and_costs_nothing(
    bench: Bench, prompt: str | None, variables: dict[str, JSONValue], faults: set[str]
) -> None:
    """No provider is asked, nothing is stored; what else is wrong is named too."""
    with pytest.raises(InvalidRequest) as raised:
        await bench.ask(prompt, variables=variables)
    with pytest.raises(InvalidRequest) as further:
        await bench.ask(prompt, variables=variables, format="yaml")

    assert {fault.path for fault in raised.value.faults} == faults
    assert {fault.path for fault in further.value.faults} == faults | {"format"}
    assert bench.provider.calls == []
    assert bench.store.shelves.turns == {}


async def test_values_are_text_whatever_they_look_like(bench: Bench) -> None:
    """Nobody can reach a fragment or another variable through a variable."""
    for hostile in ("{{> tone}}", "{{vip}}", "{{{name}}}", "{{#name}}x{{/name}}", "{{=<% %>=}}"):
        await bench.ask("agent", variables={"name": hostile})

        assert bench.asked["system"] == f"You help {hostile}.\nBe kind.\n"


async def test_variable_of_a_megabyte_is_refused_with_the_limit(bench: Bench) -> None:
    """By what comes out, whatever went in."""
    with pytest.raises(InvalidRequest, match="262144 bytes"):
        await bench.ask("agent", variables={"name": "a" * 1_000_000})


async def test_prompt_that_repeats_a_lot_is_rendered_beside_the_loop(bench: Bench) -> None:
    """Eight items, each within each five times over: inline it gives up soon, and what comes out is the same."""
    opened, closed = "{{#items}}" * 5, "{{/items}}" * 5
    declared: JSONValue = {"items": "list"}
    items: list[JSONValue] = list(range(1, 9))
    ref = await bench.version("deep", {"template": f"{opened}{closed}Done.", "variables": declared})
    compiled = await bench.application.read_prompts.compiled(DEFAULT_TENANT, PromptReference.parse(str(ref)))
    with pytest.raises(OutOfPatience):
        compiled.render({"items": items}, patience=PATIENCE)

    await bench.ask("deep", variables={"items": items})

    assert bench.asked["system"] == "Done."


async def test_version_that_a_message_used_stays(bench: Bench) -> None:
    """An answer's `prompt_version` can always be looked up."""
    from application.use_cases.delete_prompt_version import DeletePromptVersionCommand

    await bench.version("agent", {"template": "Another."})
    await bench.ask("agent:v1", variables={"name": "Ada"})

    with pytest.raises(VersionInUse):
        await bench.application.delete_prompt_version.execute(
            DeletePromptVersionCommand(ref=VersionRef(PromptName("agent"), 1))
        )


async def test_rollout_sticks_to_the_user_and_else_to_the_thread(bench: Bench) -> None:
    """From the first message of a thread on, and across the threads of one user."""
    await bench.version("agent", {"template": "Another."})
    await bench.application.label_prompt.execute(
        LabelPromptCommand(name=PromptName("agent"), label="production", weights=((1, 50), (2, 50)))
    )
    await bench.version("any", {"template": "One."})
    await bench.version("any", {"template": "Two."})
    await bench.application.label_prompt.execute(
        LabelPromptCommand(name=PromptName("any"), label="production", weights=((1, 50), (2, 50)))
    )
    by_thread: dict[ThreadId, set[str | None]] = {}
    for _ in range(20):
        first = await bench.ask("any")
        later = [await bench.ask("any", thread_id=first.thread_id) for _ in range(3)]
        by_thread[first.thread_id] = {each.prompt_version for each in (first, *later)}
    by_user = {
        user: {(await bench.ask("any", user=user)).prompt_version for _ in range(3)}
        for user in map(str, range(20))
    }

    assert {len(versions) for versions in by_thread.values()} == {1}
    assert set().union(*by_thread.values()) == {"any:v1", "any:v2"}
    assert {len(versions) for versions in by_user.values()} == {1}
    assert set().union(*by_user.values()) == {"any:v1", "any:v2"}


async def test_thread_keeps_its_users_version_whether_the_user_is_named(bench: Bench) -> None:
    """The session remembers its user: a request in it that names none changes nothing."""
    await bench.version("any", {"template": "One."})
    await bench.version("any", {"template": "Two."})
    await bench.application.label_prompt.execute(
        LabelPromptCommand(name=PromptName("any"), label="production", weights=((1, 50), (2, 50)))
    )
    for user in map(str, range(12)):
        first = await bench.ask("any", user=user)
        silent = await bench.ask("any", thread_id=first.thread_id)
        other = await bench.ask("any", session_id=SessionId(first.session_id), user=user)

        assert first.prompt_version == silent.prompt_version == other.prompt_version


async def test_configured_prompt_is_the_default_and_configured_variables_fill_in() -> None:
    """A caller's own take their place, one by one."""
    provider = ScriptedProvider()
    chat = ChatDefaults(
        primary="fake:test", system_prompt="agent", variables={"name": "Ada", "unknown_here": 1}
    )
    settings = attrs.evolve(fake_settings({"fake": provider}, primary="fake:test"), chat=chat)
    async with fake_application({"fake": provider}, settings=settings) as application:
        bench = Bench(application, provider, InMemoryStore(), RecordingTelemetry())
        with pytest.raises(ConfigurationError, match="there is no prompt `agent`"):
            await bench.ask(None)
        await bench.version("tone", {"template": "Be kind.\n"})
        await bench.version("agent", AGENT)

        answer = await bench.ask(None)
        assert bench.asked["system"] == "You help Ada.\nBe kind.\n"
        assert answer.prompt_version == "agent:v1"
        await bench.ask(None, variables={"name": "Grace"})
        assert bench.asked["system"] == "You help Grace.\nBe kind.\n"
        await bench.ask("tone")
        assert bench.asked["system"] == "Be kind.\n"


async def test_explain_names_the_version_and_each_fragment(bench: Bench) -> None:
    """And shows the text as it would be sent, by the pass that puts it in."""
    explanation = await bench.application.explain_chat.execute(command("agent", variables={"name": "Ada"}))

    assert explanation.prompt is not None
    assert str(explanation.prompt.ref) == "agent:v1"
    assert [str(ref) for ref in explanation.prompt.fragments] == ["tone:v1"]
    step = explanation.passes[0]
    assert step.name == "system-prompt"
    assert step.before.system is None
    assert step.after.system == "You help Ada.\nBe kind.\n"
    assert "`tone:v1`" in " ".join(step.notes)
