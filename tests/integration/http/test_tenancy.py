"""Another tenant's things are absent: every route that takes an id says the same of them as of what never was.

The routes and their ids are read off the OpenAPI document, so that a route that is added later fails here until it
is walked too.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import attrs

from application.use_cases.delete_thread import DeleteThreadCommand
from application.use_cases.label_prompt import LabelPromptCommand
from application.use_cases.version_prompt import VersionPromptCommand
from domain.access import ANYBODY, USER_SCOPES, Caller
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName
from domain.prompt.source import PromptSource, Turn
from domain.thread import ChatRecord
from entrypoints.application import Application
from entrypoints.http.openapi import document
from entrypoints.http.routes.table import ROUTES
from tests.support.callers import CallersByName, with_users_may
from tests.support.http import Server, serving
from tests.support.prompt_api import Answered
from tests.support.thread_api import ABSENT, ThreadAPI, stored_thread

Kind: TypeAlias = Literal["session", "thread", "message", "prompt"]
Place: TypeAlias = tuple[str, str]
"""A route (`GET /threads/{id}`) and where in it the id stands (`path.id`, `body.thread_id`)."""

OTHER: Final = Tenant("other")
_USER: Final = {"role": "user", "content": "x"}
_UI_USER: Final = {"role": "user", "parts": [{"type": "text", "text": "x"}]}


@attrs.frozen
class Walk:
    """Requests that are alike but for one id. `<id>` stands for it, `<thread>` and the like for ids of one's own."""

    kind: Kind
    path: str
    bodies: tuple[Any, ...] = (None,)


def _chat(field: str, kind: Kind, path: str) -> Walk:
    plain = {"prompt": "x", field: "<id>"}
    streamed = {**plain, "stream": True}
    told = {"messages": [_USER], field: "<id>"}
    shallow = {**plain, "context_depth": 0}
    both = {**plain, "session_id": "<session>", field: "<id>"}
    return Walk(kind, path, (plain, streamed, told, shallow, both))


def _completion(field: str, kind: Kind) -> Walk:
    turn, talk = {"messages": [_USER]}, {"messages": [_USER, {"role": "assistant", "content": "y"}, _USER]}
    lor3 = {"lor3": {field: "<id>"}}
    return Walk(
        kind, "/v1/chat/completions", ({**turn, **lor3}, {**turn, **lor3, "stream": True}, {**talk, **lor3})
    )


WALKS: Final[Mapping[Place, tuple[Walk, ...]]] = {
    ("POST /chat", "body.thread_id"): (_chat("thread_id", "thread", "/chat"),),
    ("POST /chat", "body.session_id"): (_chat("session_id", "session", "/chat"),),
    ("POST /v1/chat/completions", "body.lor3.thread_id"): (_completion("thread_id", "thread"),),
    ("POST /v1/chat/completions", "body.lor3.session_id"): (_completion("session_id", "session"),),
    ("GET /v1/models/{model}", "path.model"): (Walk("prompt", "/v1/models/prompt/<id>"),),
    ("POST /chat/explain", "body.thread_id"): (_chat("thread_id", "thread", "/chat/explain"),),
    ("POST /chat/explain", "body.session_id"): (_chat("session_id", "session", "/chat/explain"),),
    ("POST /messages/{id}/regenerate", "path.id"): (
        Walk("message", "/messages/<id>/regenerate", ({}, {"stream": True})),
    ),
    ("GET /chat/{message_id}/stream", "path.message_id"): (
        Walk("message", "/chat/<id>/stream"),
        Walk("message", "/chat/<id>/stream?last_event_id=3"),
    ),
    ("POST /chat/{message_id}/stop", "path.message_id"): (Walk("message", "/chat/<id>/stop", (None, {})),),
    ("POST /ui/chat", "body.lor3.session_id"): (
        Walk("session", "/ui/chat", ({"id": "new", "message": _UI_USER, "lor3": {"session_id": "<id>"}},)),
    ),
    ("POST /ui/chat/{id}/stop", "path.id"): (Walk("thread", "/ui/chat/<id>/stop"),),
    ("GET /sessions/{id}", "path.id"): (Walk("session", "/sessions/<id>"),),
    ("GET /sessions/{id}/threads", "path.id"): (Walk("session", "/sessions/<id>/threads"),),
    ("GET /threads", "query.session_id"): (Walk("session", "/threads?session_id=<id>"),),
    ("POST /threads", "body.session_id"): (
        Walk("session", "/threads", ({"session_id": "<id>"}, {"session_id": "<id>", "user": "ada"})),
    ),
    ("GET /threads/{id}", "path.id"): (Walk("thread", "/threads/<id>"),),
    ("PATCH /threads/{id}", "path.id"): (Walk("thread", "/threads/<id>", ({"title": "mine"},)),),
    ("DELETE /threads/{id}", "path.id"): (Walk("thread", "/threads/<id>"),),
    ("GET /threads/{id}/messages", "path.id"): (
        Walk("thread", "/threads/<id>/messages"),
        Walk("thread", "/threads/<id>/messages?order=desc&limit=1"),
    ),
    ("POST /threads/{id}/fork", "path.id"): (
        Walk("thread", "/threads/<id>/fork", ({"message_id": "<message>"},)),
    ),
    ("POST /threads/{id}/fork", "body.message_id"): (
        Walk("message", "/threads/<thread>/fork", ({"message_id": "<id>"},)),
    ),
    ("GET /threads/{id}/memory", "path.id"): (
        Walk("thread", "/threads/<id>/memory"),
        Walk("thread", "/threads/<id>/memory?context_depth=0"),
    ),
    ("GET /threads/{id}/export", "path.id"): (
        Walk("thread", "/threads/<id>/export"),
        Walk("thread", "/threads/<id>/export?format=markdown"),
    ),
    ("GET /messages/{id}", "path.id"): (Walk("message", "/messages/<id>"),),
    ("PATCH /messages/{id}", "path.id"): (
        Walk("message", "/messages/<id>", ({"pinned": True}, {"pinned": False})),
    ),
    ("GET /messages/{id}/feedback", "path.id"): (Walk("message", "/messages/<id>/feedback"),),
    ("PUT /messages/{id}/feedback", "path.id"): (
        Walk("message", "/messages/<id>/feedback", ({"rating": "thumbs_down"},)),
    ),
    ("DELETE /messages/{id}/feedback", "path.id"): (Walk("message", "/messages/<id>/feedback"),),
    ("GET /threads/{id}/feedback", "path.id"): (Walk("thread", "/threads/<id>/feedback"),),
    ("GET /prompts/{name}", "path.name"): (
        Walk("prompt", "/prompts/<id>"),
        Walk("prompt", "/prompts/<id>:v1?compiled=true"),
        Walk("prompt", "/prompts/<id>@staging"),
    ),
    ("POST /prompts/{name}/render", "path.name"): (Walk("prompt", "/prompts/<id>/render", ({},)),),
    ("GET /prompts/{name}/versions", "path.name"): (Walk("prompt", "/prompts/<id>/versions"),),
    ("GET /prompts/{name}/versions/{version}", "path.name"): (Walk("prompt", "/prompts/<id>/versions/v1"),),
    ("DELETE /prompts/{name}/versions/{version}", "path.name"): (
        Walk("prompt", "/prompts/<id>/versions/v1"),
    ),
    ("GET /prompts/{name}/labels/{label}", "path.name"): (Walk("prompt", "/prompts/<id>/labels/staging"),),
    ("PUT /prompts/{name}/labels/{label}", "path.name"): (
        Walk("prompt", "/prompts/<id>/labels/staging", ({"version": "v1"},)),
    ),
    ("DELETE /prompts/{name}/labels/{label}", "path.name"): (Walk("prompt", "/prompts/<id>/labels/staging"),),
}
NOT_LOOKED_UP: Final[Mapping[Place, str]] = {
    (
        "POST /prompts/{name}/versions",
        "path.name",
    ): "makes a prompt of one's own, whoever has one of that name",
    (
        "POST /prompts/{name}/render",
        "body.thread_id",
    ): "a number for the rollout's dice, of no thread in particular",
    (
        "GET /ui/chat/{id}/stream",
        "path.id",
    ): "a client's own id: nothing is under way, as in test_ui_chats.py",
    ("GET /ui/chat/{id}/messages", "path.id"): "as above: a chat in which nothing was said",
    ("GET /prompts/{name}/versions/{version}", "path.version"): "a number of the prompt before it",
    ("DELETE /prompts/{name}/versions/{version}", "path.version"): "as above",
    ("GET /prompts/{name}/labels/{label}", "path.label"): "a word of the prompt before it",
    ("PUT /prompts/{name}/labels/{label}", "path.label"): "as above",
    ("DELETE /prompts/{name}/labels/{label}", "path.label"): "as above",
}


def test_every_route_with_an_id_is_walked() -> None:
    """A new one has to be added above, with a request that names another tenant's thing."""
    found = set(_places(document()))

    assert {f"{entry.method} {entry.path}" for entry in ROUTES if "{" in entry.path} == {
        route for route, where in found if where.startswith("path.")
    }
    assert found == set(WALKS) | set(NOT_LOOKED_UP)


async def test_foreign_is_absent_on_every_route(database_url: str, tmp_path: Path) -> None:
    """The same status and the same body, but for the request's id and the id itself; and nothing is changed."""
    async with serving(tmp_path, database_url=database_url) as server:
        application = server.application
        foreign = await stored_thread(application, turns=2, tenant=OTHER)
        await _make_prompt(application, "other_prompt")
        before = await _seen_by_the_other(application, foreign)
        await _walk(server, WALKS, foreign, DEFAULT_TENANT)
        after = await _seen_by_the_other(application, foreign)

    assert all(before)
    assert before == after


async def test_row_1_a_key_of_a_tenant_sees_that_tenant_alone(tmp_path: Path) -> None:
    """Nor what belongs to the one that is there where no key says otherwise, whose prompts in the database it can't name."""
    ring = CallersByName(ANYBODY, acme=Caller(tenant=Tenant("acme")))
    async with serving(tmp_path, change=ring.instead) as server:
        application = server.application
        foreign = await stored_thread(application, turns=2)
        await _make_prompt(application, "other_prompt", tenant=DEFAULT_TENANT)
        before = await _seen_by_the_other(application, foreign, tenant=DEFAULT_TENANT)
        await _walk(server, WALKS, foreign, Tenant("acme"), as_caller="acme")
        after = await _seen_by_the_other(application, foreign, tenant=DEFAULT_TENANT)

    assert all(before)
    assert before == after


async def test_row_1_another_users_things_are_absent_to_a_bound_caller(tmp_path: Path) -> None:
    """On every route, with every id, though the tenant is the same."""
    ring = CallersByName(ANYBODY, ada=Caller(user="ada", scopes=USER_SCOPES))
    walks = {place: walks for place, walks in WALKS.items() if walks[0].kind != "prompt"}
    async with serving(tmp_path, change=lambda each: ring.instead(with_users_may(each, "explain"))) as server:
        application = server.application
        foreign = await stored_thread(application, turns=2, user="bob")
        before = await _seen_by_the_other(application, foreign, tenant=DEFAULT_TENANT)
        await _walk(server, walks, foreign, DEFAULT_TENANT, as_caller="ada")
        async with application.store.unit_of_work(DEFAULT_TENANT) as work:
            after = await work.messages.page(foreign.thread.id, limit=100)
            thread, owner = (
                await work.threads.get(foreign.thread.id),
                await work.sessions.get(foreign.session.id),
            )
            of_bob = await work.threads.list(user="bob", limit=100)

    assert before[2] == after
    assert (foreign.thread.id,) == tuple(each.id for each in of_bob)
    assert thread is not None
    assert owner == foreign.session
    assert thread.session_id == foreign.session.id


def test_every_route_says_what_a_bound_caller_gets_of_it() -> None:
    """One with an id of a user's thing in its path is checked before its handler, or keeps client's own ids apart."""
    for entry in ROUTES:
        if entry.policy in USER_SCOPES and "{" in entry.path and entry.owned != "all":
            expected = {
                "/threads/": "thread",
                "/sessions/": "session",
                "/messages/": "message",
                "/chat/": "answer",
                "/ui/chat/": "own",
            }[entry.path.partition("{")[0]]

            assert expected == entry.owned, entry.path
        elif entry.policy not in USER_SCOPES:
            assert entry.owned is None, entry.path


async def test_a_foreign_prompt_is_no_system_prompt(database_url: str, tmp_path: Path) -> None:
    """A chat is told what it is told of a name that nobody uses."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        await _make_prompt(server.application, "other_prompt")
        answers = [
            await _sent(api, "POST", path, {"prompt": "x", "system_prompt": "<id>"}, {}, name)
            for path in ("/chat", "/chat/explain")
            for name in ("other_prompt", "never_prompt")
        ]

    assert {400} == {each.status for each, _ in answers}
    assert 1 == len({words for _, words in answers})


async def test_lists_hold_nothing_foreign(database_url: str, tmp_path: Path) -> None:
    """Nor do reports and exports."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        foreign = await stored_thread(server.application, turns=2, tenant=OTHER)
        await _make_prompt(server.application, "other_prompt")
        lists = [await api.get(path) for path in ("/sessions", "/sessions?user=ada", "/threads", "/prompts")]
        others = [await api.get(path) for path in ("/config", "/usage", "/feedback/export")]

    assert [{"items": [], "next_cursor": None}] * 4 == [each.body for each in lists]
    for each in others:
        assert 200 == each.status
        for secret in (foreign.thread.id, foreign.messages[0].id, "other_prompt", 'openai:gpt-4"'):
            assert secret.encode() not in each.raw


async def _walk(
    server: Server,
    walks_by_place: Mapping[Place, tuple[Walk, ...]],
    foreign: ChatRecord,
    tenant: Tenant,
    *,
    as_caller: str | None = None,
) -> None:
    """Sends each request with the foreign id, and with others that name nothing: all are answered alike."""
    application, api = server.application, ThreadAPI(server)
    own = _ids(await stored_thread(application, turns=1, tenant=tenant))
    deleted = await stored_thread(application, turns=1, tenant=tenant)
    await application.delete_thread.execute(DeleteThreadCommand(tenant=tenant, thread_id=deleted.thread.id))
    headers = {} if as_caller is None else {"Authorization": f"Bearer {as_caller}"}
    for place, walks in walks_by_place.items():
        for walk in walks:
            for body in walk.bodies:
                ids = _ids_to_try(
                    walk.kind, foreign, deleted, in_path=place[1] in ("path.id", "path.message_id")
                )
                answers = {
                    name: await _sent(api, place[0].partition(" ")[0], walk.path, body, own, each, headers)
                    for name, each in ids.items()
                }

                assert {404} == {each.status for each, _ in answers.values()}, (place, answers)
                assert 1 == len({words for _, words in answers.values()}), (place, answers)


def _places(described: Any) -> Iterator[Place]:
    """Each id that a route takes: all that stands in a path, and every UUID in a query or a body."""
    schemas = described["components"]["schemas"]
    for path, item in described["paths"].items():
        for method, operation in item.items():
            route = f"{method.upper()} {path}"
            for parameter in operation["parameters"]:
                if parameter.get("in") == "path" or parameter.get("schema", {}).get("format") == "uuid":
                    yield route, f"{parameter['in']}.{parameter['name']}"
            content = operation.get("requestBody", {}).get("content", {})
            for media in content.values():
                for where in _uuids(media["schema"], "body", schemas, frozenset()):
                    yield route, where


def _uuids(schema: Any, where: str, schemas: Any, seen: frozenset[str]) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _uuids(each, where, schemas, seen)
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if reference is not None and reference not in seen:
        yield from _uuids(schemas[reference.rsplit("/", 1)[1]], where, schemas, seen | {reference})
    if schema.get("format") == "uuid":
        yield where
    for name, field in schema.get("properties", {}).items():
        yield from _uuids(field, f"{where}.{name}", schemas, seen)
    for key in ("items", "additionalProperties", "oneOf", "anyOf", "allOf"):
        yield from _uuids(schema.get(key), where, schemas, seen)


def _ids(record: ChatRecord) -> dict[str, str]:
    return {
        "session": record.session.id,
        "thread": record.thread.id,
        "message": record.messages[-1].id,
    }


def _ids_to_try(kind: Kind, foreign: ChatRecord, deleted: ChatRecord, *, in_path: bool) -> dict[str, str]:
    if kind == "prompt":
        return {"foreign": "other_prompt", "absent": "never_prompt"}
    ids = {"foreign": _ids(foreign)[kind], "absent": ABSENT}
    if kind != "session":
        ids["deleted"] = _ids(deleted)[kind]
    if in_path:
        ids["no id"] = "no-id"
    return ids


async def _sent(
    api: ThreadAPI,
    method: str,
    path: str,
    body: Any,
    own: Mapping[str, str],
    given: str,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Answered, str]:
    """The answer, and all of it that may not tell one id from another."""
    text = json.dumps([path, body])
    for name, each in {**own, "id": given}.items():
        text = text.replace(f"<{name}>", each)
    path, body = json.loads(text)
    answered = await api.call(method, path, body, headers=headers)
    problem = answered.body
    if not path.startswith("/v1/"):  # OpenAI's errors have it in the header alone
        assert problem.pop("request_id") == answered.headers["X-Request-ID"]
    told = {
        name: value
        for name, value in answered.headers.items()
        if name not in ("X-Request-ID", "Date", "Content-Length")
    }
    return answered, json.dumps([problem, told]).replace(given, "<id>")


async def _make_prompt(application: Application, name: str, *, tenant: Tenant = OTHER) -> None:
    """The other tenant's, with a label."""
    source = PromptSource(turns=(Turn(role="system", template="Other."),), variables=())
    await application.version_prompt.execute(
        VersionPromptCommand(tenant=tenant, name=PromptName(name), source=source, made_by="api")
    )
    await application.label_prompt.execute(
        LabelPromptCommand(tenant=tenant, name=PromptName(name), label="staging", weights=((1, 1),))
    )


async def _seen_by_the_other(
    application: Application, foreign: ChatRecord, *, tenant: Tenant = OTHER
) -> list[Any]:
    """All that is stored for it."""
    async with application.store.unit_of_work(tenant) as work:
        return [
            await work.sessions.list(limit=100),
            await work.threads.list(limit=100),
            await work.messages.page(foreign.thread.id, limit=100),
            await work.prompts.list(limit=100),
            await work.prompts.history(PromptName("other_prompt"), limit=100),
        ]
