"""`POST /chat` and `POST /chat/explain` over a socket, answered by the demo provider and stored in SQLite."""

import asyncio
import re
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from domain.answer import ChatDone
from domain.errors import (
    ChatFailed,
    ContentFiltered,
    ContextTooLong,
    DeadlineExceeded,
    LorError,
    NoCapableModel,
    NotFound,
    OutputInvalid,
    Overloaded,
    StorageUnavailable,
)
from domain.json_value import JSONValue
from entrypoints.http.routes.table import ROUTES
from entrypoints.settings import ServerSettings
from tests.support.http import ScriptedSendChat, an_answer, serving


async def test_an_answer_has_every_field_of_the_contract_and_is_stored(tmp_path: Path) -> None:
    """What is answered is durable: the assistant's row is there when the 200 is."""
    async with serving(tmp_path) as server:
        async with server.client.post("/chat", json={"prompt": "hi"}) as response:
            answer = await response.json()

            assert response.status == 200
            assert response.content_type == "application/json"
            assert response.headers["x-lor3-model"] == "demo:demo"
            assert (response.headers["x-lor3-attempts"], response.headers["x-lor3-fallbacks"]) == ("1", "0")
            assert float(response.headers["x-lor3-overhead-ms"]) >= 0
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert {
            "message_id", "thread_id", "session_id", "output", "format", "model", "prompt_version",
            "finish_reason", "tool_calls", "usage", "cost_usd", "attempts", "context", "budget", "warnings",
        } == set(answer)  # fmt: skip
        assert {key: answer["attempts"][0][key] for key in ("model", "outcome")} == {
            "model": "demo:demo",
            "outcome": "ok",
        }
        assert uuid.UUID(answer["message_id"]).version == 7
        with closing(sqlite3.connect(tmp_path / "lor3.db")) as database:
            rows = database.execute("SELECT role FROM messages ORDER BY position").fetchall()
        assert rows == [("user",), ("assistant",)]


async def test_a_thread_is_continued(tmp_path: Path) -> None:
    """The second answer of a thread had the first two messages injected."""
    async with serving(tmp_path) as server:
        async with server.client.post("/chat", json={"prompt": "one"}) as response:
            first = await response.json()
        body = {"prompt": "two", "thread_id": first["thread_id"].upper()}
        async with server.client.post("/chat", json=body) as response:
            second = await response.json()

    assert (first["thread_id"], first["session_id"]) == (second["thread_id"], second["session_id"])
    assert second["context"] == {"injected": 2, "dropped": 0, "pinned": 0, "summarised": 0, "left_out": []}


async def test_an_unknown_thread_is_a_404(tmp_path: Path) -> None:
    """A thread that is not there is no new thread."""
    async with serving(tmp_path) as server:
        body = {"prompt": "hi", "thread_id": str(uuid.uuid4())}
        async with server.client.post("/chat", json=body) as response:
            problem = await response.json()

    assert (response.status, problem["code"]) == (404, "not_found")


async def test_explain_shows_the_plan_and_stores_nothing(tmp_path: Path) -> None:
    """The same body, no provider call, no row."""
    async with serving(tmp_path) as server:
        async with server.client.post("/chat/explain", json={"prompt": "hi", "format": "json"}) as response:
            shown = await response.json()

        assert response.status == 200
        names = [step["name"] for step in shown["passes"]]
        assert names == [
            "system-prompt",
            "memory-lane",
            "format-enforcement",
            "token-budget-check",
            "model-limits",
        ]
        assert {"demo:demo"} <= {each["model"] for each in shown["candidates"]}
        assert shown["request"]["messages"][-1]["content"] == "hi"
        with closing(sqlite3.connect(tmp_path / "lor3.db")) as database:
            assert database.execute("SELECT count(*) FROM messages").fetchone() == (0,)


async def test_all_faults_come_at_once_with_their_paths(tmp_path: Path) -> None:
    """Nobody has to send a request three times to learn of three faults."""
    body = {
        "promt": "hi",
        "temperature": True,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": 5}]},
            {"role": "bot", "content": "x"},
        ],
        "thread_id": "42",
    }
    async with serving(tmp_path) as server:
        async with server.client.post("/chat", json=body) as response:
            problem = await response.json()

    assert (response.status, response.content_type) == (400, "application/problem+json")
    assert [fault["path"] for fault in problem["errors"]] == [
        "promt", "temperature", "messages[0].content[0].text", "messages[1].role", "thread_id",
    ]  # fmt: skip
    assert "did you mean `prompt`" in problem["detail"]


@pytest.mark.parametrize(
    "field", ["api_base", "base_url", "callback_url", "id", "tenant", "cost_usd", "role", "system_prompt"]
)
async def test_fields_that_a_client_must_not_choose_are_refused(field: str, tmp_path: Path) -> None:
    """No URL, identity or account of the client's choice (security 8 and 35)."""
    async with serving(tmp_path) as server:
        async with server.client.post(
            "/chat", json={"prompt": "hi", field: "http://127.0.0.1:1"}
        ) as response:
            problem = await response.json()

    assert response.status == 400
    assert [field] == [fault["path"] for fault in problem["errors"]]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ContextTooLong("x"), 400),
        (ContentFiltered("x"), 400),
        (NoCapableModel("x"), 400),
        (NotFound("x"), 404),
        (Overloaded("x"), 503),
        (StorageUnavailable("x"), 503),
        (DeadlineExceeded("x"), 504),
        (OutputInvalid("x"), 502),
        (ChatFailed("upstream_auth", "x", retryable=False), 502),
        (ChatFailed("upstream_rate_limited", "x", retryable=True, retry_after_s=1.2), 503),
        (ChatFailed("upstream_timeout", "x", retryable=True), 504),
        (ChatFailed("upstream_error", "x", retryable=True), 502),
        (ChatFailed("upstream_quota", "x", retryable=False), 503),
        (ChatFailed("upstream_tls", "x", retryable=False), 502),
        (ChatFailed("upstream_too_large", "x", retryable=False), 502),
        (ChatFailed("upstream_model_not_found", "x", retryable=False), 502),
        (ChatFailed("bad_upstream_body", "x", retryable=True), 502),
        (ChatFailed("never_heard_of", "x", retryable=True), 500),
    ],
)
async def test_each_error_has_its_status(error: LorError, status: int, tmp_path: Path) -> None:
    """Plain and streamed: a failure before the first event is the same problem."""
    async with serving(tmp_path, send_chat=ScriptedSendChat(script=[error])) as server:
        for stream in (False, True):
            async with server.client.post("/chat", json={"prompt": "hi", "stream": stream}) as response:
                problem = await response.json()

            assert status == response.status == problem["status"] or status == 500
            assert (status, error.code, error.retryable) == (
                response.status,
                problem["code"],
                problem["retryable"],
            )
            assert response.headers["X-Request-ID"] == problem["request_id"]
            wait = None if error.retry_after_s is None else str(int(-(-error.retry_after_s // 1)))
            assert wait == response.headers.get("Retry-After")


async def test_an_unexpected_fault_shows_and_logs_nothing_of_the_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """500 `internal_error`; the log has type and place, not the message."""
    chat = ScriptedSendChat(script=[RuntimeError("CANARY")])
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "hi"}) as response:
            text = await response.text()

    assert response.status == 500
    assert "CANARY" not in text
    assert "internal_error" in text
    assert "CANARY" not in caplog.text


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [("abc-1.2_3", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("ä", False), ("", False)],
)
async def test_a_request_id_is_echoed_only_if_it_is_one(sent: str, echoed: bool, tmp_path: Path) -> None:
    """Otherwise one is made."""
    async with serving(tmp_path) as server:
        async with server.client.get("/healthz", headers={"X-Request-ID": sent}) as response:
            given = response.headers["X-Request-ID"]

        assert echoed == (sent == given)
        assert re.fullmatch("[A-Za-z0-9._-]{1,64}", given)
        assert [given] == [event.request_id for event in server.telemetry.served]


@pytest.mark.parametrize(
    ("method", "path"),
    [(entry.method, entry.path) for entry in ROUTES if entry.method != "GET" and not entry.takes_key],
)
async def test_an_idempotency_key_is_refused_rather_than_ignored(
    tmp_path: Path, method: str, path: str
) -> None:
    """Nobody may rely on a promise that is not kept there."""
    some = "01890a5d-ac96-774b-bcce-b302099a8057"
    path = path.format(name="p", version="v1", label="staging", id=some, message_id=some)
    async with serving(tmp_path) as server:
        async with server.client.request(
            method, path, json={"template": "x"}, headers={"Idempotency-Key": "1"}
        ) as response:
            problem = await response.json()
        async with server.client.get("/prompts") as listed:
            prompts = await listed.json()

    assert (response.status, problem["code"]) == (400, "idempotency_unsupported")
    assert prompts["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/prompts", 200), ("HEAD", "/config", 200), ("POST", "/nowhere", 404), ("POST", "/config", 405)],
)
async def test_an_idempotency_key_does_no_harm_where_nothing_is_written(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    """A client that sends it with everything can read, and a wrong path is told as one."""
    async with serving(tmp_path) as server:
        async with server.client.request(method, path, headers={"Idempotency-Key": "1"}) as response:
            pass

    assert status == response.status


async def test_the_excess_over_max_in_flight_is_shed_and_health_is_not(tmp_path: Path) -> None:
    """503 `overloaded` with Retry-After at once, while /healthz answers."""
    gate = asyncio.Event()
    chat = ScriptedSendChat(script=[gate, ChatDone(an_answer())])
    async with serving(tmp_path, send_chat=chat, server=ServerSettings(max_in_flight=1)) as server:
        first = asyncio.create_task(server.client.post("/chat", json={"prompt": "x"}))
        await chat.called.wait()
        async with server.client.post("/chat", json={"prompt": "x"}) as response:
            problem = await response.json()
        async with server.client.get("/healthz") as health:
            pass
        gate.set()
        answered = await first

    assert (response.status, problem["code"], response.headers["Retry-After"]) == (503, "overloaded", "1")
    assert (health.status, answered.status) == (200, 200)
    assert server.state.in_flight == 0


@pytest.mark.parametrize(("on_disconnect", "end"), [("finish", "done"), ("cancel", "cancelled")])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_disconnect_finishes_or_cancels_as_asked(
    on_disconnect: str, end: str, stream: bool, tmp_path: Path
) -> None:
    """By default an answer whose reader left is finished and stored; the shutdown waits for it."""
    chat = ScriptedSendChat(script=[0.3, ChatDone(an_answer())])
    async with serving(tmp_path, send_chat=chat) as server:
        body = {"prompt": "x", "on_disconnect": on_disconnect, "stream": stream}
        request = asyncio.create_task(server.client.post("/chat", json=body))
        await chat.called.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    assert [end] == chat.ended
    assert server.application.live_answers.unread == 0


async def test_odd_models_and_values_make_safe_headers(tmp_path: Path) -> None:
    """A header is printable ASCII whatever a model is called."""
    model = type(an_answer().model)("demo", "ä\r\nx: y")
    chat = ScriptedSendChat(script=[ChatDone(an_answer(model=model, cost_usd=None))])
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "x"}) as response:
            pass

    assert response.headers["x-lor3-model"] == "demo:???x: y"
    assert "x-lor3-cost-usd" not in response.headers


async def test_output_beyond_json_of_64_bits_is_answered(tmp_path: Path) -> None:
    """A model's JSON may hold integers and halves of characters that the fast writer refuses."""
    output: dict[str, JSONValue] = {"n": 10**30, "s": "\ud800"}
    chat = ScriptedSendChat(script=[ChatDone(attrs.evolve(an_answer(), output=output))])
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "x"}) as response:
            answer = await response.json()

    assert output == answer["output"]
    assert answer["cost_usd"] == "0.005168"


async def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    """Those of the body beside those that only the configuration knows of; unknown formats list the known ones."""
    body = {
        "prompt": "x",
        "nope": 1,
        "temperature": 9,
        "format": "xml",
        "model": "nope:x",
        "fallbacks": ["a:b"],
    }
    async with serving(tmp_path) as server:
        for path in ("/chat", "/chat/explain"):
            async with server.client.post(path, json=body) as response:
                problem = await response.json()

            errors = {each["path"]: each["message"] for each in problem["errors"]}
            assert response.status == 400
            assert list(errors) == ["nope", "temperature", "format", "model", "fallbacks[0]"]
            assert errors["format"] == "unknown format `xml`; known: json, markdown, raw"


async def test_a_schema_is_checked_beside_other_faults(tmp_path: Path) -> None:
    """Its fit to the format and itself."""
    body = {"prompt": "x", "nope": 1, "format": "raw", "schema": {"type": 5}}
    async with serving(tmp_path) as server, server.client.post("/chat", json=body) as response:
        problem = await response.json()

    assert {"nope", "schema"} <= {each["path"].partition(".")[0] for each in problem["errors"]}


async def test_the_header_counts_the_models_that_were_passed_over(tmp_path: Path) -> None:
    """Also those that were never called, and so are not among the attempts."""
    chat = ScriptedSendChat(script=[ChatDone(an_answer(fallbacks=2))])
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "x"}) as response:
            pass

    assert (response.headers["x-lor3-fallbacks"], response.headers["x-lor3-attempts"]) == ("2", "1")
