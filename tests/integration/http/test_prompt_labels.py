"""Making, moving, protecting, showing and taking away labels."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.http import serving
from tests.support.prompt_api import PromptAPI


async def test_a_label_moves(tmp_path: Path) -> None:
    """Made, moved, spread; the answer says where it was, and the name follows it."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        first = await api.version("p", "1")
        await api.version("p", "2")
        made = await api.label("p", "production", {"version": "v1", "author": "ada", "message": "go"})
        meant = (await api.get("/prompts/p")).body["prompt_version"]
        moved = await api.label("p", "production", {"version": "v2"})
        spread = await api.label("p", "production", {"weights": {"v2": 10, "v1": 90}, "protected": True})

    assert (made.status, made.body["version"], made.body["before"]) == (200, "v1", None)
    assert (made.body["name"], made.body["label"], made.body["protected"]) == ("p", "production", False)
    assert meant == "p:v1"
    assert (moved.body["version"], moved.body["before"]) == ("v2", {"version": "v1"})
    assert (spread.body["weights"], spread.body["before"]) == ({"v1": 90, "v2": 10}, {"version": "v2"})
    assert (spread.body["protected"], spread.etag) == (True, spread.body["etag"])
    assert len({first.etag, made.etag, moved.etag, spread.etag}) == 4


async def test_a_protected_label_moves_by_force_alone(tmp_path: Path) -> None:
    """409 else, also for taking it away; its protection may be lifted."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "1")
        await api.version("p", "2")
        await api.label("p", "production", {"version": "v1", "protected": True})
        refused = await api.label("p", "production", {"version": "v2"})
        kept = await api.call("DELETE", "/prompts/p/labels/production")
        forced = await api.label("p", "production", {"version": "v2", "force": True})
        lifted = await api.label("p", "production", {"protected": False})
        gone = await api.call("DELETE", "/prompts/p/labels/production")

    assert [(409, "label_protected")] * 2 == [(each.status, each.code) for each in (refused, kept)]
    assert "force" in refused.body["detail"]
    assert (forced.status, forced.body["protected"]) == (200, True)
    assert (lifted.status, lifted.body["version"], lifted.body["protected"]) == (200, "v2", False)
    assert (gone.status, gone.raw) == (204, b"")


async def test_a_label_is_shown_with_its_history(tmp_path: Path) -> None:
    """Newest first; of one that was taken away and made again, all of it."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "1")
        await api.version("p", "2")
        await api.label("p", "staging", {"version": "v1", "author": "ada", "message": "first"})
        await api.call("DELETE", "/prompts/p/labels/staging?force=false&author=bob&message=no%20more")
        absent = await api.get("/prompts/p/labels/staging")
        moved = await api.label("p", "staging", {"weights": {"v1": 1, "v2": 1}})
        shown = await api.get("/prompts/p/labels/staging")

    body = shown.body
    assert (absent.status, absent.code) == (404, "not_found")
    assert (shown.status, shown.etag, body["label"]) == (200, moved.etag, "staging")
    assert body["weights"] == {"v1": 1, "v2": 1}
    assert [
        ({"v1": 1, "v2": 1}, None, None, None),
        (None, None, "bob", "no more"),
        (None, "v1", "ada", "first"),
    ] == [
        (each.get("weights"), each.get("version"), each["author"], each["message"])
        for each in body["history"]
    ]
    assert all(each["moved_at"].endswith("Z") for each in body["history"])


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, ["version"]),
        ({"force": True}, ["version"]),
        ({"version": "v1", "weights": {"v1": 1}}, ["weights"]),
        ({"version": "v9"}, ["version"]),
        ({"version": "1"}, ["version"]),
        ({"version": "v0"}, ["version"]),
        ({"version": "v99999999999"}, ["version"]),
        ({"version": 1}, ["version"]),
        ({"version": "latest"}, ["version"]),
        ({"weights": {}}, ["weights"]),
        ({"weights": []}, ["weights"]),
        ({"weights": {"v9": 100}}, ["weights.v9"]),
        ({"weights": {"v1": 1, "v8": 1, "v9": 1}}, ["weights.v8", "weights.v9"]),
        ({"weights": {"v1": 0, "v2": -1, "3": 1, "v4": 1.5, "v5": True}},
         ["weights.v1", "weights.v2", "weights.3", "weights.v4", "weights.v5"]),
        ({"weights": {f"v{number}": 1 for number in range(1, 30)}}, ["weights"]),
        ({"verison": "v1", "protected": "yes", "force": 1, "author": "", "message": []},
         ["verison", "protected", "force", "author", "message"]),
    ],
)  # fmt: skip
async def test_a_label_that_can_point_nowhere_is_refused(
    body: dict[str, Any], paths: list[str], tmp_path: Path
) -> None:
    """With every fault at its path; nothing moves."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "1")
        await api.version("p", "2")
        refused = await api.label("p", "staging", body)
        absent = await api.get("/prompts/p/labels/staging")

    assert (refused.status, refused.code, absent.status) == (400, "invalid_request", 404)
    assert paths == refused.paths


@pytest.mark.parametrize("label", ["latest", "v3", "UP", "a%20b", "%C3%A9", "-x", "x" * 65])
async def test_a_label_that_can_not_be_is_refused(label: str, tmp_path: Path) -> None:
    """With the rule where one is made; absent where one is read or taken away."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "1")
        made = await api.label("p", label, {"version": "x"})
        shown = await api.get(f"/prompts/p/labels/{label}")
        taken = await api.call("DELETE", f"/prompts/p/labels/{label}")

    assert (made.status, set(made.paths)) == (400, {"label", "version"})
    assert [(404, "not_found")] * 2 == [(each.status, each.code) for each in (shown, taken)]


async def test_a_label_of_no_prompt_is_absent(tmp_path: Path) -> None:
    """404 for all methods, whether the name could be one or not."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        for name in ("absent", "-no-name", "p%3Av1"):
            answers = [
                await api.label(name, "staging", {"version": "v1"}),
                await api.get(f"/prompts/{name}/labels/staging"),
                await api.call("DELETE", f"/prompts/{name}/labels/staging"),
            ]

            assert [(404, "not_found")] * 3 == [(each.status, each.code) for each in answers]


async def test_a_label_moves_only_for_whoever_saw_it(tmp_path: Path) -> None:
    """If-Match, when moving and when taking away."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        etag = (await api.version("p", "1")).etag
        moved = await api.label("p", "staging", {"version": "v1"}, headers={"If-Match": etag})
        stale = await api.label("p", "staging", {"protected": True}, headers={"If-Match": etag})
        kept = await api.call("DELETE", "/prompts/p/labels/staging", headers={"If-Match": etag})
        gone = await api.call("DELETE", "/prompts/p/labels/staging", headers={"If-Match": moved.etag})

    assert [200, 412, 412, 204] == [each.status for each in (moved, stale, kept, gone)]


async def test_a_moved_label_counts_for_the_next_chat(tmp_path: Path) -> None:
    """At once in the same process."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "1")
        await api.version("p", "2")
        seen = []
        for version in ("v1", "v2", "v1"):
            await api.label("p", "production", {"version": version})
            chat = await api.call("POST", "/chat", {"prompt": "Hi", "system_prompt": "p"})
            seen.append(chat.body["prompt_version"])

    assert ["p:v1", "p:v2", "p:v1"] == seen
