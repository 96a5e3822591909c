"""Chats' whole answers: the same to every client, as text or as aiohttp's own response."""

from pathlib import Path

import pytest
from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.test_utils import make_mocked_request

from entrypoints.http import connection
from entrypoints.http.json_answer import JSONAnswer
from entrypoints.http.whole_answers import as_bytes
from entrypoints.settings import ServerSettings
from tests.support.http import serving

_RATES = {"x-ratelimit-limit-requests": "60"}


def _answer() -> JSONAnswer:
    answer = JSONAnswer(b'{"a":1}', "x-lor3-model: demo:a: b\r\n")
    answer.decorate("r1", _RATES)
    return answer


def test_it_becomes_an_ordinary_response_for_whoever_looks() -> None:
    """With the headers that it has as text, in the same order."""
    answer = _answer()

    assert (answer.status, answer.reason, answer.body, answer.prepared) == (200, "OK", b'{"a":1}', False)
    assert list(answer.headers.items()) == [
        ("x-lor3-model", "demo:a: b"),
        ("Content-Type", "application/json"),
        ("X-Request-ID", "r1"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
        ("Server", "lor3"),
        ("x-ratelimit-limit-requests", "60"),
    ]
    assert answer.head is None
    with pytest.raises(AttributeError):
        answer.nothing  # noqa: B018 - asks for what no response has


@pytest.mark.parametrize("keeps_alive", [True, False])
async def test_its_bytes_are_those_of_an_ordinary_response(keeps_alive: bool) -> None:
    """As text, after somebody has looked at it, and of aiohttp's own class."""
    request = make_mocked_request("POST", "/chat", version=HttpVersion11)
    looked_at, ordinary = _answer(), _answer()
    assert looked_at.headers is not None
    theirs = web.Response(body=b'{"a":1}', headers=ordinary.headers)
    sent = {as_bytes(request, each, keeps_alive=keeps_alive) for each in (_answer(), looked_at, theirs)}

    assert len(sent) == 1
    assert None not in sent


async def test_an_older_client_is_left_to_aiohttp() -> None:
    """It says that it keeps a connection, or not at all."""
    request = make_mocked_request("POST", "/chat", version=HttpVersion10)

    assert as_bytes(request, _answer(), keeps_alive=True) is None


@pytest.mark.parametrize("path", ["/chat", "/v1/chat/completions"])
async def test_every_way_of_sending_it_says_the_same(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To pages of other origins, which are told that besides, and with another release of aiohttp."""
    body = {"prompt": "hi"}
    if path != "/chat":
        body = {"model": "demo:demo", "messages": [{"role": "user", "content": "hi"}]}  # type: ignore[dict-item]
    names = []
    for origins, is_known in (((), True), (("https://a.example",), True), ((), False)):
        monkeypatch.setattr(connection, "_IS_KNOWN", is_known)
        async with serving(tmp_path, server=ServerSettings(cors_origins=origins)) as server:
            headers = {"Origin": "https://a.example"}
            async with server.client.post(path, json=body, headers=headers) as response:
                assert response.status == 200
                assert await response.json()
                names.append([*response.headers])

    cors = ["Vary", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"]
    assert [name for name in names[1] if name not in cors] == names[0]
    assert names[2] == names[0]
