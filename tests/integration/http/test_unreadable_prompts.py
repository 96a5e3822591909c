"""A version that this lor3 does not read takes nothing along but itself."""

import json
import logging
import sqlite3
from pathlib import Path

import pytest

from tests.support.http import serving
from tests.support.prompt_api import PromptAPI


def _break(tmp_path: Path, name: str, number: int, **document: object) -> None:
    """Stores what an older or a newer lor3 may have found readable."""
    (path,) = tmp_path.glob("*.db")
    with sqlite3.connect(path, isolation_level=None) as connection:
        changed = connection.execute(
            "UPDATE prompt_versions SET template = ? WHERE name = ? AND number = ?",
            (json.dumps(document, separators=(",", ":")), name, number),
        )
        assert changed.rowcount == 1
    connection.close()


async def test_the_lists_go_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """All prompts are listed, with what is known of it; of its versions all others are, and the log says which not."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("good", {"template": "x", "description": "Fine."})
        await api.version("evil", "one")
        await api.version("evil", "two")
        _break(tmp_path, "evil", 2, description="From tomorrow.", poem="…")
        listed = await api.get("/prompts")
        config = await api.get("/config")
        with caplog.at_level(logging.WARNING):
            versions = await api.get("/prompts/evil/versions?limit=1")
            older = await api.get(f"/prompts/evil/versions?cursor={versions.body['next_cursor']}")

    assert [("evil", "evil:v2", "From tomorrow."), ("good", "good:v1", "Fine.")] == [
        (item["name"], item["prompt_version"], item["description"]) for item in listed.body["items"]
    ]
    assert [item["name"] for item in config.body["prompts"]] == ["evil", "good"]
    assert versions.body["items"] == []
    assert [item["version"] for item in older.body["items"]] == ["v1"]
    assert "left out of a list: `evil:v2` is stored in a form that this lor3 does not read" in caplog.text


async def test_it_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    """Asked for by itself, rendered, or included."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("evil", "one")
        _break(tmp_path, "evil", 1, poem="…")
        answers = [
            await api.get("/prompts/evil"),
            await api.get("/prompts/evil/versions/v1"),
            await api.render("evil"),
            await api.version("other", "{{> evil}}"),
        ]

    assert {(503, "storage_unavailable")} == {(answer.status, answer.code) for answer in answers}
    assert all("`evil:v1` is stored in a form" in answer.body["detail"] for answer in answers)
    assert not any("Retry-After" in answer.headers for answer in answers)


async def test_it_can_be_replaced_and_deleted(tmp_path: Path) -> None:
    """Also where it is the newest, or one below the newest."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("evil", "one")
        await api.version("evil", "two")
        for number in (1, 2):
            _break(tmp_path, "evil", number, poem="…")
        made = await api.version("evil", "three")
        served = await api.render("evil")
        gone = await api.call("DELETE", "/prompts/evil/versions/v3")
        deleted = [await api.call("DELETE", f"/prompts/evil/versions/v{number}") for number in (2, 1)]
        listed = await api.get("/prompts")

    assert (made.status, made.body["version"], served.body["system"]) == (201, "v3", "three")
    assert [gone.status, *(each.status for each in deleted)] == [204, 204, 204]
    assert listed.body["items"] == []


async def test_server_starts_with_files_that_include_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Their prompts stay as they are, and all other files are read."""
    async with serving(tmp_path) as server:
        await PromptAPI(server).version("evil", "one")
    _break(tmp_path, "evil", 1, poem="…")
    folder = tmp_path / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text('template: "{{> evil}}"', "utf-8")
    (folder / "b.yaml").write_text("template: fine", "utf-8")

    async with serving(tmp_path) as server:
        listed = await PromptAPI(server).get("/prompts")

    assert [item["name"] for item in listed.body["items"]] == ["b", "evil"]
    assert "`evil:v1` is stored in a form" in caplog.text
