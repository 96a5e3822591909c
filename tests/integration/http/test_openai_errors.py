"""What goes wrong on `/v1`: the SDK's exceptions, and the bytes that other clients read."""

from pathlib import Path

import openai
import pytest

from domain.answer import ChatEvent, Delta
from domain.errors import ChatFailed, KeyInFlight, KeyReused, LorError, Overloaded, ThreadBusy
from entrypoints.settings import ServerSettings
from tests.support.http import ScriptedSendChat, parse, serving, started
from tests.support.openai_api import HI, openai_api
from tests.support.wire_upstream import answer, json_answer, openai_chunk, sse

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("error", "raised", "code", "again"),
    [
        (ChatFailed("upstream_error", "x", retryable=True), openai.InternalServerError, "upstream_error", "false"),
        (
            ChatFailed("upstream_rate_limited", "x", retryable=True, retry_after_s=0.2),
            openai.InternalServerError, "upstream_rate_limited", "false",
        ),
        (ThreadBusy("x"), openai.ConflictError, "thread_busy", None),
        (KeyInFlight("x"), openai.ConflictError, "idempotency_key_in_flight", None),
        (KeyReused("x"), openai.UnprocessableEntityError, "idempotency_key_reused", None),
        (Overloaded("x"), openai.InternalServerError, "overloaded", None),
        (RuntimeError("CANARY"), openai.InternalServerError, "internal_error", "false"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
async def test_the_sdk_raises_what_it_would_of_openai(
    error: Exception,
    raised: type[openai.APIStatusError],
    code: str,
    again: str | None,
    stream: bool,
    tmp_path: Path,
) -> None:
    """Also for a stream that has not begun. All four fields are there, and the request's id."""
    async with openai_api(tmp_path, send_chat=ScriptedSendChat(script=[error])) as api:
        with pytest.raises(raised) as caught:
            await api.client.chat.completions.create(model="m", messages=HI, stream=stream)

    assert caught.value.code == code
    assert isinstance(caught.value.body, dict)
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    assert caught.value.request_id == caught.value.response.headers["x-request-id"]
    assert "CANARY" not in caught.value.message
    assert again == caught.value.response.headers.get("x-should-retry")
    if isinstance(error, LorError) and error.retry_after_s is not None:
        assert caught.value.response.headers["Retry-After"] == "1"


async def test_a_failure_inside_a_stream_raises(tmp_path: Path) -> None:
    """After the text so far; the stream ends with its mark."""
    script: list[ChatEvent | Exception] = [
        started(),
        Delta("Hel"),
        ChatFailed("upstream_error", "cut", retryable=True),
    ]
    async with openai_api(tmp_path, send_chat=ScriptedSendChat(script=script)) as api:
        stream = await api.client.chat.completions.create(model="m", messages=HI, stream=True)
        seen = [(await anext(stream)).choices[0].delta.content for _ in range(2)]
        with pytest.raises(openai.APIError) as caught:
            await anext(stream)
        body = {"messages": HI, "stream": True}
        async with api.server.client.post("/v1/chat/completions", json=body) as response:
            raw = await response.read()

    assert seen == ["", "Hel"]
    assert (caught.value.code, caught.value.type, caught.value.message) == (
        "upstream_error",
        "server_error",
        "cut",
    )
    assert raw.endswith(b'"code":"upstream_error"}}\n\ndata: [DONE]\n\n')
    assert response.status == 200
    assert response.content_type == "text/event-stream"


async def test_a_stream_that_is_cut_upstream_is_never_a_whole_one(tmp_path: Path) -> None:
    """No fallback after the first word: this protocol can't take it back."""
    frames = [openai_chunk({"role": "assistant", "content": "Hel"})]
    async with openai_api(tmp_path, reply=sse(frames, then="cut"), fallbacks=("local:m",)) as api:
        stream = await api.client.chat.completions.create(model="openai:gpt-x", messages=HI, stream=True)
        seen = [(await anext(stream)).choices[0].delta.content for _ in range(2)]
        with pytest.raises(openai.APIError):
            await anext(stream)

    assert seen == ["", "Hel"]
    assert len(api.upstream.received) == 1


async def test_bad_input_names_every_fault(tmp_path: Path) -> None:
    """In the message; the first one's place is `param`. What only the configuration knows is among them."""
    async with openai_api(tmp_path) as api:
        with pytest.raises(openai.BadRequestError) as caught:
            await api.client.chat.completions.create(
                model="opnai:gpt-x",
                messages=HI,
                n=2,
                extra_body={"lor3": {"fallbacks": ["nobody:m"], "contxt_depth": 3}},
            )
        with pytest.raises(openai.BadRequestError) as schema:
            await api.client.chat.completions.create(
                model="openai:gpt-x",
                messages=HI,
                response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": 7}}},
            )

    assert caught.value.param == "n"
    for each in ("n: ", "lor3.contxt_depth: ", "model: unknown provider `opnai`", "lor3.fallbacks[0]: "):
        assert each in caught.value.message
    assert (schema.value.param or "").startswith("response_format.json_schema.schema")


@pytest.mark.parametrize("model", ["gpt-nobody", "nobody:m", "prompt/nobody", "prompt/nobody@production"])
async def test_an_unknown_model_is_not_found(model: str, tmp_path: Path) -> None:
    """As OpenAI says it."""
    async with openai_api(tmp_path) as api:
        with pytest.raises(openai.NotFoundError) as caught:
            await api.client.chat.completions.create(model=model, messages=HI)
        with pytest.raises(openai.NotFoundError) as listed:
            await api.client.models.retrieve(model)

    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert listed.value.code == "model_not_found"


async def test_parameters_that_no_model_takes_are_named(tmp_path: Path) -> None:
    """All of them, and nobody is asked."""
    async with openai_api(tmp_path, fallbacks=("anthropic:m",)) as api:
        with pytest.raises(openai.BadRequestError) as caught:
            await api.client.chat.completions.create(
                model="openai:gpt-x", messages=HI, logit_bias={"7": 1}, extra_body={"top_k": 4, "min_p": 0.1}
            )

    assert (caught.value.code, caught.value.param) == ("no_capable_model", "top_k")
    for name in ("logit_bias", "top_k", "min_p"):
        assert f"{name}: not taken" in caught.value.message
    assert api.upstream.received == []


async def test_a_parameter_that_a_provider_refuses_is_named(tmp_path: Path) -> None:
    """By the name that the caller gave, without the provider's words."""
    refusal = {
        "error": {"message": "CANARY", "type": "invalid_request_error", "param": "verbosity", "code": None}
    }
    async with openai_api(tmp_path, reply=json_answer(refusal, status=400)) as api:
        with pytest.raises(openai.BadRequestError) as caught:
            await api.client.chat.completions.create(model="openai:gpt-x", messages=HI, verbosity="low")

    assert caught.value.param == "verbosity"
    assert "CANARY" not in caught.value.message


async def test_an_upstream_failure_is_not_repeated_by_the_sdk(tmp_path: Path) -> None:
    """lor3 has tried twice; the SDK, left to itself, would ask for all of it twice more."""
    async with openai_api(tmp_path, reply=answer(b"{}", status=500)) as api:
        client = api.client.with_options(max_retries=2)
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="openai:gpt-x", messages=HI)

    assert caught.value.code == "upstream_error"
    assert len(api.upstream.received) == 2


REFUSALS: list[tuple[str, str, bytes, dict[str, str], int, str]] = [
    ("GET", "/v1/nowhere", b"", {}, 404, "not_found"),
    ("POST", "/v1/responses", b"{}", JSON, 404, "not_found"),
    ("DELETE", "/v1/models", b"", {}, 405, "method_not_allowed"),
    ("GET", "/v1/chat/completions", b"", {}, 405, "method_not_allowed"),
    ("POST", "/v1/chat/completions", b"{", JSON, 400, "invalid_request"),
    ("POST", "/v1/chat/completions", b"[]", JSON, 400, "invalid_request"),
    ("POST", "/v1/chat/completions", b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    ("POST", "/v1/chat/completions", b" " * 2000, JSON, 413, "body_too_large"),
    ("POST", "/v1/chat/completions", b"{}", {**JSON, "Idempotency-Key": ""}, 400, "invalid_request"),
    ("POST", "/v1/chat/completions", b"{}", {**JSON, "Expect": "x"}, 417, "expectation_failed"),
]


async def test_every_refusal_has_openais_shape(tmp_path: Path) -> None:
    """Of routes, methods, bodies and headers; elsewhere it stays a problem."""
    async with serving(tmp_path, server=ServerSettings(max_body_bytes=1000)) as server:
        for method, path, data, headers, status, code in REFUSALS:
            lines = [
                f"{method} {path} HTTP/1.1",
                "Host: x",
                f"Content-Length: {len(data)}",
                "Connection: close",
            ]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            raw = await server.raw("\r\n".join([*lines, "", ""]).encode() + data)
            found, body = parse(raw)

            assert (found, body["error"]["code"]) == (status, code)
            assert set(body["error"]) == {"message", "type", "param", "code"}
            assert body["error"]["type"] == "invalid_request_error"
        async with server.client.get("/nowhere") as elsewhere:
            assert elsewhere.content_type == "application/problem+json"


async def test_a_page_of_another_origin_may_use_the_sdk(tmp_path: Path) -> None:
    """It sends headers of its own with everything, and has to be able to read when to try again."""
    origin = "https://app.example"
    async with serving(tmp_path, server=ServerSettings(cors_origins=(origin,))) as server:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with server.client.options("/v1/chat/completions", headers=asked) as preflight:
            allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
        async with server.client.get("/v1/models", headers={"Origin": origin}) as answered:
            exposed = answered.headers["Access-Control-Expose-Headers"].lower().split(", ")
    sent = [
        name.lower() for name in openai.OpenAI(api_key="x", organization="o", project="p").default_headers
    ]

    assert {name for name in sent if name.startswith(("x-stainless", "openai-"))} - set(allowed) == {
        "x-stainless-async"  # of the SDK for Python alone
    }
    assert {"authorization", "x-stainless-retry-count", "x-stainless-timeout"} <= set(allowed)
    assert {"user-agent", "x-client-request-id", "traceparent", "tracestate", "baggage"} <= set(allowed)
    assert {"x-should-retry", "retry-after", "x-request-id"} <= set(exposed)


async def test_a_server_that_stops_or_is_full_says_so_in_openais_shape(tmp_path: Path) -> None:
    """With `Retry-After`, and without telling SDKs to leave it: another replica may serve them."""
    async with serving(tmp_path) as server:
        server.state.draining = True
        async with server.client.post("/v1/chat/completions", json={"messages": HI}) as draining:
            told = await draining.json()
        server.state.draining = False
        server.state.in_flight = 10**6
        async with server.client.get("/v1/models") as full:
            shed = await full.json()
        server.state.in_flight = 0

    assert (draining.status, told["error"]["code"]) == (503, "shutting_down")
    assert (full.status, shed["error"]["code"]) == (503, "overloaded")
    for each in (draining, full):
        assert each.headers["Retry-After"] == "1"
        assert "x-should-retry" not in each.headers


async def test_an_absent_thread_is_named_as_the_body_has_it(tmp_path: Path) -> None:
    """`param` is where the client wrote it."""
    lor3 = {"thread_id": "01890a5d-ac96-774b-bcce-b302099a8057"}
    async with openai_api(tmp_path) as api:
        with pytest.raises(openai.NotFoundError) as caught:
            await api.client.chat.completions.create(
                model="openai:gpt-x", messages=HI, extra_body={"lor3": lor3}
            )

    assert (caught.value.code, caught.value.param) == ("not_found", "lor3.thread_id")


async def test_a_base_url_without_its_end_is_named(tmp_path: Path) -> None:
    """The commonest slip, where the SDK would tell of a 404 and nothing else."""
    async with serving(tmp_path) as server:
        client = openai.AsyncOpenAI(api_key="none", base_url=f"http://127.0.0.1:{server.port}", max_retries=0)
        async with client:
            with pytest.raises(openai.NotFoundError, match="want /v1 at the end of their base URL"):
                await client.chat.completions.create(
                    model="demo", messages=[{"role": "user", "content": "x"}]
                )
            with pytest.raises(openai.NotFoundError, match="want /v1 at the end of their base URL"):
                await client.models.list()
