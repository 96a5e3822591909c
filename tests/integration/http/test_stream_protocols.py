"""The protocol of a stream is the reader's choice, and a further one is one file and one entry point."""

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from entrypoints import plugins
from lor3.testing import ScriptedProvider
from tests.support.resuming import reading, served

TOY = '''
"""A protocol of lines."""

from domain.answer import Delta


def create(request):
    return Toy()


class Toy:
    headers = {"Content-Type": "text/x-toy"}
    keep_alive = b"\\n"
    may_reset = False

    def encode(self, portion):
        if any(isinstance(event, Delta) and "boom" in event.text for event in portion.events):
            raise ValueError("a bug")
        return b"".join(b"> " + event.text.encode() + b"\\n" for event in portion.events if isinstance(event, Delta))

    def close(self, failure, *, request_id, has_place=True):
        return b"end\\n" if failure is None else b"failed\\n"
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Installs it, as pip would: one module, and the metadata that names it."""
    (tmp_path / "toy_stream.py").write_text(TOY)
    metadata = tmp_path / "toy-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[lor3.stream_encoders]\ntoy = toy_stream:create\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins._installed.cache_clear()
    yield
    plugins._installed.cache_clear()


async def test_a_further_protocol_is_one_file(toy: None) -> None:
    """On every route that streams: a chat, an answer made again, and one that is read on."""
    accept = {"Accept": "application/json;q=0.5, text/event-stream; protocol=toy"}
    async with served({"a": ScriptedProvider(["Hi."])}) as server:
        async with server.client.post("/chat", json={"prompt": "x"}, headers=accept) as response:
            first = await response.read()
            message_id = response.headers["x-lor3-message-id"]
        path = f"/messages/{message_id}/regenerate"
        async with server.client.post(path, json={"stream": True}, headers=accept) as again:
            second = await again.read()
        resuming = {**accept, "Last-Event-ID": "2"}
        async with server.client.get(f"/chat/{message_id}/stream", headers=resuming) as response:
            rest = await response.read()

    assert b"> Hi.\nend\n" == first == second
    assert rest == b"> i.\nend\n"
    assert again.headers["Content-Type"] == "text/x-toy"


async def test_a_protocol_that_fails_costs_its_reader_the_connection_alone(toy: None) -> None:
    """Nothing else is sent in its place; the answer is finished and stored."""
    accept = {"Accept": "text/event-stream; protocol=toy"}
    async with served({"a": ScriptedProvider(["boom"])}) as server:
        with pytest.raises(aiohttp.ClientError):
            async with server.client.post("/chat", json={"prompt": "x"}, headers=accept) as response:
                await response.read()
        async with server.client.post("/chat", json={"prompt": "x"}) as response:
            fine = await response.json()
        async with server.client.get("/threads") as response:
            threads = await response.json()

    assert fine["output"] == "boom"
    assert len(threads["items"]) == 2


@pytest.mark.parametrize(
    "accept",
    [
        "text/event-stream",
        "TEXT/EVENT-STREAM",
        "text/event-stream; protocol=lor3",
        'text/event-stream;charset=utf-8; Protocol="lor3"; q=0.9',
        "application/json;q=0.1,text/event-stream",
    ],
)
async def test_lor3s_own_protocol_is_the_one_that_needs_no_name(accept: str) -> None:
    """However the header is written."""
    async with served({"a": ScriptedProvider(["Hi."])}) as server:
        async with server.client.post("/chat", json={"prompt": "x"}, headers={"Accept": accept}) as response:
            raw = await response.read()

    assert response.content_type == "text/event-stream"
    assert raw.startswith(b"id: 1\nevent: start\n")


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream;q=0", "text/event-streams", "*/*"])
async def test_who_does_not_ask_for_events_gets_none(accept: str) -> None:
    """Nor does one who refuses them by name."""
    async with served({"a": ScriptedProvider(["Hi."])}) as server:
        async with server.client.post("/chat", json={"prompt": "x"}, headers={"Accept": accept}) as response:
            assert response.content_type == "application/json"


async def test_a_protocol_that_is_not_there_is_refused_by_name() -> None:
    """Before anything is asked; the message lists those that there are, on each route."""
    provider = ScriptedProvider(["Hi."])
    headers = {"Accept": "text/event-stream; protocol=morse"}
    async with served({"a": provider}) as server:
        async with reading(server) as first:
            await first.rest()
        asked = len(provider.calls)
        answers = []
        for method, path, body in (
            ("POST", "/chat", {"prompt": "x"}),
            ("POST", f"/messages/{first.message_id}/regenerate", {}),
            ("GET", f"/chat/{first.message_id}/stream", None),
        ):
            async with server.client.request(method, path, json=body, headers=headers) as response:
                answers.append((response.status, await response.json()))

    assert [400] * 3 == [status for status, _ in answers]
    for _, problem in answers:
        (fault,) = problem["errors"]
        assert fault["path"] == "Accept"
        assert "`morse`" in fault["message"]
        assert "lor3" in fault["message"]
    assert len(provider.calls) == asked
