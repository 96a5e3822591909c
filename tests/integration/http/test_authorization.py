"""Who may call what is decided by the route that matched and the bearer that was sent, and by nothing else."""

import json
import random
import string
from pathlib import Path
from typing import Any, Final

import pytest

from domain.access import Caller
from domain.errors import RateLimited
from entrypoints.http.routes.table import ROUTES, SCOPE_OF
from entrypoints.settings import ServerSettings
from lor3.testing import ScriptedProvider
from tests.support.callers import CallersByName
from tests.support.http import ScriptedSendChat, serving
from tests.support.resuming import served

ORIGIN: Final = "https://app.example"
RING: Final = CallersByName(
    None, chats=Caller(scopes=frozenset(("chat",))), all=Caller(), reads=Caller(scopes=frozenset(("usage",)))
)
CHATS: Final = {"Authorization": "Bearer chats"}


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # What a route needs is looked up by its template.
        (b"GET /usage HTTP/1.1\r\nHost: a/chat?", 403),
        (b"GET /usage HTTP/1.1\r\nHost: evil", 403),
        (b"GET http://evil/chat/../usage HTTP/1.1\r\nHost: evil", 404),
        (b"GET http://evil/usage HTTP/1.1\r\nHost: evil", 403),
        (b"GET http://evil/chat?/usage HTTP/1.1\r\nHost: evil", 405),
        (b"GET /us%61ge HTTP/1.1\r\nHost: a", 403),
        (b"GET /%75%73%61%67%65 HTTP/1.1\r\nHost: a", 403),
        (b"GET /us%2561ge HTTP/1.1\r\nHost: a", 404),
        (b"GET //usage HTTP/1.1\r\nHost: a", 404),
        (b"GET /usage/ HTTP/1.1\r\nHost: a", 404),
        (b"GET /healthz/../usage HTTP/1.1\r\nHost: a", 404),
        (b"GET /healthz/..%2fusage HTTP/1.1\r\nHost: a", 404),
        (b"GET /docs/%2e%2e/usage HTTP/1.1\r\nHost: a", 404),
        (b"GET /healthz;/usage HTTP/1.1\r\nHost: a", 404),
        (b"GET /usage?/healthz HTTP/1.1\r\nHost: a", 403),
        (b"GET /usage#/healthz HTTP/1.1\r\nHost: a", 403),
        (b"HEAD /usage HTTP/1.1\r\nHost: a", 403),
        (b"GET /threads//messages HTTP/1.1\r\nHost: a", 404),
        (b"GET /USAGE HTTP/1.1\r\nHost: a", 404),
        (b"OPTIONS /usage HTTP/1.1\r\nHost: a\r\nOrigin: x\r\nAccess-Control-Request-Method: GET", 405),
    ],
)
async def test_row_3_the_route_that_matched_says_what_is_needed(
    line: bytes, expected: int, tmp_path: Path
) -> None:
    """Not the host, the raw path or the whole URL: no way to write a route makes another's handler answer."""
    async with serving(tmp_path, change=RING.instead) as server:
        answered = await server.raw(
            line + b"\r\nAuthorization: Bearer chats\r\nX-Forwarded-Prefix: /healthz\r\n"
            b"X-Original-URL: /healthz\r\nX-HTTP-Method-Override: GET\r\nConnection: close\r\n\r\n"
        )

    assert expected == status_of(answered), answered


async def test_row_28_pages_read_refusals_too(tmp_path: Path) -> None:
    """401, 403 and 429 name the origin and may be read with their headers; preflights need no key."""
    chat = ScriptedSendChat(script=[RateLimited("too many", retry_after_s=2.0)])
    settings = ServerSettings(cors_origins=(ORIGIN,))
    async with serving(tmp_path, server=settings, send_chat=chat, change=RING.instead) as server:
        origin = {"Origin": ORIGIN}
        asked = {
            **origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        async with server.client.options("/chat", headers=asked) as preflight:
            pass
        body = {"prompt": "x", "stream": True}
        async with server.client.post("/chat", json=body, headers=origin) as nobody:
            pass
        async with server.client.get("/usage", headers=origin | CHATS) as lacking:
            pass
        async with server.client.post("/chat", json=body, headers=origin | CHATS) as limited:
            pass
        async with server.client.post("/chat", json=body, headers={"Origin": "null"} | CHATS) as foreign:
            pass

    assert [204, 401, 403, 429] == [each.status for each in (preflight, nobody, lacking, limited)]
    for each in (preflight, nobody, lacking, limited):
        assert ORIGIN == each.headers["Access-Control-Allow-Origin"]
        assert "Access-Control-Allow-Credentials" not in each.headers
        assert "Origin" == each.headers["Vary"]
    assert "Access-Control-Allow-Origin" not in foreign.headers
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed)
    exposed = {name.strip().lower() for name in limited.headers["Access-Control-Expose-Headers"].split(",")}
    assert {"retry-after", "www-authenticate", "x-request-id", "x-ratelimit-remaining-requests"} <= exposed
    assert "2" == limited.headers["Retry-After"]
    assert "Bearer" == nobody.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "Authorization=Bearer all; token=all; session=all"},
        {"Authorization": "Basic YWxsOmFsbA=="},
        {"Authorization": "all"},
        {"X-API-Key": "all"},
        {"Proxy-Authorization": "Bearer all"},
    ],
)
async def test_row_29_a_bearer_is_all_that_counts(headers: dict[str, str], tmp_path: Path) -> None:
    """No cookie, no other scheme, header or parameter lets anybody in; and none is ever set."""
    async with (
        serving(tmp_path, change=RING.instead) as server,
        server.client.get("/config?api_key=all&access_token=all", headers=headers) as response,
    ):
        assert 401 == response.status
        assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "text/json",
        "application/json; charset=utf-7", "text/plain; application/json", "",
    ],
)  # fmt: skip
async def test_row_29_a_body_that_a_form_can_send_is_refused(content_type: str, tmp_path: Path) -> None:
    """On every route that takes one: else a page of any origin could send it without a preflight."""
    writing = [
        entry for entry in ROUTES if entry.method in ("POST", "PUT", "PATCH") and entry.path in SCOPE_OF
    ]
    statuses: dict[str, int] = {}
    headers = {"Authorization": "Bearer all", "Content-Type": content_type}
    async with serving(tmp_path, change=RING.instead) as server:
        for entry in writing:
            path = entry.path.replace("{", "").replace("}", "")
            async with server.client.request(
                entry.method,
                path,
                data=b'{"prompt": "x"}',
                headers=headers,
                skip_auto_headers=("Content-Type",),
            ) as response:
                statuses[entry.path] = response.status

    assert {415} == set(statuses.values()), statuses


async def test_row_30_callers_make_no_series() -> None:
    """Whatever paths, methods, models, users and keys they try, 1,400 here; tens of thousands are tried in the unit test of the
    metrics."""
    dice = random.Random(30)  # noqa: S311 - not for secrets

    def word() -> str:
        return "".join(dice.choices(string.ascii_letters + "%/.é", k=12))

    async def storm(client: Any, times: int) -> None:
        for _ in range(times):
            method = dice.choice(("GET", "POST", "PUT", "DELETE", "BREW", "".join(dice.choices("ABC", k=7))))
            headers = {"Authorization": f"Bearer {dice.choice(('all', 'x' + str(dice.random())))}"}
            async with client.request(method, f"/{word().lstrip('/')}?{word()}", headers=headers):
                pass
            body = {"prompt": "x", "model": f"{word()[:4]}:{word()}", "user": word(), "system_prompt": word()}
            async with client.post("/chat", json=body, headers=headers):
                pass
            async with client.get(f"/threads/{word().replace('/', '')}", headers=headers):
                pass

    async def series(client: Any) -> set[str]:
        async with client.get("/metrics") as response:
            lines = (await response.text()).splitlines()
        return {line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")}

    async with served({"a": ScriptedProvider([])}, change=RING.instead) as server:
        await series(server.client)
        await storm(server.client, 25)
        before = await series(server.client)
        await storm(server.client, 450)
        after = await series(server.client)

    assert before == after
    assert before


@pytest.mark.parametrize("name", ["id", "tenant", "cost", "cost_usd", "role", "key_id", "user_id", "caller", "scopes", "status"])  # fmt: skip
async def test_row_35_nothing_is_assigned_that_is_not_offered(name: str, tmp_path: Path) -> None:
    """A field that a route does not have is a 400 that names it, in queries as in bodies."""
    bodies: dict[tuple[str, str], dict[str, Any]] = {
        ("POST", "/chat"): {"prompt": "x"},
        ("POST", "/chat/explain"): {"prompt": "x"},
        ("POST", "/sessions"): {},
        ("POST", "/threads"): {},
        ("PATCH", "/threads/x"): {"title": "x"},
        ("POST", "/threads/x/fork"): {"message_id": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1dffff"},
        ("PATCH", "/messages/x"): {"pinned": True},
        ("PUT", "/messages/x/feedback"): {"rating": 5},
        ("POST", "/messages/x/regenerate"): {},
        ("POST", "/prompts/x/versions"): {"template": "x"},
        ("PUT", "/prompts/x/labels/y"): {"version": "v1"},
        ("POST", "/prompts/x/render"): {},
    }
    async with serving(tmp_path) as server:
        told = {}
        for (method, path), body in bodies.items():
            async with server.client.request(method, path, json={**body, name: "x"}) as response:
                told[path] = (response.status, json.loads(await response.read()))
        for path in ("/threads", "/sessions", "/prompts", "/usage", "/feedback/export"):
            async with server.client.get(f"{path}?{name}=x") as response:
                told[path + "?"] = (response.status, json.loads(await response.read()))

    for path, (status, problem) in told.items():
        assert 400 == status, path
        assert name in [fault["path"] for fault in problem["errors"]], (path, problem)
