"""The Assistants wire through the SDK, against a server of our own on loopback."""

from collections.abc import AsyncIterator

import pytest

from adapters.assistants.openai_assistants import OpenAIAssistants
from application.ports.assistants import Assistant, Assistants
from application.ports.chat_provider import ProviderConfig, Timeouts
from domain.errors import AssistantsUnavailable, InvalidRequest, RemoteFailed
from domain.secret import Secret
from tests.support.assistants_server import CANARY, SECRET_WORDS, AssistantsServer, Mode, assistants_server
from tests.support.servers import free_port


@pytest.fixture
async def server() -> AsyncIterator[AssistantsServer]:
    async with assistants_server() as server:
        server.add("asst_1", "Tutor patiently.")
        yield server


@pytest.fixture
async def assistants(server: AssistantsServer) -> AsyncIterator[Assistants]:
    client = _client(server.url)
    yield client
    await client.aclose()


def _client(
    url: str | None, *, key: str | None = CANARY, timeouts: Timeouts | None = None
) -> OpenAIAssistants:
    return OpenAIAssistants(
        ProviderConfig(
            name="openai",
            kind="openai",
            base_url=url,
            api_key=Secret(key) if key else None,
            timeouts=timeouts or Timeouts(),
        )
    )


async def test_get_reads_what_makes_a_prompt(server: AssistantsServer, assistants: Assistants) -> None:
    """Id, name, instructions and model come as the server has them, in one request with the beta header."""
    got = await assistants.get("asst_1")

    assert got is not None
    assert (
        Assistant(
            id="asst_1",
            name="Math Tutor",
            instructions="Tutor patiently.",
            model="gpt-4o",
            left_over=got.left_over,
        )
        == got
    )
    assert ["model"] == [each.split("`")[1] for each in got.left_over]
    assert [("GET", "/v1/assistants/asst_1")] == server.requests
    assert "assistants=v2" == server.headers[0]["OpenAI-Beta"]


async def test_get_reads_absent_instructions_as_empty(
    server: AssistantsServer, assistants: Assistants
) -> None:
    """OpenAI's `instructions` may be null."""
    server.add("asst_2", None, name=None)

    got = await assistants.get("asst_2")

    assert got is not None
    assert ("", None) == (got.instructions, got.name)


async def test_get_names_what_is_left_over(server: AssistantsServer, assistants: Assistants) -> None:
    """What the API fills in by itself aside."""
    resources = {"code_interpreter": {"file_ids": ["file-1"]}}
    server.add(
        "asst_2",
        "x",
        tools=[{"type": "code_interpreter"}],
        tool_resources=resources,
        temperature=0.2,
        response_format={"type": "json_object"},
        metadata={"team": "a"},
    )
    server.add("asst_3", "x", tool_resources={}, tools=[{"type": "unheard_of", "x": [{}]}], metadata=None)

    full, odd = await assistants.get("asst_2"), await assistants.get("asst_3")

    assert full is not None
    assert odd is not None
    assert ["model", "tools", "tool_resources", "temperature", "response_format", "metadata"] == [
        each.split("`")[1] for each in full.left_over
    ]
    assert ["model", "tools"] == [each.split("`")[1] for each in odd.left_over]


async def test_get_says_none_of_an_unknown_assistant(assistants: Assistants) -> None:
    """A 404 that names the assistant is an answer of a living API."""
    assert await assistants.get("asst_nobody") is None


async def test_create_and_update_send_the_instructions(
    server: AssistantsServer, assistants: Assistants
) -> None:
    """What is made can be changed, and the server holds the last text."""
    made = await assistants.create(name="support", instructions="One.", model="gpt-4o")
    updated = await assistants.update(made.id, instructions="Two.")

    assert ("One.", "Two.") == (made.instructions, updated.instructions)
    assert "Two." == server.assistants[made.id]["instructions"]


async def test_no_key_sends_no_authorization(
    server: AssistantsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of the environment does not go to a server that is configured without one."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    server.keys = ()
    client = _client(server.url, key=None)

    await client.get("asst_1")
    await client.aclose()

    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize("mode", ["not found", "html", "invalid url", "vague", "gone"])
async def test_dead_api_is_told_with_the_ways_that_work(
    server: AssistantsServer, assistants: Assistants, mode: Mode
) -> None:
    """404 for the API itself and 410 say what happened to it, and what to do."""
    server.mode = mode

    with pytest.raises(AssistantsUnavailable) as caught:
        await assistants.get("asst_1")

    for way in (
        "2026-08-26",
        "--base-url",
        "OPENAI_BASE_URL",
        "--from-file",
        "prompt edit",
        "--to dir",
        "Langfuse",
    ):
        assert way in caught.value.detail
    assert ("asst_1" in caught.value.detail) is (mode == "vague")
    assert SECRET_WORDS not in caught.value.detail


async def test_dead_api_is_told_when_creating(server: AssistantsServer, assistants: Assistants) -> None:
    """Any 404 for the collection is the API's own."""
    server.mode = "vague"

    with pytest.raises(AssistantsUnavailable):
        await assistants.create(name="x", instructions="y", model="gpt-4o")


@pytest.mark.parametrize(
    ("mode", "words", "retryable"),
    [
        ("unauthorized", "refused the key (401)", False),
        ("limited", "429", True),
        ("broken", "failed (503)", True),
        ("garbage", "no assistant", False),
        ("null", "no assistant", False),
        ("html 200", "no assistant", False),
        ("wrong object", "no assistant", False),
        ("cut", "closed the connection", True),
        ("huge", "more than any assistant", False),
        ("gzip", "compressed", False),
        ("redirect", "redirects (307)", False),
    ],
)
async def test_failure_is_told_in_own_words(
    server: AssistantsServer, assistants: Assistants, mode: Mode, words: str, retryable: bool
) -> None:
    """One request, one error, without the server's text or the key."""
    server.mode = mode

    with pytest.raises(RemoteFailed) as caught:
        await assistants.get("asst_1")

    assert words in caught.value.detail
    assert retryable is caught.value.retryable
    assert SECRET_WORDS not in caught.value.detail
    assert CANARY not in caught.value.detail
    assert caught.value.__cause__ is None
    assert 1 == len(server.requests)


async def test_slow_server_is_given_up(server: AssistantsServer) -> None:
    """The provider's limits hold here too."""
    server.mode = "slow"
    for timeouts in (Timeouts(total_s=0.2), Timeouts(idle_s=0.2)):
        client = _client(server.url, timeouts=timeouts)
        with pytest.raises(RemoteFailed, match="did not answer"):
            await client.get("asst_1")
        await client.aclose()


async def test_refused_connection_is_told() -> None:
    """A port that nobody listens on."""
    client = _client(f"http://127.0.0.1:{free_port()}/v1")

    with pytest.raises(RemoteFailed, match="can't be reached"):
        await client.get("asst_1")
    await client.aclose()


async def test_tls_failure_is_told(server: AssistantsServer) -> None:
    """Plain HTTP where TLS is expected is no mere network failure."""
    client = _client(server.url.replace("http://", "https://"))

    with pytest.raises(RemoteFailed, match="TLS"):
        await client.get("asst_1")
    await client.aclose()


@pytest.mark.parametrize("text", ["", "../models", "asst_1/../x", "a b", "asst_\n1", "x" * 200])
async def test_odd_ids_are_never_sent(server: AssistantsServer, assistants: Assistants, text: str) -> None:
    """An id can't change the path."""
    with pytest.raises(InvalidRequest):
        await assistants.get(text)

    assert [] == server.requests


async def test_another_assistant_than_asked_for_is_refused(
    server: AssistantsServer, assistants: Assistants
) -> None:
    """It would become a prompt under a wrong name, or be taken for an update that was made."""
    server.add("asst_1", "Tutor patiently.", id="asst_OTHER")

    with pytest.raises(RemoteFailed, match="`asst_1` and answered with `asst_OTHER`") as got:
        await assistants.get("asst_1")
    with pytest.raises(RemoteFailed, match="`asst_1` and answered with `asst_OTHER`"):
        await assistants.update("asst_1", instructions="Tutor briefly.")

    assert got.value.retryable is False
