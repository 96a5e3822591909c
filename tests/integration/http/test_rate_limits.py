"""Limits of keys, users and addresses, as a caller meets them."""

import asyncio
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import openai

from domain.access import ANYBODY
from domain.answer import ChatDone
from domain.limits.rate import RateDemand, RateLimits
from domain.telemetry import RateRefused
from tests.support.callers import CallersByName
from tests.support.http import ScriptedSendChat, Server, an_answer, serving, started
from tests.support.rate_limiters import keyed_caller

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


RING: Final = CallersByName(
    ANYBODY,
    free=keyed_caller("free"),
    web=keyed_caller("web", requests_per_minute=2, tokens_per_minute=10_000),
    one=keyed_caller("one", concurrency=1),
    ada=keyed_caller("browsers", user="ada"),
    other=keyed_caller("other"),
)


def _as(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


def _config(folder: Path, text: str) -> Path:
    (folder / "lor3.yaml").write_text(text)
    return folder


async def _send(
    server: Server,
    path: str = "/chat",
    body: Any = None,
    headers: Mapping[str, str] = _NONE,
    method: str = "POST",
) -> tuple[int, dict[str, str], Any]:
    """Status, what is told of limits, and the body."""
    sent = {"prompt": "hi"} if body is None and method == "POST" else body
    async with server.client.request(method, path, json=sent, headers=headers) as response:
        told = {
            name.lower(): value
            for name, value in response.headers.items()
            if name.lower().startswith(("x-ratelimit", "retry-after", "x-should"))
        }
        raw = await response.read()
        is_json = response.content_type.endswith("json")
        return response.status, told, await response.json(content_type=None) if is_json else raw


async def test_who_has_no_limit_is_told_of_none(tmp_path: Path) -> None:
    """With a key and without."""
    async with serving(tmp_path, change=RING.instead) as server:
        for headers in (_NONE, _as("free")):
            status, told, _ = await _send(server, headers=headers)
            assert (status, told) == (200, {})


async def test_every_answer_to_a_limited_caller_tells_what_is_left(tmp_path: Path) -> None:
    """Whole, streamed, in each protocol, and on errors."""
    body = {"messages": [{"role": "user", "content": "x"}], "model": "demo:demo"}
    ui = {"id": "c", "messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}]}
    folder = _config(tmp_path, "limits: {key: {rpm: 60, tpm: 600000}}\nmax_tokens: 1000\n")
    async with serving(folder, change=RING.instead) as server:
        sent: list[tuple[str, Any]] = [
            ("/chat", {"prompt": "hi"}),
            ("/chat", {"prompt": "hi", "stream": True}),
            ("/v1/chat/completions", body),
            ("/v1/chat/completions", {**body, "stream": True}),
            ("/ui/chat", ui),
            ("/chat", {"prompt": "hi", "model": "nobody:none"}),
        ]
        for number, (path, asked) in enumerate(sent, 1):
            status, told, _ = await _send(server, path, asked, _as("free"))
            assert status == (400 if number == 6 else 200)
            assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-limit-tokens"]) == ("60", "600000")
            assert int(told["x-ratelimit-remaining-requests"]) in (60 - number, 61 - number)
            assert 598_000 < int(told["x-ratelimit-remaining-tokens"]) < 600_000
            assert told["x-ratelimit-reset-requests"].endswith("s")
        _, told, _ = await _send(server, "/chat", {"prompt": "x" * 4_000}, _as("free"))
        left = int(told["x-ratelimit-remaining-tokens"])
        assert 597_500 < left <= 598_000 + 100  # the prompt's bytes, and the longest answer


async def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    """429, in the words of each protocol, and an event."""
    async with serving(tmp_path, change=RING.instead) as server:
        for _ in range(2):
            assert 200 == (await _send(server, headers=_as("web")))[0]
        status, told, problem = await _send(server, headers=_as("web"))
        assert (status, problem["code"], problem["retryable"]) == (429, "rate_limited", True)
        assert "this key may send 2 requests a minute" in problem["detail"]
        assert 28 <= int(told["retry-after"]) <= 30
        assert 28_000 <= int(told["retry-after-ms"]) <= 30_000
        assert told["x-ratelimit-remaining-requests"] == "0"
        asked = {"messages": [{"role": "user", "content": "x"}]}
        status, told, answer = await _send(server, "/v1/chat/completions", asked, _as("web"))
        assert (status, answer["error"]["type"], answer["error"]["code"]) == (
            429,
            "rate_limit_error",
            "rate_limited",
        )
        assert "x-should-retry" not in told
        assert int(told["retry-after"]) >= 1
        status, told, _ = await _send(server, "/chat", {"prompt": "x", "stream": True}, _as("web"))
        assert (status, told["x-ratelimit-limit-requests"]) == (429, "2")
        assert 200 == (await _send(server, headers=_as("other")))[0]
        refused = [event for event in server.telemetry.events if isinstance(event, RateRefused)]

    assert [(each.tenant, each.key_id, each.subject, each.limit) for each in refused] == [
        ("acme", "web", "key", "requests")
    ] * 3


async def test_chats_that_cannot_be_read_count_for_their_address(tmp_path: Path) -> None:
    """Once each, and are told of what is left: nobody floods with nonsense for nothing."""
    folder = _config(tmp_path, "limits: {address: {rpm: 7}}\n")
    nonsense: list[tuple[str, Any, int]] = [
        ("/chat", {}, 400),
        ("/chat", [1], 400),
        ("/v1/chat/completions", {"messages": []}, 400),
        ("/ui/chat", {"id": 1}, 400),
        (f"/messages/{uuid.uuid4()}/regenerate", {"model": 1}, 400),
        ("/chat", {"prompt": "hi", "model": "nobody:none"}, 400),
        ("/chat", {"prompt": "hi"}, 200),
    ]
    async with serving(folder, change=RING.instead) as server:
        for number, (path, body, expected) in enumerate(nonsense, 1):
            status, told, _ = await _send(server, path, body)
            assert status == expected, path
            assert int(told["x-ratelimit-remaining-requests"]) in (7 - number, 8 - number)
        status, told, problem = await _send(server, "/chat", {"nonsense": 1})
        assert (status, problem["code"]) == (429, "rate_limited")
        assert "retry-after" in told
        refused = [event for event in server.telemetry.events if isinstance(event, RateRefused)]

    assert ["address"] == [each.subject for each in refused]


async def test_what_is_refused_to_a_known_caller_counts_for_its_address(tmp_path: Path) -> None:
    """Once each: nobody floods with what is not theirs, or with a key that lacks the right."""
    folder = _config(tmp_path, "limits: {address: {rpm: 4}}\n")
    idempotent = _as("free") | {"Idempotency-Key": "k"}
    refused: list[tuple[str, str, Mapping[str, str], int]] = [
        ("GET", "/usage", _as("ada"), 403),
        ("GET", "/usage?since=1h", _as("ada"), 403),
        ("GET", f"/threads/{uuid.uuid4()}/messages", _as("ada"), 404),
        ("POST", "/threads", idempotent, 400),
        ("GET", "/usage", _as("ada"), 429),
    ]
    async with serving(folder, change=RING.instead) as server:
        for method, path, headers, expected in refused:
            status, _, problem = await _send(server, path, headers=headers, method=method)
            assert (status, path) == (expected, path), problem


async def test_openais_sdk_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    """And is served then, without a word of its user's."""
    folder = _config(tmp_path, "limits: {address: {rpm: 40}}\n")
    asked: Any = {"model": "demo:demo", "messages": [{"role": "user", "content": "x"}]}
    async with serving(folder) as server:
        base_url = f"http://127.0.0.1:{server.port}/v1"
        async with openai.AsyncOpenAI(api_key="none", base_url=base_url, max_retries=2) as client:
            limits = RateLimits(requests_per_minute=40)
            demand = RateDemand(kind="address", id="127.0.0.1", limits=limits)
            (await server.application.rate_limiter.take([demand], tokens=0, requests=40)).end()
            answer = await client.chat.completions.create(**asked)
        refused = [event for event in server.telemetry.events if isinstance(event, RateRefused)]

    assert answer.choices
    assert [each.subject for each in refused] == ["address"]


async def test_tokens_that_were_not_needed_are_given_back(tmp_path: Path) -> None:
    """Of an answer that is shorter, of one that failed, of one that is replayed."""
    folder = _config(tmp_path, "limits: {key: {tpm: 10000}}\n")
    async with serving(folder, change=RING.instead) as server:
        for body in (
            {"prompt": "x", "max_tokens": 9_000},
            {"prompt": "x", "max_tokens": 9_000, "model": "no:no"},
        ):
            status, _, _ = await _send(server, "/chat", body, _as("free"))
            assert status in (200, 400)
        headers = _as("free") | {"Idempotency-Key": "k"}
        for _ in range(3):
            status, told, _ = await _send(server, "/chat", {"prompt": "x", "max_tokens": 9_000}, headers)
            assert status == 200
        status, told, problem = await _send(
            server, "/chat", {"prompt": "x" * 4_000, "max_tokens": 9_500}, _as("free")
        )
        assert status == 429
        assert "10,500" in problem["detail"]
        assert int(told["x-ratelimit-remaining-tokens"]) > 9_000


async def test_chats_under_way_hold_their_places(tmp_path: Path) -> None:
    """A stream until its answer's end, whoever reads it; a failure holds none."""
    release = asyncio.Event()
    chat = ScriptedSendChat(script=[started(), release, ChatDone(an_answer())])
    async with serving(tmp_path, change=RING.instead) as server:
        for _ in range(3):
            assert 400 == (await _send(server, "/chat", {"prompt": "x", "model": "no:no"}, _as("one")))[0]
    async with serving(tmp_path, change=RING.instead, send_chat=chat) as server:
        body = {"prompt": "x", "stream": True}
        async with server.client.post("/chat", json=body, headers=_as("one")) as first:
            assert 200 == first.status
            status, told, problem = await _send(server, headers=_as("one"))
            assert (status, told["retry-after"]) == (429, "1")
            assert "1 chat under way" in problem["detail"]
            release.set()
            await first.read()
        command = chat.commands[0]
        assert command.allowance is not None
        command.allowance.end()  # as SendChat does
        assert 200 == (await _send(server, headers=_as("one")))[0]


async def test_users_have_limits_of_their_own(tmp_path: Path) -> None:
    """Those that a body names, and those that a token is for; each tenant's apart."""
    folder = _config(tmp_path, "limits: {user: {rpm: 1}}\n")
    async with serving(folder, change=RING.instead) as server:
        for _ in range(3):
            assert 200 == (await _send(server, headers=_as("free")))[0]
        assert 200 == (await _send(server, headers=_as("ada")))[0]
        status, _, problem = await _send(server, "/chat", {"prompt": "x", "user": "ada"}, _as("free"))
        assert status == 429
        assert "this user" in problem["detail"]
        assert 200 == (await _send(server, "/chat", {"prompt": "x", "user": "bob"}, _as("free")))[0]
        assert 200 == (await _send(server, "/chat", {"prompt": "x", "user": "ada"}))[0]


async def test_addresses_are_limited_whatever_is_asked_for(tmp_path: Path) -> None:
    """Reads as well; probes never, and who comes through a trusted proxy by itself."""
    folder = _config(tmp_path, "limits: {address: {rpm: 4}}\nserver: {trusted_proxies: [127.0.0.1]}\n")
    async with serving(folder) as server:
        assert 200 == (await _send(server, "/chat"))[0]
        seen = [
            await _send(server, path, method="GET")
            for path in ("/threads", "/config", "/nowhere", "/threads")
        ]
        assert [200, 200, 404, 429] == [each[0] for each in seen]
        assert ["2", "1", "0", "0"] == [each[1]["x-ratelimit-remaining-requests"] for each in seen]
        assert 429 == (await _send(server, "/chat"))[0]
        assert 200 == (await _send(server, "/healthz", method="GET"))[0]
        forwarded = {"X-Forwarded-For": "198.51.100.7"}
        assert 200 == (await _send(server, "/threads", headers=forwarded, method="GET"))[0]
        spoofed = {"X-Forwarded-For": "198.51.100.9, 127.0.0.1"}
        assert 200 == (await _send(server, "/threads", headers=spoofed, method="GET"))[0]
        left = [await _send(server, "/threads", headers=forwarded, method="GET") for _ in range(3)]
        assert ["2", "1", "0"] == [each[1]["x-ratelimit-remaining-requests"] for each in left]


async def test_a_refused_client_finds_its_chat_as_it_was(tmp_path: Path) -> None:
    """`/ui/chat` changes nothing before it is known that the chat may be sent."""
    folder = _config(tmp_path, "limits: {user: {rpm: 1}}\n")
    turn = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    async with serving(folder) as server:
        body = {"id": "c", "messages": [turn], "lor3": {"user": "u"}}
        assert 200 == (await _send(server, "/ui/chat", body))[0]
        _, _, before = await _send(server, "/ui/chat/c/messages", method="GET")
        again = {"id": "c", "trigger": "regenerate-message", "messages": [turn], "lor3": {"user": "u"}}
        status, _, problem = await _send(server, "/ui/chat", again)
        assert (status, problem["code"]) == (429, "rate_limited")
        assert before == (await _send(server, "/ui/chat/c/messages", method="GET"))[2]


async def test_config_shows_a_caller_its_limits(tmp_path: Path) -> None:
    """The key's own, and the configuration's where it has none."""
    folder = _config(tmp_path, "limits: {key: {rpm: 60, concurrency: 9}, user: {tpm: 500}}\n")
    async with serving(folder, change=RING.instead) as server:
        _, _, config = await _send(server, "/config", headers=_as("web"), method="GET")
        _, _, open_to_all = await _send(server, "/config", method="GET")

    assert config["rate_limits"]["key"] == {
        "requests_per_minute": 2,
        "tokens_per_minute": 10_000,
        "concurrency": 9,
    }
    assert config["rate_limits"]["user"]["tokens_per_minute"] == 500
    assert open_to_all["rate_limits"]["key"] is None
