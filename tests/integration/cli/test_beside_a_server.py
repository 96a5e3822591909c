"""The command line and a serving lor3 on one database: what one writes, the other reads at once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Done
from tests.support.forked_lor3 import run_lor3
from tests.support.http import Server, serving


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lor3.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


async def _lor3(folder: Path, database_url: str, *arguments: str) -> Done:
    """A process of its own, as a person beside the server starts it."""
    done = await asyncio.to_thread(run_lor3, folder, *arguments, environ={"LOR3_DATABASE__URL": database_url})
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


async def _call(server: Server, method: str, path: str, body: Any = None) -> Any:
    async with server.client.request(method, path, json=body) as response:
        return response.status, json.loads(await response.read() or b"null")


async def test_a_conversation_goes_on_over_both(tmp_path: Path, database_url: str) -> None:
    """Begun over HTTP, continued, rated, renamed, forked and deleted by commands; the server sees each at once."""
    async with serving(tmp_path, database_url=database_url) as server:
        _, first = await _call(server, "POST", "/chat", {"prompt": "one", "user": "ada"})
        thread = first["thread_id"]
        second = (
            await _lor3(tmp_path, database_url, "run", "--prompt", "two", "--thread", thread, "--json")
        ).json
        _, third = await _call(server, "POST", "/chat", {"prompt": "three", "thread_id": thread})
        for arguments in (
            ("feedback", "rate", second["message_id"], "--rating", "4", "--user", "ada"),
            ("thread", "rename", thread[:18], "--title", "Numbers", "--tag", "x"),
            ("thread", "pin", first["message_id"]),
        ):
            done = await _lor3(tmp_path, database_url, *arguments)

            assert done.code == 0, done.err
        _, messages = await _call(server, "GET", f"/threads/{thread}/messages")
        _, renamed = await _call(server, "GET", f"/threads/{thread}")
        _, feedback = await _call(server, "GET", f"/threads/{thread}/feedback")
        shown = (await _lor3(tmp_path, database_url, "thread", "show", thread, "--json")).json
        fork = await _lor3(
            tmp_path, database_url, "thread", "fork", thread, "--at", second["message_id"], "--json"
        )
        of_fork = await _call(server, "GET", f"/threads/{fork.json['id']}")
        listed = (await _lor3(tmp_path, database_url, "thread", "list", "--user", "ada", "--json")).json
        usage = (await _lor3(tmp_path, database_url, "observe", "usage", "--json")).json
        gone = await _lor3(tmp_path, database_url, "thread", "delete", thread, "--yes")
        status, _ = await _call(server, "GET", f"/threads/{thread}")

    assert third["context"]["injected"] == 4
    assert [each["position"] for each in messages["items"]] == list(range(6))
    assert shown["items"] == messages["items"]
    assert [each["pinned"] for each in shown["items"]] == [True, True, False, False, False, False]
    assert (renamed["title"], renamed["tags"]) == ("Numbers", ["x"])
    assert [(each["message_id"], each["rating"]) for each in feedback["items"]] == [(second["message_id"], 4)]
    assert (of_fork[0], of_fork[1]["messages"]) == (200, 4)
    assert [each["id"] for each in listed["items"]] == [fork.json["id"], thread]
    assert (usage["items"][0]["requests"], usage["items"][0]["ratings"]["count"]) == (3, 1)
    assert (gone.code, status) == (0, 404)


async def test_an_idempotency_key_holds_over_commands(tmp_path: Path, database_url: str) -> None:
    """The second process gives the first one's answer; a key of the server's is another request's."""
    ask = ("run", "--prompt", "one", "--idempotency-key", "k-1")
    async with serving(tmp_path, database_url=database_url) as server:
        first = await _lor3(tmp_path, database_url, *ask, "--json")
        again = await _lor3(tmp_path, database_url, *ask, "--stream")
        other = await _lor3(tmp_path, database_url, "run", "--prompt", "two", "--idempotency-key", "k-1")
        async with server.client.post(
            "/chat", json={"prompt": "one"}, headers={"Idempotency-Key": "k-1"}
        ) as response:
            status = response.status
        _, threads = await _call(server, "GET", "/threads")

    assert again.code == 0, again.err
    assert again.out == f"{first.json['output']}\n"
    assert "given before" in again.err
    assert first.json["thread_id"] in again.err
    assert (other.code, other.out) == (1, "")
    assert "another request" in other.err
    assert (status, len(threads["items"])) == (422, 1)
