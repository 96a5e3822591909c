"""Keys and tokens over HTTP: who gets in, who does not, and what is kept of it."""

import asyncio
import base64
import datetime
import logging
import urllib.parse
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from multidict import CIMultiDict

from adapters.persistence.engine import Database
from adapters.persistence.tables import METADATA
from adapters.testing.chats_to_store import new_id
from domain.access import SCOPES
from domain.key_text import hash_of
from entrypoints.http.routes.table import ROUTES, RouteEntry
from tests.support.http import Server, parse, serving
from tests.support.keys import bearer, key_for, new_secret
from tests.support.records import store_config

_SCOPED = [entry for entry in ROUTES if entry.policy not in ("public", "ops")]
_OPEN = [entry for entry in ROUTES if entry.policy in ("public", "ops")]


@attrs.frozen
class Guarded:
    """A server that has keys."""

    server: Server
    secret: str
    """Of a key that may do everything."""

    async def status(self, method: str, path: str, headers: dict[str, str], **rest: Any) -> int:
        async with self.server.client.request(method, path, headers=headers, **rest) as response:
            await response.read()
            return response.status

    async def add(self, name: str, **changes: Any) -> str:
        secret = new_secret()
        await self.server.application.store.keys.add(key_for(secret, name, **changes))
        return secret


async def _guarded(server: Server) -> Guarded:
    guarded = Guarded(server, "")
    secret = await guarded.add("all")
    return Guarded(server, secret)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with serving(tmp_path) as server:
        yield await _guarded(server)


def _path(entry: RouteEntry) -> str:
    """With ids that nothing has."""
    path = entry.path.replace("{name}", "hello").replace("{version}", "v1").replace("{label}", "stable")
    return path.replace("{model}", "demo:demo").replace("{id}", new_id()).replace("{message_id}", new_id())


async def test_every_route_but_the_open_ones_asks_for_a_key_and_its_scope(tmp_path: Path) -> None:
    """Deny by default (security 2): without a key 401, with one that may do all else 403."""
    (tmp_path / "lor3.yaml").write_text("auth: {failed_per_minute: 1000}\nprompts: {directory: null}\n")
    async with serving(tmp_path) as server:
        await _demand_scopes(await _guarded(server))


async def _demand_scopes(guarded: Guarded) -> None:
    lacking = {
        scope: await guarded.add(f"no-{scope}", scopes=SCOPES - {scope})
        for scope in {entry.policy for entry in _SCOPED}
    }
    for entry in _SCOPED:
        path = _path(entry)
        assert await guarded.status(entry.method, path, {}) == 401, path
        assert await guarded.status(entry.method, path, bearer(lacking[entry.policy])) == 403, path
        assert await guarded.status(entry.method, path, bearer(guarded.secret)) not in (401, 403), path
        if entry.method == "GET" and entry.has_head:
            assert await guarded.status("HEAD", path, {}) == 401, path
    for entry in _OPEN:
        assert await guarded.status(entry.method, _path(entry), {}) in (200, 304), entry.path


async def test_every_failure_has_one_body(guarded: Guarded) -> None:
    """Security 5: missing, malformed, unknown, revoked, expired, badly signed; in cookies or queries (29), too."""
    past = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    revoked = await guarded.add("revoked", revoked_at=past)
    expired = await guarded.add("expired", expires_at=past)
    sent: list[tuple[str, dict[str, str]]] = [
        ("/config", {}),
        (f"/config?api_key={guarded.secret}", {}),
        ("/config", {"Cookie": f"Authorization=Bearer {guarded.secret}"}),
        ("/config", {"X-API-Key": guarded.secret}),
        ("/config", {"Authorization": f"Basic {guarded.secret}"}),
        ("/config", {"Authorization": guarded.secret}),
        *[
            ("/config", bearer(each))
            for each in (new_secret(), "x", revoked, expired, hash_of(guarded.secret), "eyJ.eyJ.AAAA")
        ],
    ]
    invalid = 'Bearer error="invalid_token"'
    seen = []
    for path, headers in sent:
        async with guarded.server.client.get(path, headers=headers) as response:
            body = await response.json()
            del body["request_id"]
            seen.append((response.status, response.headers["WWW-Authenticate"], body))

    assert all((each[0], each[2]) == (seen[0][0], seen[0][2]) for each in seen)
    assert (401, "unauthenticated") == (seen[0][0], seen[0][2]["code"])
    challenges = [invalid if "Authorization" in headers else "Bearer" for _, headers in sent]
    assert challenges == [challenge for _, challenge, _ in seen]


@pytest.mark.parametrize("second", ["", "x", "{secret}"])
async def test_two_credentials_are_none(guarded: Guarded, second: str) -> None:
    """Whichever comes first, and though both are the same."""
    one, two = guarded.secret, second.format(secret=guarded.secret)
    assert await guarded.status("GET", "/config", bearer(one)) == 200
    for first, other in ((one, two), (two, one)):
        headers = CIMultiDict([("Authorization", f"Bearer {first}"), ("Authorization", f"Bearer {other}")])
        async with guarded.server.client.get("/config", headers=headers) as response:
            assert (await response.json())["code"] == "unauthenticated"
        assert response.status == 401


async def test_openai_clients_get_an_error_of_their_own(guarded: Guarded) -> None:
    """On `/v1/` a failure has the shape that their libraries read."""
    async with guarded.server.client.post("/v1/chat/completions", json={}) as response:
        error = (await response.json())["error"]

    assert (response.status, error["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("value", [b"Bearer a\0CANARY", b"Bearer \xff\xfeCANARY", b"Bearer CANARY\x01"])
async def test_nonsense_in_the_header_is_neither_echoed_nor_logged(
    guarded: Guarded, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """NUL and bytes that are no text (security 15)."""
    with caplog.at_level(logging.DEBUG):
        raw = await guarded.server.raw(
            b"GET /config HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: "
            + value
            + b"\r\n\r\n"
        )
    status, _ = parse(raw)

    assert status in (400, 401)
    assert b"CANARY" not in raw
    assert "CANARY" not in caplog.text


async def test_key_of_another_replica_is_refused_soon_after_it_is_revoked(tmp_path: Path) -> None:
    """Security 6: made and revoked on one, it opens and is refused on the other within 5 s."""
    async with serving(tmp_path) as first, serving(tmp_path) as second:
        guarded = await _guarded(first)
        other = Guarded(second, guarded.secret)
        assert await other.status("GET", "/config", bearer(guarded.secret)) == 200
        keys = await first.application.store.keys.list()
        await first.application.store.keys.revoke([key.id for key in keys])
        async with asyncio.timeout(30):
            # What is waited for is the other's own clock.
            while await other.status("GET", "/config", bearer(guarded.secret)) != 401:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

        assert await guarded.status("GET", "/config", bearer(guarded.secret)) in (200, 401)


async def test_flood_of_random_keys_is_refused_cheaply(guarded: Guarded) -> None:
    """Security 24: most by a 429 that says when to come again; who has a key gets in from the same address."""
    assert await guarded.status("GET", "/config", bearer(guarded.secret)) == 200

    async def tried() -> tuple[int, str | None]:
        async with guarded.server.client.get("/config", headers=bearer(new_secret())) as response:
            await response.read()
            return response.status, response.headers.get("Retry-After")

    answers = await asyncio.gather(*(tried() for _ in range(150)))
    more = await asyncio.gather(*(tried() for _ in range(20)))

    assert {status for status, _ in answers} <= {401, 429}
    assert set(more) == {(429, "1")}
    assert await guarded.status("GET", "/config", bearer(guarded.secret)) == 200
    assert await guarded.status("GET", "/healthz", bearer("x")) == 200


async def test_token_opens_what_is_its_users(guarded: Guarded) -> None:
    """Made with a key, it opens chats and no more; it makes no tokens, and nobody can ask for a long one."""
    client = guarded.server.client
    body = {"user": "u1", "ttl_s": 60, "scopes": ["chat"]}
    async with client.post("/tokens", json=body, headers=bearer(guarded.secret)) as response:
        made = await response.json()
    assert response.status == 201
    assert (made["user"], made["scopes"], sorted(made)) == (
        "u1",
        ["chat"],
        ["expires_at", "scopes", "token", "user"],
    )
    ends_at = datetime.datetime.fromisoformat(made["expires_at"])
    assert abs((ends_at - datetime.datetime.now(datetime.UTC)).total_seconds() - 60) < 10
    token = bearer(made["token"])
    assert await guarded.status("GET", "/config", token) == 200
    assert await guarded.status("POST", "/tokens", token, json={"user": "u2"}) == 403
    for path, said in (
        ("/usage", "a user's token can't have the scope `usage`; let your backend do this with its key"),
        ("/threads", "this user's token lacks the scope `threads`; ask your backend for one that has it"),
    ):
        async with client.get(path, headers=token) as refused:
            problem = await refused.json()
        assert (refused.status, problem["detail"]) == (403, said)
        assert problem["title"] == "The key or token may not do this"
    async with client.post("/chat", json={"prompt": "Hello"}, headers=token) as response:
        assert response.status == 200
    bad = {"user": " ", "ttl_s": 3601, "scopes": ["usage"], "models": [], "tenant": "acme"}
    async with client.post("/tokens", json=bad, headers=bearer(guarded.secret)) as response:
        problem = await response.json()

    assert response.status == 400
    assert [fault["path"].partition("[")[0] for fault in problem["errors"]] == [
        "user",
        "ttl_s",
        "scopes",
        "models",
        "tenant",
    ]


async def test_tokens_need_a_key_to_sign_with(tmp_path: Path) -> None:
    """Where none is asked for there is none, so the answer is the one of a missing key."""
    async with serving(tmp_path) as server:
        async with server.client.post("/tokens", json={"user": "u1"}) as response:
            problem = await response.json()

    assert (response.status, problem["code"]) == (401, "unauthenticated")


async def test_database_holds_no_key(database_url: str, tmp_path: Path) -> None:
    """Security 4: a dump of every table after keys, tokens and chats; what it does hold opens nothing."""
    async with serving(tmp_path, database_url=database_url) as server:
        guarded = await _guarded(server)
        headers = bearer(guarded.secret)
        async with server.client.post("/tokens", json={"user": "u1"}, headers=headers) as response:
            token = (await response.json())["token"]
        for each in (headers, bearer(token)):
            chat = {"prompt": "Hello"}
            with_key = {**each, "Idempotency-Key": uuid.uuid4().hex}
            assert await guarded.status("POST", "/chat", with_key, json=chat) == 200
        dump = _dump(database_url)
        stored = (await server.application.store.keys.list())[0]
        held = (stored.hash, stored.public_key, stored.hint)
        assert {await guarded.status("GET", "/config", bearer(each)) for each in held} == {401}

    assert stored.hash in dump
    secret = guarded.secret
    for value in (secret, secret.removeprefix("lor3_sk_"), token, token.rpartition(".")[2]):
        for form in (
            value,
            base64.b64encode(value.encode()).decode().rstrip("="),
            base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
            urllib.parse.quote(value, safe=""),
            value.encode().hex(),
        ):
            assert form not in dump


def _dump(url: str) -> str:
    """Every row of every table as text, as `pg_dump` would write it."""
    engine = Database.of(store_config(url)).open_for_migration()
    rows: list[str] = []
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lor3.tenants = '*'")
        for table in METADATA.sorted_tables:
            everything = sa.select(sa.text("*")).select_from(table)
            rows += [str(tuple(row)) for row in connection.execute(everything)]
    engine.dispose()
    return "\n".join(rows)


async def test_keys_that_cannot_be_read_are_told_apart_from_keys_that_are_wrong(tmp_path: Path) -> None:
    """With the database away at the start lor3 is up, and says 503: never 401, never open."""
    (tmp_path / "lor3.yaml").write_text("prompts: {directory: null}\n")
    async with serving(tmp_path, database_url="postgresql://u@127.0.0.1:1/none") as server:
        guarded = Guarded(server, new_secret())
        for headers in ({}, bearer(guarded.secret), bearer("x")):
            async with server.client.get("/config", headers=headers) as response:
                assert (response.status, (await response.json())["code"]) == (503, "storage_unavailable")
        assert await guarded.status("GET", "/healthz", {}) == 200
        assert await guarded.status("GET", "/openapi.json", {}) == 200


async def test_whether_keys_are_needed_is_in_the_configuration(guarded: Guarded) -> None:
    """A UI asks for one by it."""
    async with guarded.server.client.get("/config", headers=bearer(guarded.secret)) as response:
        described = await response.json()

    assert described["features"]["authentication"] is True


async def test_removed_database_file_is_no_reason_for_a_401(guarded: Guarded, tmp_path: Path) -> None:
    """Nor for a chat that nobody would find again: both are told 503, and so is a probe, with the reason."""
    client, headers = guarded.server.client, bearer(guarded.secret)
    assert 200 == await guarded.status("POST", "/chat", headers, json={"prompt": "Hi"})
    path = tmp_path / "lor3.db"
    path.unlink()

    async with client.post("/chat", headers=headers, json={"prompt": "Hi"}) as response:
        assert (503, "storage_unavailable") == (response.status, (await response.json())["code"])
    # An unknown key is looked for at once, and that look must not forget those that were seen.
    assert 503 == await guarded.status("GET", "/config", bearer(new_secret()))
    assert 200 == await guarded.status("GET", "/config", headers)
    async with client.get("/readyz") as response:
        assert 503 == response.status
        assert "removed or replaced" in await response.text()
    assert not path.exists()
