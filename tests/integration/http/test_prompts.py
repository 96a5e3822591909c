"""Listing, showing and filling in prompts."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest

from application.ports.unit_of_work import UnitOfWork
from application.use_cases.read_prompts import ReadPrompts
from domain.errors import StorageUnavailable
from domain.ids import Tenant
from entrypoints.application import Application
from tests.support.http import serving
from tests.support.prompt_api import PromptAPI


def away(tenant: Tenant) -> AbstractAsyncContextManager[UnitOfWork]:
    """As where the database is away."""
    raise StorageUnavailable("the database is away; try again shortly")


GREETING = {
    "template": "{{> tone}} You help {{name}}.",
    "variables": {"name": {"type": "string", "description": "The customer."}},
    "description": "Greets.",
    "message": "A first try.",
    "author": "ada",
}


async def test_a_new_lor3_has_no_prompts(tmp_path: Path) -> None:
    """An empty page, and no next one."""
    async with serving(tmp_path) as server:
        listed = await PromptAPI(server).get("/prompts")

    assert (listed.status, listed.body) == (200, {"items": [], "next_cursor": None})


async def test_a_list_says_what_each_name_means(tmp_path: Path) -> None:
    """By name: the newest version, or the one that `production` points to."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        for template in ("One.", "Two.", "Three."):
            await api.version("tone", {"template": template, "description": template})
        await api.version("b", "B.")
        await api.label("tone", "production", {"version": "v2", "protected": True, "author": "ada"})
        await api.label("tone", "trial", {"weights": {"v1": 90, "v3": 10}})
        listed = await api.get("/prompts")

    assert listed.status == 200
    first, second = listed.body["items"]
    assert (first["name"], first["prompt_version"], first["labels"]) == ("b", "b:v1", {})
    assert (second["name"], second["prompt_version"], second["latest"]) == ("tone", "tone:v2", "v3")
    assert (second["description"], second["source"], second["file"]) == ("Two.", "database", None)
    production, trial = second["labels"]["production"], second["labels"]["trial"]
    assert (production["version"], production["protected"], production["moved_by"]) == ("v2", True, "ada")
    assert (trial["weights"], trial["protected"]) == ({"v1": 90, "v3": 10}, False)
    assert "version" not in trial


async def test_pages_of_prompts_follow_each_other(tmp_path: Path) -> None:
    """Each prompt once, in order, with a cursor to the next page."""
    seen: list[str] = []
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        for name in "edcba":
            await api.version(name, "x")
        path = "/prompts?limit=2"
        cursors = []
        for _ in range(3):
            page = (await api.get(path)).body
            seen += [item["name"] for item in page["items"]]
            cursors.append(page["next_cursor"])
            path = f"/prompts?limit=2&cursor={page['next_cursor']}"

    assert list("abcde") == seen
    assert [True, True, False] == [cursor is not None for cursor in cursors]


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("limit=0", ["limit"]),
        ("limit=101", ["limit"]),
        ("limit=-1", ["limit"]),
        ("limit=%C2%B2", ["limit"]),
        ("limit=9999999999999999999999", ["limit"]),
        ("limit=", ["limit"]),
        ("limit=1&limit=2", ["limit"]),
        ("cursor=nonsense", ["cursor"]),
        ("cursor=%00%FF", ["cursor"]),
        ("cursor=dmVyc2lvbnM6djM", ["cursor"]),  # of a list of versions
        ("cursor=cHJvbXB0czouLg", ["cursor"]),  # behind the name `..`
        ("limt=5&cursr=x", ["limt", "cursr"]),
    ],
)
async def test_a_page_that_there_can_not_be_is_refused(query: str, paths: list[str], tmp_path: Path) -> None:
    """With every parameter that is wrong, unknown ones among them."""
    async with serving(tmp_path) as server:
        refused = await PromptAPI(server).get(f"/prompts?{query}")

    assert (refused.status, refused.code, refused.paths) == (400, "invalid_request", paths)


async def test_a_prompt_is_shown_with_the_version_its_name_means(tmp_path: Path) -> None:
    """Everything that was posted, its hash, its pins and the ETag."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        tone = await api.version("tone", "Be kind.")
        made = await api.version("greeting", GREETING)
        shown = await api.get("/prompts/greeting")

    body = shown.body
    assert (shown.status, shown.etag, body["etag"]) == (200, made.etag, made.etag)
    assert {**body, **GREETING} == body
    assert (body["version"], body["hash"], body["made_by"]) == ("v1", made.body["hash"], "api")
    assert body["fragments"] == [{"written": "tone", "version": "tone:v1", "hash": tone.body["hash"]}]
    assert body["created_at"].endswith("Z")
    assert "compiled" not in body


async def test_a_prompt_is_shown_compiled_on_demand(tmp_path: Path) -> None:
    """The flat text, all variables that it needs and all fragments in it."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("tone", {"template": "Be {{mood}}.", "variables": {"mood": "string"}})
        await api.version(
            "greeting", {**GREETING, "variables": {"name": {"type": "string"}, "mood": {"type": "string"}}}
        )
        body = (await api.get("/prompts/greeting?compiled=true")).body
        plain = (await api.get("/prompts/greeting?compiled=false")).body

    assert "Be {{mood}}." in body["compiled"]
    assert {"name", "mood"} == set(body["needs"])
    assert body["includes"] == ["tone:v1"]
    assert "needs" not in plain


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("tone", "tone:v2"),
        ("tone:v1", "tone:v1"),
        ("tone%3Av3", "tone:v3"),
        ("tone@trial", "tone:v3"),
        ("tone%40trial", "tone:v3"),
        ("tone@latest", "tone:v3"),
        ("tone?version=v1", "tone:v1"),
        ("tone?label=trial", "tone:v3"),
        ("tone?label=latest&compiled=true", "tone:v3"),
    ],
)
async def test_a_reference_is_read_in_the_path_and_in_the_query(
    path: str, version: str, tmp_path: Path
) -> None:
    """Percent-encoded or not; of a rollout, the version with most weight."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        for template in ("One.", "Two.", "Three."):
            await api.version("tone", template)
        await api.label("tone", "production", {"version": "v2"})
        await api.label("tone", "trial", {"weights": {"v1": 10, "v3": 90}})
        shown = await api.get(f"/prompts/{path}")
        head, _, query = path.partition("?")
        rendered = await api.render(
            head, **dict(pair.split("=") for pair in query.split("&") if pair and "compiled" not in pair)
        )

    assert (shown.status, shown.body["prompt_version"]) == (200, version)
    if "trial" not in path:
        assert (rendered.status, rendered.body["prompt_version"]) == (200, version)


@pytest.mark.parametrize(
    ("path", "status", "paths"),
    [
        ("tone:v1?version=v1", 400, ["version"]),
        ("tone@staging?label=staging", 400, ["label"]),
        ("tone?version=v1&label=staging", 400, ["label"]),
        ("tone?version=1", 400, ["version"]),
        ("tone?label=NO", 400, ["label"]),
        ("tone?compiled=yes", 400, ["compiled"]),
        ("tone?version=1&label=NO&compiled=1&what=5", 400, ["version", "label", "compiled", "what"]),
        ("tone?version=v9", 404, None),
        ("tone?label=nowhere", 404, None),
        ("tone:v9", 404, None),
        ("tone@nowhere", 404, None),
        ("absent", 404, None),
    ],
)
async def test_what_there_is_not_can_not_be_shown(
    path: str, status: int, paths: list[str] | None, tmp_path: Path
) -> None:
    """400 for what no reference can be, with all faults; 404 for what is not there."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("tone", "One.")
        refused = await api.get(f"/prompts/{path}")

    assert status == refused.status
    assert (paths if paths else "not_found") == (refused.paths if paths else refused.code)


async def test_a_reader_that_has_it_already_is_told_so(tmp_path: Path) -> None:
    """304 without a body, until something changes."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        etag = (await api.version("tone", "One.")).etag
        for had in (etag, f"W/{etag}", f'"0", {etag}', "*"):
            same = await api.get("/prompts/tone", **{"If-None-Match": had})

            assert (same.status, same.raw, same.etag) == (304, b"", etag), had
        await api.version("tone", "Two.")
        changed = await api.get("/prompts/tone", **{"If-None-Match": etag})

    assert changed.status == 200
    assert changed.etag != etag


async def test_a_prompt_is_filled_in(tmp_path: Path) -> None:
    """One text, its parts, its version, its fragments and its size; nothing counts as used."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("tone", "Be kind.")
        made = await api.version("greeting", GREETING)
        rendered = await api.render("greeting", variables={"name": "Zoë {{name}} <b>"})
        deleted = await api.call("DELETE", "/prompts/greeting/versions/v1")

    text = "Be kind. You help Zoë {{name}} <b>."
    assert (rendered.status, rendered.body) == (
        200,
        {
            "prompt_version": "greeting:v1",
            "hash": made.body["hash"],
            "text": text,
            "system": text,
            "messages": [],
            "fragments": ["tone:v1"],
            "bytes": len(text.encode()),
        },
    )
    assert deleted.status == 204


async def test_a_chat_template_is_filled_in_turn_by_turn(tmp_path: Path) -> None:
    """System turns apart, the others in order, and all of them in one text."""
    source = {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "I am {{name}}."},
            {"role": "assistant", "content": "Hello {{name}}!"},
        ],
        "variables": {"name": {"type": "string", "default": "Ada"}},
    }
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("hello", source)
        body = (await api.render("hello")).body

    assert body["system"] == "Be kind."
    assert body["messages"] == [
        {"role": "user", "content": "I am Ada."},
        {"role": "assistant", "content": "Hello Ada!"},
    ]
    assert body["text"] == "system:\nBe kind.\n\nuser:\nI am Ada.\n\nassistant:\nHello Ada!"
    assert body["bytes"] == len("Be kind.I am Ada.Hello Ada!")


async def test_variables_that_do_not_fit_are_named_all_at_once(tmp_path: Path) -> None:
    """Missing, undeclared and of the wrong type."""
    source = {
        "template": "{{name}} {{age}} {{mood}}",
        "variables": {"name": "string", "age": "integer", "mood": {"type": "enum", "values": ["calm"]}},
    }
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", source)
        ill = {"age": "old", "mood": "grim", "nmae": "x"}
        refused = await api.render("p", variables=ill)
        with_others = await api.render("p", variables=ill, usr="x")

    assert (refused.status, refused.code) == (400, "invalid_request")
    assert {"variables.name", "variables.age", "variables.mood", "variables.nmae"} == set(refused.paths)
    assert {*refused.paths, "usr"} == set(with_others.paths)


async def test_a_variable_of_a_megabyte_is_refused_with_the_limit(tmp_path: Path) -> None:
    """The output has at most 256 KiB."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", {"template": "{{text}}", "variables": {"text": "string"}})
        refused = await api.render("p", variables={"text": "x" * 1_000_000})

    assert (refused.status, refused.code) == (400, "invalid_request")
    assert "262144 bytes" in refused.body["detail"]


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"variables": [], "version": "2", "label": "NO", "user": 5, "thread_id": "x", "nope": 1},
         ["variables", "version", "label", "user", "thread_id", "nope"]),
        ({"version": "v1", "label": "staging"}, ["label"]),
        ({"template": "x"}, ["template"]),
        ({"name": "x"}, ["name"]),
    ],
)  # fmt: skip
async def test_a_body_that_can_not_be_filled_in_is_refused(
    body: dict[str, Any], paths: list[str], tmp_path: Path
) -> None:
    """With every field that is wrong."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "x")
        refused = await api.call("POST", "/prompts/p/render", body)

    assert (refused.status, refused.paths) == (400, paths)


async def test_while_the_database_is_away_prompts_are_unavailable_and_the_rest_is_not(tmp_path: Path) -> None:
    """503 with Retry-After; `/config` says what it lacks."""

    def without_database(application: Application) -> Application:
        return attrs.evolve(application, read_prompts=ReadPrompts(unit_of_work=away))

    async with serving(tmp_path, change=without_database) as server:
        api = PromptAPI(server)
        refused = [await api.get(path) for path in ("/prompts", "/prompts/p", "/prompts/p/versions")]
        config = await api.get("/config")

    assert [(503, "storage_unavailable")] * 3 == [(each.status, each.code) for each in refused]
    assert {"1"} == {each.headers["Retry-After"] for each in refused}
    assert (config.status, config.body["prompts"]) == (200, [])
    assert any(warning.startswith("prompts: ") for warning in config.body["warnings"])


async def test_a_draft_is_tried_without_being_stored(tmp_path: Path) -> None:
    """As the next version would be, of a prompt that there is or is not yet; with the hash that it would have."""
    draft = {"template": "{{> tone}} Hi {{name}}.", "variables": {"name": "string"}}
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("tone", "Be kind.")
        for name in ("tone2", "new"):
            tried = await api.render(name, draft=draft, variables={"name": "Ada"})
            absent = await api.get(f"/prompts/{name}")
            made = await api.version(name, draft)

            assert (tried.status, absent.status) == (200, 404)
            assert (tried.body["text"], tried.body["prompt_version"]) == ("Be kind. Hi Ada.", None)
            assert (tried.body["hash"], tried.body["fragments"]) == (made.body["hash"], ["tone:v1"])


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"draft": {"template": "{{a"}}, {"draft.template"}),
        ({"draft": {"messages": [{"role": "user", "content": "{{a}}"}]}}, {"draft.messages[0].content"}),
        ({"draft": {"template": "x", "variables": {"a": "strng"}, "message": "no"}, "nope": 1},
         {"draft.variables.a.type", "draft.message", "nope"}),
        ({"draft": {}}, {"draft.template"}),
        ({"draft": "x"}, {"draft"}),
        ({"draft": {"template": "x"}, "version": "v1"}, {"draft"}),
        ({"draft": {"template": "{{a}}", "variables": {"a": "integer"}}, "variables": {"a": "x", "b": 1}},
         {"variables.a", "variables.b"}),
        ({"draft": {"template": "{{> p}}"}}, {"draft.template"}),
    ],
)  # fmt: skip
async def test_a_faulty_draft_is_refused_at_its_own_paths(
    body: dict[str, Any], paths: set[str], tmp_path: Path
) -> None:
    """Inside `draft`; the values beside it at `variables`."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "x")
        refused = await api.call("POST", "/prompts/p/render", body)

    assert (refused.status, set(refused.paths)) == (400, paths)


async def test_every_answer_fits_what_is_documented(tmp_path: Path) -> None:
    """Nothing is missing, and nothing is undocumented."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        document = (await api.get("/openapi.json")).body
        await api.version("tone", "Be kind.")
        calls = [
            ("post", "/prompts/{name}/versions", await api.version("p", GREETING)),
            ("post", "/prompts/{name}/versions", await api.version("p", GREETING)),
            ("put", "/prompts/{name}/labels/{label}", await api.label("p", "staging", {"version": "v1"})),
            ("get", "/prompts/{name}/labels/{label}", await api.get("/prompts/p/labels/staging")),
            ("get", "/prompts", await api.get("/prompts?limit=1")),
            ("get", "/prompts/{name}", await api.get("/prompts/p?compiled=true")),
            ("get", "/prompts/{name}/versions", await api.get("/prompts/p/versions")),
            ("get", "/prompts/{name}/versions/{version}", await api.get("/prompts/p/versions/v1")),
            ("post", "/prompts/{name}/render", await api.render("p", variables={"name": "Ada"})),
            ("post", "/prompts/{name}/render", await api.render("p", draft={"template": "x"})),
            (
                "delete",
                "/prompts/{name}/labels/{label}",
                await api.call("DELETE", "/prompts/p/labels/staging"),
            ),
            (
                "delete",
                "/prompts/{name}/versions/{version}",
                await api.call("DELETE", "/prompts/p/versions/v1"),
            ),
        ]
    components = document["components"]
    for schema in components["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False

    assert [201, 200] == [answered.status for _, _, answered in calls[:2]]
    for method, path, answered in calls:
        documented = document["paths"][path][method]["responses"][str(answered.status)]
        sent = {name for name in ("ETag", "Location") if name in answered.headers}
        assert set(documented.get("headers", {})) == sent, path
        if answered.status != 204:
            schema = documented["content"]["application/json"]["schema"]
            jsonschema.validate(answered.body, {**schema, "components": components})


async def test_a_user_keeps_to_one_version_of_a_rollout(tmp_path: Path) -> None:
    """Whatever the thread; different users see both."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "One.")
        await api.version("p", "Two.")
        await api.label("p", "production", {"weights": {"v1": 1, "v2": 1}})
        seen = {}
        for user in range(16):
            twice = [await api.render("p", user=f"u{user}") for _ in range(2)]
            seen[user] = {each.body["text"] for each in twice}

    assert all(len(texts) == 1 for texts in seen.values())
    assert set().union(*seen.values()) == {"One.", "Two."}
