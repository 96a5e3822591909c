"""`/v1` through OpenAI's own SDK, over HTTP, against a local provider."""

from pathlib import Path
from typing import Any, Literal

import pydantic
import pytest
from openai import APIError, LengthFinishReasonError, omit

from tests.support.openai_api import HI, openai_api
from tests.support.wire_upstream import (
    anthropic_answer,
    json_answer,
    openai_answer,
    openai_chunk,
    sse,
)

TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
            "strict": True,
        },
    }
]
CALL = {
    "id": "call_9",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'},
}
USAGE = {
    "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip


class City(pydantic.BaseModel):
    name: str
    country: Literal["IT", "FR"]


async def test_a_completion_is_what_the_sdk_expects(tmp_path: Path) -> None:
    """Text, model, usage and lor3's extras; the id is the message's."""
    async with openai_api(tmp_path, reply=json_answer(openai_answer("Hello!", usage=USAGE))) as api:
        raw = await api.client.chat.completions.with_raw_response.create(
            model="openai:gpt-x", messages=HI, metadata={"a": "b"}, user="ada"
        )
        completion = raw.parse()
        async with api.server.client.get(f"/messages/{completion.id}") as found:
            stored = await found.json()

    assert completion.choices[0].message.content == "Hello!"
    assert completion.choices[0].finish_reason == "stop"
    assert (completion.object, completion.model) == ("chat.completion", "openai:gpt-x")
    assert completion.usage is not None
    assert completion.usage.model_dump(exclude_none=True) == USAGE
    lor3 = completion.model_extra["lor3"] if completion.model_extra else {}
    assert lor3["message_id"] == completion.id == stored["id"]
    assert lor3["attempts"][0]["model"] == raw.headers["x-lor3-model"] == "openai:gpt-x"
    assert raw.headers["x-lor3-attempts"] == "1"
    assert completion._request_id == raw.headers["x-request-id"]
    assert stored["created_at"][:19] == _utc(completion.created)


async def test_a_stream_is_chunks_and_usage(tmp_path: Path) -> None:
    """The SDK joins them to what the provider said."""
    async with openai_api(tmp_path) as api:
        chunks = [
            chunk
            async for chunk in await api.client.chat.completions.create(
                model="openai:gpt-x", messages=HI, stream=True, stream_options={"include_usage": True}
            )
        ]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello!"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 12)
    assert {chunk.usage for chunk in chunks[:-1]} == {None}
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert chunks[-1].model_extra is not None
    assert chunks[-1].model_extra["lor3"]["message_id"] == chunks[0].id


async def test_tools_go_round(tmp_path: Path) -> None:
    """The call comes back with its result, as the SDK's own object, and reaches the provider as it was."""
    asked = openai_answer(None)
    asked["choices"][0] |= {"finish_reason": "tool_calls", "message": {"content": None, "tool_calls": [CALL]}}
    async with openai_api(tmp_path, reply=json_answer(asked)) as api:
        called = await api.client.chat.completions.parse(
            model="openai:gpt-x", messages=HI, tools=TOOLS, tool_choice="required"
        )
        first = api.sent
        message: Any = called.choices[0].message
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
        api.upstream.reply = json_answer(openai_answer("Sunny."))
        history: Any = [*HI, message, result]
        answered = await api.client.chat.completions.create(
            model="openai:gpt-x", messages=history, tools=TOOLS
        )
        second = api.sent

    assert (first["tools"], first["tool_choice"]) == (TOOLS, "required")
    assert called.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    assert message.tool_calls[0].function.parsed_arguments == {"city": "Rome"}
    assert second["messages"][1:] == [{"role": "assistant", "content": None, "tool_calls": [CALL]}, result]
    assert answered.choices[0].message.content == "Sunny."


async def test_streamed_tool_calls_are_joined_by_the_sdk(tmp_path: Path) -> None:
    """Its own helper folds the pieces."""
    piece = {
        "index": 0,
        "id": "call_9",
        "type": "function",
        "function": {"name": "get_weather", "arguments": ""},
    }
    frames = [
        openai_chunk({"role": "assistant", "content": None, "tool_calls": [piece]}),
        openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
        openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Rome"}'}}]}),
        openai_chunk({}, "tool_calls"),
        b"data: [DONE]\n\n",
    ]
    async with openai_api(tmp_path, reply=sse(frames)) as api:
        stream = api.client.chat.completions.stream(model="openai:gpt-x", messages=HI, tools=TOOLS)
        async with stream as events:
            final = await events.get_final_completion()

    assert final.choices[0].finish_reason == "tool_calls"
    assert final.choices[0].message.tool_calls is not None
    assert [each.function.arguments for each in final.choices[0].message.tool_calls] == ['{"city":"Rome"}']
    assert final.choices[0].message.tool_calls[0].id == "call_9"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_parse_gives_a_value_of_the_schemas_class(provider: str, tmp_path: Path) -> None:
    """Whichever provider answers; what does not fit is asked for once more, and both calls are paid for."""
    texts = iter(('{"name": "Rome", "country": "XX"}', '{"name": "Rome", "country": "IT"}'))

    async def reply(request: Any, writer: Any) -> bool:
        text = next(texts)
        whole = openai_answer(text) if provider == "openai" else anthropic_answer(text)
        return await json_answer(whole)(request, writer)

    async with openai_api(tmp_path, reply=reply) as api:
        parsed = await api.client.chat.completions.parse(
            model=f"{provider}:m", messages=HI, response_format=City
        )

    assert parsed.choices[0].message.parsed == City(name="Rome", country="IT")
    assert parsed.usage is not None
    assert parsed.usage.total_tokens == 24


async def test_an_answer_can_be_sent_back_as_it_came(tmp_path: Path) -> None:
    """As an object of the SDK's, and as plain data with all its nulls."""
    async with openai_api(tmp_path) as api:
        first = await api.client.chat.completions.create(model="openai:gpt-x", messages=HI)
        message: Any = first.choices[0].message
        for again in (message, message.model_dump()):
            await api.client.chat.completions.create(model="openai:gpt-x", messages=[*HI, again, *HI])

            assert api.sent["messages"][1] == {"role": "assistant", "content": "Hello!"}


@pytest.mark.parametrize("primary", ["openai:gpt-x", "anthropic:claude-x"])
async def test_an_empty_answer_and_an_invented_tool_can_be_sent_back(primary: str, tmp_path: Path) -> None:
    """On both surfaces; a provider is sent what it accepts."""
    silent = openai_answer("")
    silent["choices"][0]["finish_reason"] = "content_filter"
    called = openai_answer(None)
    invented = {**CALL, "id": "functions.get:0", "function": {"name": "functions.get", "arguments": "{}"}}
    called["choices"][0] |= {
        "finish_reason": "tool_calls",
        "message": {"content": None, "tool_calls": [invented]},
    }
    said: list[Any] = []
    async with openai_api(tmp_path) as api:
        for reply in (silent, called):
            api.upstream.reply = json_answer(reply)
            answer = await api.client.chat.completions.create(model="openai:gpt-x", messages=HI, tools=TOOLS)
            said.append(answer.choices[0].message)
        result: Any = {"role": "tool", "tool_call_id": "functions.get:0", "content": "sunny"}
        last = anthropic_answer("Sunny.") if primary.startswith("anthropic") else openai_answer("Sunny.")
        api.upstream.reply = json_answer(last)
        answer = await api.client.chat.completions.create(
            model=primary, messages=[*HI, said[0], *HI, said[1], result]
        )
        sent = api.sent["messages"]
        native = [*HI, {"role": "assistant", "content": ""}, *HI]
        async with api.server.client.post("/chat", json={"messages": native, "model": primary}) as posted:
            status = posted.status

    assert (said[0].content, answer.choices[0].message.content, status) == ("", "Sunny.", 200)
    if primary.startswith("anthropic"):
        assert [each["role"] for each in sent] == ["user", "assistant", "user"]
        assert sent[1]["content"][0]["name"] == "functions_get"
        assert sent[1]["content"][0]["id"] == sent[2]["content"][0]["tool_use_id"]
    else:
        assert sent[1] == {"role": "assistant", "content": ""}
        assert sent[3]["tool_calls"][0]["id"] == sent[4]["tool_call_id"] != "functions.get:0"


@pytest.mark.parametrize("said", ['```json\n{"a":1}\n```', 'Here you go: {"a":1} hope it helps'])
async def test_json_that_is_streamed_is_json_or_an_error(said: str, tmp_path: Path) -> None:
    """A reader who puts the pieces together can parse what ended well; a whole answer is cut to the JSON."""
    pieces = [openai_chunk({"content": said[:9]}), openai_chunk({"content": said[9:]}, "stop")]
    form: Any = {"type": "json_object"}
    async with openai_api(tmp_path, reply=sse([*pieces, b"data: [DONE]\n\n"])) as api:
        stream = await api.client.chat.completions.create(
            model="openai:gpt-x", messages=HI, response_format=form, stream=True
        )
        with pytest.raises(APIError, match="around the JSON") as caught:
            async for _ in stream:
                pass
        whole = await api.client.chat.completions.create(
            model="openai:gpt-x", messages=HI, response_format=form
        )

    assert caught.value.code == "output_invalid"
    assert whole.choices[0].message.content == '{"a":1}'


async def test_json_that_was_cut_off_is_said_to_be(tmp_path: Path) -> None:
    """As OpenAI says it, whose SDK raises for such an answer where it was to be parsed."""
    cut = openai_answer('{"name":"Ro')
    cut["choices"][0]["finish_reason"] = "length"
    async with openai_api(tmp_path, reply=json_answer(cut)) as api:
        plain = await api.client.chat.completions.create(
            model="openai:gpt-x", messages=HI, max_tokens=3, response_format={"type": "json_object"}
        )
        with pytest.raises(LengthFinishReasonError):
            await api.client.chat.completions.parse(
                model="openai:gpt-x", messages=HI, max_tokens=3, response_format=City
            )
        asked = len(api.upstream.received)

    choice = plain.choices[0]
    assert (choice.message.content, choice.finish_reason, asked) == ('{"name":"Ro', "length", 2)


async def test_a_thread_is_gone_on_with(tmp_path: Path) -> None:
    """Only the new turn is sent; the instructions are of the request alone, whichever answer gave the thread's id."""
    system: Any = {"role": "system", "content": "Be kind."}
    async with openai_api(tmp_path) as api:
        first = await api.client.chat.completions.create(model="openai:gpt-x", messages=[system, *HI])
        assert first.model_extra is not None
        thread = first.model_extra["lor3"]["thread_id"]
        second = await api.client.chat.completions.create(
            model="openai:gpt-x",
            messages=[system, {"role": "user", "content": "Again"}],
            extra_body={"lor3": {"thread_id": thread}},
        )
        injected = api.sent["messages"]
        own = await api.client.chat.completions.create(
            model="openai:gpt-x", messages=[*HI, *HI], extra_body={"lor3": {"thread_id": thread}}
        )
        alone = api.sent["messages"]
        async with api.server.client.get(f"/threads/{thread}/messages") as listed:
            roles = [each["role"] for each in (await listed.json())["items"]]

    assert second.model_extra is not None
    assert own.model_extra is not None
    assert second.model_extra["lor3"]["context"]["injected"] == 2
    assert sorted(each["content"] for each in injected) == ["Again", "Be kind.", "Hello!", "Hi"]
    assert injected[-1] == {"role": "user", "content": "Again"}
    assert own.model_extra["lor3"]["context"]["injected"] == 0
    assert alone == [*HI, *HI]
    assert roles == ["user", "assistant", "user", "assistant", "user", "user", "assistant"]


async def test_results_go_on_from_the_calls_of_a_thread(tmp_path: Path) -> None:
    """Without the question and the calls, which the thread has."""
    asked = openai_answer(None)
    asked["choices"][0] |= {"finish_reason": "tool_calls", "message": {"content": None, "tool_calls": [CALL]}}
    result: Any = {"role": "tool", "tool_call_id": "call_9", "content": "sunny"}
    async with openai_api(tmp_path, reply=json_answer(asked)) as api:
        called = await api.client.chat.completions.create(model="openai:gpt-x", messages=HI, tools=TOOLS)
        assert called.model_extra is not None
        thread = called.model_extra["lor3"]["thread_id"]
        api.upstream.reply = json_answer(openai_answer("Sunny."))
        answered = await api.client.chat.completions.create(
            model="openai:gpt-x", messages=[result], extra_body={"lor3": {"thread_id": thread}}
        )

    assert answered.choices[0].message.content == "Sunny."
    assert api.sent["messages"] == [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        result,
    ]


async def test_stored_calls_can_be_read_as_chunks(tmp_path: Path) -> None:
    """From their start, wherever a reader stood in their pieces."""
    asked = openai_answer(None)
    asked["choices"][0] |= {"finish_reason": "tool_calls", "message": {"content": "hm", "tool_calls": [CALL]}}
    async with openai_api(tmp_path, reply=json_answer(asked)) as api:
        called = await api.client.chat.completions.create(model="openai:gpt-x", messages=HI, tools=TOOLS)
        headers = {"Accept": "text/event-stream; protocol=openai", "Last-Event-ID": "2"}
        async with api.server.client.get(f"/chat/{called.id}/stream", headers=headers) as again:
            told = await again.text()

    assert "error" not in told
    assert '"delta":{"role":"assistant"' in told.partition("\n")[0]
    assert '"id":"call_9"' in told
    assert '"finish_reason":"tool_calls"' in told
    assert told.endswith("data: [DONE]\n\n")


async def test_a_model_may_be_a_prompt_or_a_name_alone(tmp_path: Path) -> None:
    """The configured model answers a prompt; a listed model needs no provider before it."""
    async with openai_api(tmp_path, fallbacks=("anthropic:claude-x",)) as api:
        template = {"template": "Be {{how}}.", "variables": {"how": {"type": "string"}}}
        async with api.server.client.post("/prompts/tone/versions", json=template) as made:
            assert made.status == 201
        answered = await api.client.chat.completions.create(
            model="prompt/tone:v1", messages=HI, extra_body={"lor3": {"variables": {"how": "kind"}}}
        )
        asked = api.sent
        await api.client.chat.completions.create(model="gpt-5-mini", messages=HI)
        plain = api.sent
        listed = [model async for model in api.client.models.list()]
        one = await api.client.models.retrieve("prompt/tone")
        configured = await api.client.models.retrieve("openai:gpt-x")
        alone = await api.client.models.retrieve("gpt-5-mini")

    assert asked["messages"][0] == {"role": "system", "content": "Be kind."}
    assert (asked["model"], answered.model) == ("gpt-x", "openai:gpt-x")
    assert answered.model_extra is not None
    assert answered.model_extra["lor3"]["prompt_version"] == "tone:v1"
    assert plain["model"] == "gpt-5-mini"
    names = {model.id for model in listed}
    assert {"prompt/tone", "openai:gpt-5-mini", "claude:opus", "openai:gpt-x", "anthropic:claude-x"} <= names
    assert (configured.id, alone.id) == ("openai:gpt-x", "openai:gpt-5-mini")
    assert (one.id, one.object, one.owned_by) == ("prompt/tone", "model", "lor3")
    assert one.created > 0


async def test_parameters_reach_the_wire_of_a_provider_that_takes_them(tmp_path: Path) -> None:
    """Each under its provider's name for it; a fallback that does not take one is passed over."""
    async with openai_api(tmp_path, primary="local:m", fallbacks=("openai:gpt-x",)) as api:
        await api.client.chat.completions.create(
            model="local:m", messages=HI, frequency_penalty=0.5, extra_body={"top_k": 40, "min_p": 0.1}
        )
        local = api.sent
        await api.client.chat.completions.create(
            model="anthropic:m", messages=HI, tools=TOOLS, parallel_tool_calls=False, reasoning_effort="low"
        )
        anthropic = api.sent
        passed = await api.client.chat.completions.create(
            model="openai:gpt-x",
            messages=HI,
            logit_bias={"7": 1},
            extra_body={"top_k": 4, "lor3": {"fallbacks": ["local:m"]}},
        )
        body: Any = {"prompt": "Hi", "model": "local:m"}
        async with api.server.client.post("/chat/explain", json=body) as explained:
            shown = (await explained.json())["request"]["parameters"]

    assert (local["frequency_penalty"], local["top_k"], local["min_p"]) == (0.5, 40, 0.1)
    assert anthropic["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert anthropic["output_config"] == {"effort": "low"}
    assert passed.model == "local:m"
    assert api.sent["logit_bias"] == {"7": 1}
    assert shown == {}


async def test_what_is_left_out_is_left_out(tmp_path: Path) -> None:
    """The SDK's own sign for it sends nothing, so nothing is passed on."""
    async with openai_api(tmp_path) as api:
        await api.client.chat.completions.create(model="openai:gpt-x", messages=HI, store=omit, top_p=None)

    assert set(api.sent) == {"model", "messages"}


async def test_a_key_gives_the_same_answer_again(tmp_path: Path) -> None:
    """Streamed or not, and however the chunks are to come."""
    key = {"Idempotency-Key": "k1"}
    async with openai_api(tmp_path) as api:
        first = await api.client.chat.completions.create(model="openai:gpt-x", messages=HI, extra_headers=key)
        again = await api.client.chat.completions.with_raw_response.create(
            model="openai:gpt-x", messages=HI, extra_headers=key
        )
        chunks = [
            chunk
            async for chunk in await api.client.chat.completions.create(
                model="openai:gpt-x",
                messages=HI,
                extra_headers=key,
                stream=True,
                stream_options={"include_usage": True},
            )
        ]

    assert len(api.upstream.received) == 1
    assert first == again.parse()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert {first.id} == {chunk.id for chunk in chunks}
    assert {first.created} == {chunk.created for chunk in chunks}
    assert chunks[-1].usage == first.usage


def _utc(seconds: int) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC).isoformat()[:19]
