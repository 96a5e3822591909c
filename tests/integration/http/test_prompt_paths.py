"""Names that a stranger would try: whatever stands in the path, it is a 4xx with a problem."""

from pathlib import Path

import pytest

from tests.support.http import parse, serving
from tests.support.prompt_api import PromptAPI

NAMES = [
    "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%252e%252e", "%00", "a%00b", "%0d%0aX-Evil:%201", "%ff", "%F0%9F%98%80",
    "a%20b", "a;b", "a'b", "a%22b", "%27%20OR%20pg_sleep(5)--", "%7Bname%7D", "a:v0", "a:v01", "a:v99999999999",
    "a:v2147483648", "a:", "a@", "a@@b", "a:v1@b", "a@latest:v1", "a@A", "x" * 129, "x" * 4000, "%E2%80%AE", "~", "*",
]  # fmt: skip
VERSIONS = [
    "v0", "v01", "v-1", "v1.5", "v99999999999", "v2147483648", "1", "V1", "latest", "%00", "v%D9%A1", "v1%0a", "v" + "9" * 4000,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_no_name_breaks_a_route(name: str, tmp_path: Path) -> None:
    """404 where something is read, 400 or 404 where something is made; the answer has one head."""
    body = {"template": "x"}
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        answers = [
            await api.get(f"/prompts/{name}"),
            await api.get(f"/prompts/{name}/versions"),
            await api.get(f"/prompts/{name}/versions/v1"),
            await api.get(f"/prompts/{name}/labels/staging"),
            await api.call("DELETE", f"/prompts/{name}/versions/v1"),
            await api.call("DELETE", f"/prompts/{name}/labels/staging"),
            await api.label(name, "staging", {"version": "v1"}),
            await api.render(name),
        ]
        made = await api.version(name, body)
        listed = await api.get("/prompts")

    # A path of dots is another path by the time it is matched.
    other_path = {404, 405} if "2e" in name or "." in name else {404}
    assert {each.status for each in answers} <= other_path
    assert made.status in (400, 404, 405)
    assert listed.body["items"] == []
    for each in (*answers, made):
        assert each.headers["Content-Type"].startswith("application/problem+json")
        assert each.body["request_id"]
        assert "X-Evil" not in each.headers


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_version_breaks_a_route(version: str, tmp_path: Path) -> None:
    """404, as for any version that there is not."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "x")
        shown = await api.get(f"/prompts/p/versions/{version}")
        deleted = await api.call("DELETE", f"/prompts/p/versions/{version}")

    assert [(404, "not_found")] * 2 == [(each.status, each.code) for each in (shown, deleted)]


async def test_a_name_of_ten_thousand_characters_is_refused(tmp_path: Path) -> None:
    """By the limit on the line itself."""
    async with serving(tmp_path) as server:
        answer = await server.raw(
            b"GET /prompts/" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )

    status, problem = parse(answer)
    assert (status, problem["code"]) == (400, "malformed_request")


async def test_the_route_in_the_log_is_the_template(tmp_path: Path) -> None:
    """No name, version or query reaches a metric or the log."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.get("/prompts/secret-name?api_key=CANARY")
        await api.get("/prompts/secret-name/versions/v7")
        await api.call("PUT", "/prompts/secret-name/labels/secret-label", {"version": "v1"})
        routes = [event.route for event in server.telemetry.served]

    assert [
        "/prompts/{name}",
        "/prompts/{name}/versions/{version}",
        "/prompts/{name}/labels/{label}",
    ] == routes


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/prompts"),
        ("DELETE", "/prompts/p"),
        ("PUT", "/prompts/p/versions/v1"),
        ("GET", "/prompts/p/render"),
    ],
)
async def test_a_method_that_a_route_lacks_is_named(method: str, path: str, tmp_path: Path) -> None:
    """405 with those it has."""
    async with serving(tmp_path) as server:
        refused = await PromptAPI(server).call(method, path, {})

    assert (refused.status, refused.code) == (405, "method_not_allowed")
    assert refused.headers["Allow"]


@pytest.mark.parametrize("path", ["/prompts/p/versions", "/prompts/p/render", "/prompts/p/labels/staging"])
async def test_bodies_are_read_as_strictly_as_those_of_chats(path: str, tmp_path: Path) -> None:
    """Type, size, JSON; and a query that nobody asked for."""
    method = "PUT" if "labels" in path else "POST"
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "x")
        async with server.client.request(
            method, path, data="a=1", headers={"Content-Type": "text/plain"}
        ) as form:
            assert form.status == 415
        async with server.client.request(
            method,
            path,
            data=b'{"template":"a","template":"b"}',
            headers={"Content-Type": "application/json"},
        ) as twice:
            assert twice.status == 400
        too_large = await api.call(method, path, {"template": "x" * 5_000_000})
        queried = await api.call(method, path + "?dry_run=true", {"nope": 1})

    assert (too_large.status, too_large.code) == (413, "body_too_large")
    assert queried.status == 400
    assert {"dry_run", "nope"} <= set(queried.paths)
