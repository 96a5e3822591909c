"""Browsers of users: each sees and changes its own user's things, and takes none of what is the operator's."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from domain.access import ANYBODY, USER_SCOPES, Caller
from domain.ids import Tenant
from entrypoints.application import Application
from lor3.testing import InMemoryStore, ScriptedProvider
from tests.support.callers import CallersByName, with_users_may
from tests.support.http import serving
from tests.support.keys import key_for, new_secret
from tests.support.resuming import Served, reading, saying, served
from tests.support.shared_events import EventHub
from tests.support.thread_api import ABSENT

RING: Final = CallersByName(
    ANYBODY,
    ada=Caller(user="ada", scopes=USER_SCOPES),
    bob=Caller(user="bob", scopes=USER_SCOPES),
    only_b=Caller(models=("b:*",)),
)
ADA: Final = {"Authorization": "Bearer ada"}
BOB: Final = {"Authorization": "Bearer bob"}


@attrs.frozen
class Sent:
    status: int
    body: Any
    headers: Any

    @property
    def told(self) -> Any:
        """All but what is the request's own."""
        return {name: each for name, each in self.body.items() if name != "request_id"}


async def send(
    server: Served, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Sent:
    async with server.client.request(method, path, json=body, headers=headers) as response:
        raw = await response.read()
        is_json = response.content_type in ("application/json", "application/problem+json")
        return Sent(response.status, await response.json() if is_json else raw, response.headers)


@asynccontextmanager
async def server_of(*texts: str, rights: tuple[Any, ...] = ()) -> AsyncIterator[Served]:
    def change(application: Application) -> Application:
        return RING.instead(with_users_may(application, *rights))

    answers = ScriptedProvider(list(texts or ("Hi.",) * 20))
    async with served({"a": answers}, change=change) as server:
        yield server


async def test_row_1_an_answer_under_way_is_its_users_alone() -> None:
    """To read on and to stop, here and on another replica, before anything of it is stored."""
    store, hub, provider = InMemoryStore(), EventHub(), saying("One ", "two ", "three")
    provider.let(2)
    async with AsyncExitStack() as stack:
        here, there = [
            await stack.enter_async_context(
                served({"a": provider}, store=store, hub=hub, change=RING.instead)
            )
            for _ in range(2)
        ]
        first = await stack.enter_async_context(reading(here, headers=ADA))
        await first.until_text("One two ")
        answer = first.message_id
        foreign, absent = [], []
        for server in (here, there):
            for method, verb in (("GET", "stream"), ("POST", "stop")):
                foreign.append(await send(server, method, f"/chat/{answer}/{verb}", headers=BOB))
                absent.append(await send(server, method, f"/chat/{ABSENT}/{verb}", headers=BOB))
        async with there.client.get(f"/chat/{answer}/stream", headers=ADA) as read_on:
            assert 200 == read_on.status
        stopped = await send(there, "POST", f"/chat/{answer}/stop", headers=ADA)
        again = await send(here, "POST", f"/chat/{answer}/stop", headers=BOB)

    assert [404] * 4 == [each.status for each in foreign]
    assert [each.told for each in absent] == [
        {**each.told, "detail": each.told["detail"].replace(answer, ABSENT)} for each in foreign
    ]
    assert (200, "incomplete") == (stopped.status, stopped.body["status"])
    assert 404 == again.status


async def test_row_1_an_answer_that_a_backend_asked_for_is_its_users() -> None:
    """The session says whose it is, not who sent the request; of nobody's nobody's browser sees anything."""
    store, hub, provider = InMemoryStore(), EventHub(), saying("One ", "two")
    provider.let(1)
    async with AsyncExitStack() as stack:
        here, there = [
            await stack.enter_async_context(
                served({"a": provider}, store=store, hub=hub, change=RING.instead)
            )
            for _ in range(2)
        ]
        of_ada = await stack.enter_async_context(reading(here, user="ada"))
        await of_ada.until_text("One ")
        statuses = []
        for headers in (ADA, BOB):
            async with there.client.get(f"/chat/{of_ada.message_id}/stream", headers=headers) as response:
                statuses.append(response.status)
        of_nobody = await stack.enter_async_context(reading(here))
        hidden = await send(there, "GET", f"/chat/{of_nobody.message_id}/stream", headers=ADA)
        provider.let(9)

    assert [200, 404] == statuses
    assert 404 == hidden.status


async def test_row_1_an_idempotency_key_gives_nobody_anothers_answer() -> None:
    """The same key and body of two users are two requests; of one they are one."""
    body = {"prompt": "Hello."}
    key = {"Idempotency-Key": "k"}
    async with server_of() as server:
        of_ada = await send(server, "POST", "/chat", body, ADA | key)
        of_bob = await send(server, "POST", "/chat", body, BOB | key)
        of_backend = await send(server, "POST", "/chat", body, key)
        again = await send(server, "POST", "/chat", body, ADA | key)
        streamed = await send(server, "POST", "/chat", {**body, "stream": True}, BOB | key)

    ids = {each.body["message_id"] for each in (of_ada, of_bob, of_backend)}
    assert 3 == len(ids)
    assert "true" == again.headers["Idempotency-Replayed"]
    assert of_ada.body["message_id"] == again.body["message_id"]
    assert of_bob.body["message_id"].encode() in streamed.body


async def test_row_1_two_users_may_have_client_chats_of_one_name() -> None:
    """Their libraries make the ids up; neither sees the other's, nor goes on in its thread by the thread's id."""

    def turn(text: str, chat_id: str) -> Any:
        message = {"id": text, "role": "user", "parts": [{"type": "text", "text": text}]}
        return {"id": chat_id, "message": message}

    async with server_of() as server:
        for headers, text in ((ADA, "I am Ada."), (BOB, "I am Bob.")):
            assert 200 == (await send(server, "POST", "/ui/chat", turn(text, "chat"), headers)).status
        of_ada, of_bob, of_backend = [
            (await send(server, "GET", "/ui/chat/chat/messages", headers=headers)).body
            for headers in (ADA, BOB, None)
        ]
        thread = of_ada["thread_id"]
        own = (await send(server, "GET", f"/ui/chat/{thread}/messages", headers=ADA)).body
        foreign = (await send(server, "GET", f"/ui/chat/{thread}/messages", headers=BOB)).body
        went_on = await send(server, "POST", "/ui/chat", turn("Mine?", thread), BOB)
        of_thread = (await send(server, "GET", f"/threads/{thread}/messages", headers=ADA)).body["items"]
        resumed = await send(server, "GET", f"/ui/chat/{thread}/stream", headers=BOB)

    assert "I am Ada." == of_ada["items"][0]["parts"][0]["text"]
    assert "I am Bob." == of_bob["items"][0]["parts"][0]["text"]
    assert ([], "chat") == (of_backend["items"], of_backend["id"])
    assert of_ada["items"] == own["items"]
    assert ([], None) == (foreign["items"], foreign["thread_id"])
    assert 200 == went_on.status
    assert 2 == len(of_thread)
    assert 204 == resumed.status


async def test_row_1_lists_hold_what_is_the_users() -> None:
    """Whether its browser made it or a backend did in its name; another user can't be asked for."""
    async with server_of() as server:
        made = [
            await send(server, "POST", "/threads", {}, ADA),
            await send(server, "POST", "/threads", {"user": "ada"}),
            await send(server, "POST", "/threads", {}, BOB),
            await send(server, "POST", "/threads", {}),
            await send(server, "POST", "/sessions", {}, ADA),
        ]
        threads = await send(server, "GET", "/threads", headers=ADA)
        sessions = await send(server, "GET", "/sessions?user=ada", headers=ADA)
        refused = [
            await send(server, "GET", "/threads?user=bob", headers=ADA),
            await send(server, "GET", "/sessions?user=bob", headers=ADA),
            await send(server, "POST", "/sessions", {"user": "bob"}, ADA),
            await send(server, "POST", "/threads", {"user": "bob"}, ADA),
            await send(server, "POST", "/chat", {"prompt": "x", "user": "bob"}, ADA),
            await send(
                server, "POST", "/v1/chat/completions",
                {"messages": [{"role": "user", "content": "x"}], "user": "bob"}, ADA,
            ),
        ]  # fmt: skip
        named = await send(server, "POST", "/chat", {"prompt": "x", "user": "ada"}, ADA)

    assert [201] * 5 == [each.status for each in made]
    assert {made[0].body["id"], made[1].body["id"]} == {each["id"] for each in threads.body["items"]}
    assert {"ada"} == {each["user"] for each in sessions.body["items"]}
    assert 3 == len(sessions.body["items"])
    assert [403] * 6 == [each.status for each in refused]
    assert "leave it out" in refused[0].body["detail"]
    assert 200 == named.status


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/usage"), ("GET", "/prompts"), ("GET", "/feedback/export"), ("POST", "/tokens")],
)
async def test_what_is_others_is_not_for_users(method: str, path: str) -> None:
    """By its scope, or, where a user may have that, by the route."""
    async with server_of() as server:
        refused = await send(server, method, path, {} if method == "POST" else None, ADA)

    assert (403, "forbidden") == (refused.status, refused.body["code"])


_USER: Final = {"role": "user", "content": "x"}
_TOOL: Final = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("right", "path", "body"),
    [
        ("system", "/chat", {"messages": [{"role": "system", "content": "You are mine."}, _USER]}),
        ("system", "/chat", {"messages": [{"role": "system", "content": "m"}, _USER], "stream": True}),
        ("system", "/v1/chat/completions", {"messages": [{"role": "system", "content": "m"}, _USER]}),
        ("system", "/v1/chat/completions", {"messages": [{"role": "developer", "content": "m"}, _USER]}),
        ("system", "/ui/chat", {"id": "c", "messages": [{"id": "1", "role": "system", "parts": [{"type": "text", "text": "m"}]},
                                                        {"id": "2", "role": "user", "parts": [{"type": "text", "text": "x"}]}]}),
        ("tools", "/chat", {"prompt": "x", "tools": [_TOOL]}),
        ("tools", "/v1/chat/completions", {"messages": [_USER], "tools": [_TOOL]}),
        ("parameters", "/v1/chat/completions", {"messages": [_USER], "service_tier": "flex"}),
    ],
)  # fmt: skip
async def test_row_31_a_browser_does_not_speak_in_the_operators_place(
    right: Any, path: str, body: Any
) -> None:
    """Unless `auth.users_may` leaves it to users; whoever has a key may as before."""
    async with server_of() as server:
        refused = await send(server, "POST", path, body, ADA)
        with_key = await send(server, "POST", path, body)
        threads = await send(server, "GET", "/threads", headers=ADA)
    async with server_of(rights=(right,)) as server:
        allowed = await send(server, "POST", path, body, ADA)

    detail = refused.body["error"]["message"] if path.startswith("/v1") else refused.body["detail"]
    assert 403 == refused.status
    assert f"allow `{right}` in `auth.users_may`" in detail
    assert [] == threads.body["items"]
    assert 403 not in (with_key.status, allowed.status)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/chat", {"prompt": "x", "system_prompt": "agent"}),
        ("/chat", {"prompt": "x", "variables": {"a": 1}}),
        ("/chat/explain", {"prompt": "x"}),
        ("/v1/chat/completions", {"messages": [_USER], "model": "prompt/agent"}),
    ],
)
async def test_row_31_a_browser_does_not_choose_or_see_prompts(path: str, body: Any) -> None:
    """What fills them in goes into the operator's words, and an explanation shows them."""
    async with server_of() as server:
        refused = await send(server, "POST", path, body, ADA)
        with_key = await send(server, "POST", path, body)

    assert 403 == refused.status
    assert 403 != with_key.status


async def test_keys_may_be_kept_from_it_too() -> None:
    """`auth.keys_may` is all of it unless it says less."""

    def change(application: Application) -> Application:
        auth = attrs.evolve(application.settings.auth, keys_may=("tools",))
        settings = attrs.evolve(application.settings, auth=auth)
        return RING.instead(attrs.evolve(application, settings=settings))

    async with served({"a": ScriptedProvider(["Hi."])}, change=change) as server:
        body = {"messages": [{"role": "system", "content": "m"}, _USER]}
        refused = await send(server, "POST", "/chat", body)
        allowed = await send(server, "POST", "/chat", {"prompt": "x"})

    assert (403, 200) == (refused.status, allowed.status)
    assert "`auth.keys_may`" in refused.body["detail"]


async def test_a_key_asks_the_models_it_may() -> None:
    """Named otherwise: 403; configured otherwise: passed over, with the reason; of none left: 403."""
    providers = {"a": ScriptedProvider(["A."] * 3), "b": ScriptedProvider(["B."] * 3)}
    only_b = {"Authorization": "Bearer only_b"}
    async with served(providers, fallbacks=("b:m",), change=RING.instead) as server:
        primary = server.application.settings.chat.primary
        named = await send(server, "POST", "/chat", {"prompt": "x", "model": primary}, only_b)
        as_fallback = await send(
            server, "POST", "/chat", {"prompt": "x", "model": "b:m", "fallbacks": [primary]}, only_b
        )
        passed_over = await send(server, "POST", "/chat", {"prompt": "x"}, only_b)
        explained = await send(server, "POST", "/chat/explain", {"prompt": "x"}, only_b)
        nothing = await send(server, "POST", "/chat", {"prompt": "x", "fallbacks": []}, only_b)
        config = (await send(server, "GET", "/config", headers=only_b)).body
        models = (await send(server, "GET", "/v1/models", headers=only_b)).body["data"]
        other = (await send(server, "GET", f"/v1/models/{primary}", headers=only_b)).status

    assert [403, 403, 403] == [each.status for each in (named, as_fallback, nothing)]
    assert "`b:*`" in named.body["detail"]
    assert (200, "b:m") == (passed_over.status, passed_over.body["model"])
    assert "this key may not use it" in str(explained.body)
    assert ["b:m"] == [each["id"] for each in config["models"]]
    assert (None, ["b:m"]) == (config["defaults"]["model"], config["defaults"]["fallbacks"])
    assert {"b:m"} == {each["id"] for each in models}
    assert 404 == other


async def test_a_browser_is_not_told_what_the_operator_has_to_mend() -> None:
    """Nor which prompts there are, nor what its key may ask for beside it."""
    async with server_of() as server:
        config = (await send(server, "GET", "/config", headers=ADA)).body

    assert ([], [], None) == (config["warnings"], config["prompts"], config["defaults"]["system_prompt"])
    assert (None, None) == (config["rate_limits"]["key"], config["threads"]["summary_model"])


async def test_row_1_keys_of_tenants_and_tokens_of_users(tmp_path: Path) -> None:
    """The real ones: two tenants with the same words, and two users of one, who see their own and nothing else."""
    async with serving(tmp_path) as server:
        keys = {}
        for tenant in ("acme", "globex"):
            secret = new_secret()
            await server.application.store.keys.add(key_for(secret, "web", tenant=Tenant(tenant)))
            keys[tenant] = {"Authorization": f"Bearer {secret}"}
        tokens = {}
        for user in ("ada", "bob"):
            async with server.client.post("/tokens", json={"user": user}, headers=keys["acme"]) as made:
                assert 201 == made.status, await made.read()
                tokens[user] = {"Authorization": f"Bearer {(await made.json())['token']}"}
        callers = {**keys, **tokens}
        threads: dict[str, str] = {}
        for name, headers in callers.items():
            key = {"Idempotency-Key": "the-same"}
            async with server.client.post("/chat", json={"prompt": "Hi."}, headers=headers | key) as response:
                assert 200 == response.status, await response.read()
                assert "Idempotency-Replayed" not in response.headers
                threads[name] = (await response.json())["thread_id"]
        seen = {}
        for name, headers in callers.items():
            async with server.client.get("/threads", headers=headers) as response:
                seen[name] = {each["id"] for each in (await response.json())["items"]}
            statuses = {}
            for whose, thread_id in threads.items():
                async with server.client.get(f"/threads/{thread_id}", headers=headers) as response:
                    statuses[whose] = response.status
            assert {whose for whose, status in statuses.items() if status == 200} == {
                whose for whose in threads if threads[whose] in seen[name]
            }
        async with server.client.get("/usage", headers=tokens["ada"]) as usage:
            pass

    assert seen == {
        "acme": {threads["acme"], threads["ada"], threads["bob"]},
        "globex": {threads["globex"]},
        "ada": {threads["ada"]},
        "bob": {threads["bob"]},
    }
    assert 403 == usage.status


async def test_an_empty_user_is_none() -> None:
    """As frontends send that have nobody signed in: they share no limits, and are nobody's in the books."""
    async with server_of() as server:
        begun = await send(server, "POST", "/chat", {"prompt": "Hi", "user": ""})
        named = await send(server, "POST", "/sessions", {"user": ""})
        session = await send(server, "GET", f"/sessions/{begun.body['session_id']}")
        nobodys = await send(server, "GET", "/sessions?user=")

    assert (201, None) == (named.status, named.body["user"])
    assert (200, None) == (begun.status, session.body["user"])
    assert nobodys.body["items"] == []
