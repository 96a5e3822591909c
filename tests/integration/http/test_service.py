"""Configuration, probes, metrics, documentation, CORS and the route table."""

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, get_args

import attrs
import jsonschema
import pytest
from aiohttp import web

from adapters.in_memory.key_store import InMemoryKeyStore
from adapters.in_memory.shelves import Shelves
from adapters.system import SystemClock
from application.ports.chat_journal import ChatJournal
from application.ports.unit_of_work import UnitOfWork
from application.services.key_ring import KeyRing
from application.use_cases.read_prompts import ReadPrompts
from domain.errors import ConfigurationError, StorageUnavailable
from domain.ids import Tenant
from entrypoints.application import Application
from entrypoints.http.app import create_app
from entrypoints.http.response_headers import REPLAYED
from entrypoints.http.routes.table import ROUTES, Policy
from entrypoints.http.server import check_parser, serve
from entrypoints.settings import ServerSettings
from tests.support.http import Server, parse, serving
from tests.support.keys import SIGNER

CONFIG_KEYS = {
    "budget",
    "aliases.*", "defaults.context_depth", "defaults.fallbacks", "defaults.format", "defaults.max_tokens", "defaults.memory",
    "defaults.model", "defaults.on_disconnect", "defaults.seed", "defaults.stop", "defaults.stream",
    "defaults.system_prompt",
    "defaults.temperature", "defaults.top_p", "features.authentication", "features.explain",
    "features.feedback", "features.idempotency", "features.images", "features.json_schema", "features.prompts", "features.streaming",
    "features.threads", "features.tools", "features.usage",
    "formats", "limits.deadline_s", "limits.max_attempts", "limits.max_body_bytes", "limits.max_context_depth",
    "limits.max_forked_messages", "limits.max_json_depth", "limits.max_messages", "limits.max_page_items",
    "limits.max_pinned_messages", "limits.max_tag_characters", "limits.max_tags", "limits.max_text_characters",
    "limits.max_title_characters", "models.capabilities",
    "models.health", "models.id", "models.lifecycle.replaced_by", "models.lifecycle.retired",
    "models.lifecycle.retired_on", "models.limits.context_window", "models.limits.max_output_tokens",
    "models.coming_prices", "models.price", "models.price.audio_input_per_mtok_usd",
    "models.price.audio_output_per_mtok_usd", "models.price.cache_write_1h_per_mtok_usd",
    "models.price.cache_write_per_mtok_usd", "models.price.cached_input_per_mtok_usd", "models.price.from",
    "models.price.image_input_per_mtok_usd", "models.price.input_per_mtok_usd", "models.price.output_per_mtok_usd",
    "models.provider", "passes", "prompts.description", "prompts.labels",
    "prompts.name", "prompts.prompt_version", "rate_limits.address.concurrency",
    "rate_limits.address.requests_per_minute", "rate_limits.address.tokens_per_minute", "rate_limits.key",
    "rate_limits.user.concurrency", "rate_limits.user.requests_per_minute", "rate_limits.user.tokens_per_minute",
    "threads.deleted_threads_days", "threads.max_queued",
    "threads.max_wait_s", "threads.messages_days", "threads.summary_model", "threads.when_busy", "warnings",
}  # fmt: skip


def keys(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict) and path == "aliases":
        return {"aliases.*"}
    if isinstance(value, dict) and value:
        return set().union(*(keys(item, f"{path}.{key}".lstrip(".")) for key, item in value.items()))
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return set().union(*(keys(item, path) for item in value))
    return {path}


@attrs.frozen(kw_only=True)
class AwayStore:
    """A store whose database is away."""

    reason: str | None
    is_ready: bool

    @property
    def journal(self) -> "ChatJournal | AwayStore":
        return self

    async def check(self) -> str | None:
        return self.reason


def readable(path: str) -> bool:
    return any((entry.method, entry.path) == ("GET", path) and entry.has_head for entry in ROUTES)


async def make_prompt(server: Server) -> None:
    """The prompt `tone` with one version and the label `staging`."""
    async with server.client.post("/prompts/tone/versions", json={"template": "Be kind."}) as made:
        assert made.status == 201
    async with server.client.put("/prompts/tone/labels/staging", json={"version": "v1"}) as moved:
        assert moved.status == 200


async def test_config_shows_exactly_the_allow_list(tmp_path: Path) -> None:
    """A new key has to be added here by hand (security 34)."""
    async with serving(tmp_path) as server:
        await make_prompt(server)
        async with server.client.get("/config") as response:
            config = await response.json()

    assert response.status == 200
    assert keys(config) <= CONFIG_KEYS
    assert {key for key in CONFIG_KEYS if not key.startswith("models.price")} - keys(config) == set()
    assert {"raw", "markdown", "json"} <= set(config["formats"])
    served = {str(entry.policy) for entry in ROUTES} & set(config["features"])
    assert {"threads", "feedback", "usage", "prompts"} == served
    assert all(config["features"][each] for each in served)
    assert config["features"]["idempotency"] == any(entry.takes_key for entry in ROUTES)
    assert config["threads"]["summary_model"] == config["defaults"]["model"]
    assert str(tmp_path) not in json.dumps(config)


async def test_config_warns_of_a_default_prompt_that_is_not_there(tmp_path: Path) -> None:
    """Until it is made, or the database is away and nobody knows; a chat's 500 says the same, blaming no field."""
    (tmp_path / "lor3.yaml").write_text("system_prompt: tone\n")

    def refuse(tenant: Tenant) -> AbstractAsyncContextManager[UnitOfWork]:
        raise StorageUnavailable("the database is away; try again shortly")

    def away(application: Application) -> Application:
        return attrs.evolve(application, read_prompts=ReadPrompts(unit_of_work=refuse))

    async with serving(tmp_path) as server:
        async with server.client.get("/config") as response:
            before = (await response.json())["warnings"]
        async with server.client.post("/chat", json={"prompt": "hi"}) as chat:
            refused, problem = chat.status, await chat.json()
        await make_prompt(server)
        async with server.client.get("/config") as response:
            after = (await response.json())["warnings"]
        async with server.client.post("/chat", json={"prompt": "hi"}) as chat:
            answered = chat.status
    async with serving(tmp_path, change=away) as server:
        async with server.client.get("/config") as response:
            unknown = (await response.json())["warnings"]

    (warning,) = [each for each in before if "system_prompt" in each]
    assert warning.startswith("`system_prompt: tone` in lor3's configuration can't be used")
    assert (refused, answered) == (500, 200)
    assert (problem["code"], problem["detail"]) == ("configuration_invalid", warning)
    assert "errors" not in problem
    for warnings in (after, unknown):
        assert not [each for each in warnings if "system_prompt" in each]


async def test_probes_and_metrics(tmp_path: Path) -> None:
    """Alive, ready, and Prometheus' text."""
    async with serving(tmp_path) as server:
        async with server.client.get("/healthz") as health, server.client.get("/readyz") as ready:
            assert await health.json() == {"status": "ok"}
            checks = (await ready.json())["checks"]
            assert (checks["storage"], checks["providers"], checks["draining"]) == ("ok", "ok", "no")
            assert set(checks) == {"storage", "keys", "providers", "draining"}
        async with server.client.get("/metrics") as metrics:
            assert "# TYPE lor3_" in await metrics.text()
            assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_every_get_answers_head_without_a_body(tmp_path: Path) -> None:
    """As load balancers ask: the same head, and the connection goes on; a POST route does not know it."""
    async with serving(tmp_path) as server:
        await make_prompt(server)
        async with server.client.post("/chat", json={"prompt": "x"}) as chat:
            answer = await chat.json()
        ids = {f"{kind}s": answer[f"{kind}_id"] for kind in ("session", "thread", "message")}
        for entry in ROUTES:
            kind = entry.path.split("/")[1]
            path = entry.path.format(
                name="tone",
                version="v1",
                label="staging",
                id=ids.get(kind),
                message_id=ids["messages"],
                model="demo:demo",
            )
            head = b"HEAD %s HTTP/1.1\r\nHost: x\r\n" % path.encode()
            answered = await server.raw(
                head + b"\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            first, _, rest = answered.partition(b"\r\n\r\n")

            assert int(first.split(b" ", 2)[1]) == (200 if readable(entry.path) else 405), entry.path
            assert parse(rest) == (200, {"status": "ok"})
        async with server.client.head("/config") as head_of, server.client.get("/config") as whole:
            assert head_of.headers["Content-Length"] == whole.headers["Content-Length"]
            assert head_of.content_type == "application/json"


@pytest.mark.parametrize(("reason", "is_ready"), [("connection refused", True), (None, False)])
async def test_readiness_fails_while_the_database_is_away(
    reason: str | None, is_ready: bool, tmp_path: Path
) -> None:
    """503 with the reason, while /healthz stays well."""

    def break_store(application: Application) -> Application:
        return attrs.evolve(application, store=AwayStore(reason=reason, is_ready=is_ready))  # type: ignore[arg-type] # as much of a store as readiness asks

    async with serving(tmp_path, change=break_store) as server:
        async with server.client.get("/readyz") as response:
            problem = await response.json()
        async with server.client.get("/healthz") as health:
            pass

    assert (response.status, problem["code"], health.status) == (503, "not_ready", 200)
    assert (reason or "can't be stored") in problem["detail"]
    assert (reason or "can't be stored") in problem["checks"]["storage"]


async def test_who_is_ready_lets_in_whoever_comes_next(tmp_path: Path) -> None:
    """Also where the database came back right after the keys could not be read: readiness reads them first."""
    clock = SystemClock()
    shelves = Shelves(now=clock.now)
    shelves.available = False
    ring = KeyRing(store=InMemoryKeyStore(shelves=shelves), clock=clock, signer=SIGNER)
    async with serving(tmp_path, change=lambda made: attrs.evolve(made, key_ring=ring)) as server:
        async with server.client.get("/threads") as refused:
            problem = await refused.json()
        shelves.available = True
        async with server.client.get("/readyz") as ready:
            checks = (await ready.json())["checks"]
        async with server.client.get("/threads") as answered:
            pass
    await ring.aclose()

    assert (refused.status, problem["code"]) == (503, "storage_unavailable")
    assert (ready.status, checks["keys"]) == (200, "ok")
    assert answered.status == 200


async def test_draining_fails_readiness_and_refuses_new_chats(tmp_path: Path) -> None:
    """At once, with Retry-After; liveness stays."""
    async with serving(tmp_path) as server:
        server.state.draining = True
        async with server.client.get("/readyz") as ready, server.client.get("/healthz") as health:
            pass
        async with server.client.post("/chat", json={"prompt": "x"}) as chat:
            problem = await chat.json()

        async with server.client.get("/readyz") as ready:
            checks = (await ready.json())["checks"]

    assert checks["draining"] == "lor3 is shutting down"
    assert (ready.status, health.status, chat.status) == (503, 200, 503)
    assert (problem["code"], chat.headers["Retry-After"]) == ("shutting_down", "1")


async def test_no_route_is_served_that_the_table_does_not_have(tmp_path: Path) -> None:
    """Deny by default (security 2): every route of the router has a policy."""
    async with serving(tmp_path, server=ServerSettings(cors_origins=("https://a.example",))) as server:
        app = create_app(server.application)
        served = {
            (route.method, route.resource.canonical)
            for route in app.router.routes()
            if route.resource is not None
        }

    declared = {(entry.method, entry.path) for entry in ROUTES}
    heads = {("HEAD", entry.path) for entry in ROUTES if entry.method == "GET" and entry.has_head}
    assert {route for route in served if route[0] != "OPTIONS"} == declared | heads
    assert {entry.policy for entry in ROUTES} <= {
        name for part in get_args(Policy) for name in get_args(part)
    }
    assert isinstance(app, web.Application)


async def test_openapi_describes_every_route(tmp_path: Path) -> None:
    """All of the table but the page's own assets; every reference resolves."""
    async with serving(tmp_path) as server:
        async with server.client.get("/openapi.json") as response:
            document = await response.json()

    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assets = {("GET", "/docs/app.js"), ("GET", "/docs/style.css")}
    assert described | assets == {(entry.method, entry.path) for entry in ROUTES}
    assert document["openapi"] == "3.1.0"
    text = json.dumps(document)
    for name in {piece.split('"')[0] for piece in text.split("#/components/schemas/")[1:]}:
        assert document["components"]["schemas"][name]["description"]


async def test_what_a_ui_reads_fits_its_schema(tmp_path: Path) -> None:
    """Nothing is missing in `/config` and an explanation, and nothing is undocumented."""
    body = {
        "prompt": "x",
        "format": "json",
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": "auto",
    }
    async with serving(tmp_path) as server:
        await make_prompt(server)
        async with server.client.get("/openapi.json") as response:
            document = await response.json()
        async with server.client.get("/config") as response:
            config = await response.json()
        async with server.client.post("/chat/explain", json=body) as response:
            explanation = await response.json()
    assert config["prompts"]
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        if "properties" in schema:
            schema["additionalProperties"] = False

    for name, value in (("Config", config), ("Explanation", explanation)):
        jsonschema.validate(
            value, {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        )


async def test_every_example_of_a_body_is_answered_with_no_configuration(tmp_path: Path) -> None:
    """The form of `/docs` offers them: none may name a model that this lor3 lacks."""
    async with serving(tmp_path) as server:
        async with server.client.get("/openapi.json") as response:
            paths = (await response.json())["paths"]
        for path in ("/chat", "/chat/explain"):
            examples = paths[path]["post"]["requestBody"]["content"]["application/json"]["examples"]
            for name, example in examples.items():
                async with server.client.post(path, json=example["value"]) as response:
                    answered = await response.text()

                assert response.status == 200, (name, answered)


async def test_the_docs_fetch_nothing_from_elsewhere(tmp_path: Path) -> None:
    """Assets of the package alone, with their types and a policy that allows no other."""
    types = {"/docs": "text/html", "/docs/app.js": "text/javascript", "/docs/style.css": "text/css"}
    async with serving(tmp_path) as server:
        for path, content_type in types.items():
            async with server.client.get(path) as response:
                text = await response.text()

            assert (response.status, response.content_type) == (200, content_type)
            assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
            assert "http://" not in text
            assert "https://" not in text
            assert "innerHTML" not in text


ORIGIN = "https://app.example"


@pytest.mark.parametrize(
    "origin",
    ["null", "https://app.example.evil.com", "https://evil-app.example", "http://app.example", "https://app.example:444",
     "https://APP.example", "https://app.example/", "*"],
)  # fmt: skip
async def test_other_origins_are_not_allowed(origin: str, tmp_path: Path) -> None:
    """By exact comparison: no suffix, prefix, port or scheme (security 28)."""
    async with serving(tmp_path, server=ServerSettings(cors_origins=(ORIGIN,))) as server:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with server.client.options("/chat", headers=asked) as preflight:
            pass
        async with server.client.get("/config", headers={"Origin": origin}) as plain:
            pass

    for response in (preflight, plain):
        assert not [
            name for name in response.headers if name.lower().startswith("access-control-allow-origin")
        ]
        assert response.headers["Vary"] == "Origin"


async def test_a_listed_origin_is_allowed_without_credentials(tmp_path: Path) -> None:
    """Preflight, answer, stream and error alike."""
    async with serving(tmp_path, server=ServerSettings(cors_origins=(ORIGIN,))) as server:
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        async with server.client.options("/chat", headers=asked) as preflight:
            pass
        answers = [preflight]
        for body in ({"prompt": "x"}, {"prompt": "x", "stream": True}, {}):
            async with server.client.post("/chat", json=body, headers={"Origin": ORIGIN}) as response:
                answers.append(response)

    assert [response.status for response in answers] == [204, 200, 200, 400]
    for response in answers:
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Access-Control-Allow-Credentials" not in response.headers
    methods = preflight.headers["Access-Control-Allow-Methods"].split(", ")
    assert {entry.method for entry in ROUTES} <= set(methods)
    assert "If-Match" in preflight.headers["Access-Control-Allow-Headers"]
    assert "ETag" in answers[1].headers["Access-Control-Expose-Headers"]


async def test_a_page_may_send_and_read_every_header_that_is_documented(tmp_path: Path) -> None:
    """Whatever OpenAPI names; a key of idempotency and the answer given again among them."""
    async with serving(tmp_path, server=ServerSettings(cors_origins=(ORIGIN,))) as server:
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        async with server.client.options("/chat", headers=asked) as preflight:
            pass
        async with server.client.get("/openapi.json", headers={"Origin": ORIGIN}) as response:
            document = await response.json()
    operations = [each for item in document["paths"].values() for each in item.values()]
    sent = {
        parameter["name"].lower()
        for each in operations
        for parameter in each.get("parameters", ())
        if parameter.get("in") == "header"
    }
    answered = {
        name.lower()
        for each in operations
        for answer in each["responses"].values()
        for name in answer.get("headers", ())
    } | {name.lower() for name in REPLAYED}
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
    exposed = response.headers["Access-Control-Expose-Headers"].lower().split(", ")

    assert {"idempotency-key", "if-match"} <= sent
    assert sent - set(allowed) == set()
    assert answered - set(exposed) == set()
    assert {"retry-after", "x-request-id", "content-disposition", "allow"} <= set(exposed)


async def test_without_a_list_no_origin_is_allowed(tmp_path: Path) -> None:
    """The default."""
    async with serving(tmp_path) as server:
        async with server.client.get("/config", headers={"Origin": ORIGIN}) as response:
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_binding_elsewhere_without_keys_is_refused(tmp_path: Path) -> None:
    """Asserted again where the socket is made."""
    async with serving(tmp_path) as server:
        with pytest.raises(ConfigurationError, match="lor3 key create"):
            await serve(server.application, host="0.0.0.0", port=0)  # noqa: S104 - what must be refused


def test_the_python_parser_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is more lenient than the one in C (security 23)."""
    from aiohttp import http_parser

    check_parser()
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(ConfigurationError, match="C parser"):
        check_parser()
