"""A provider that keeps books: every answer it gave, and what it asks for it."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final

import attrs
from aiohttp import web

MODEL: Final = "gpt-5-mini"
INPUT_PER_MTOK: Final = Decimal("2.5")
OUTPUT_PER_MTOK: Final = Decimal(10)
_FAILS: Final = 0.02
_BREAKS: Final = 0.15
"""Of streams, in the middle of their text."""
_WORDS: Final = (
    "answer",
    "naïve",
    "Straße",
    "日本語",
    "🙂",
    "tab\t",
    'quote"',
    "back\\slash",
    "line\n",
    "\u2028",
    "end",
)


@attrs.frozen(kw_only=True)
class Call:
    """One answer as it was given."""

    number: int
    nonce: str
    """The first word of the last message: which request it was for."""
    text: str
    """Like that of no other call."""
    input_tokens: int
    output_tokens: int

    @property
    def response_id(self) -> str:
        return f"chatcmpl-{self.number}"

    @property
    def cost_usd(self) -> Decimal:
        return cost_usd(self.input_tokens, self.output_tokens)


def cost_usd(input_tokens: int, output_tokens: int) -> Decimal:
    return (INPUT_PER_MTOK * input_tokens + OUTPUT_PER_MTOK * output_tokens) / 1_000_000


@attrs.define
class Upstream:
    """Speaks OpenAI's chat completions, whole and streamed; now and then it fails before it answers, or breaks off."""

    _random: random.Random
    calls: list[Call] = attrs.field(factory=list)
    failures: int = 0
    breaks: int = 0
    url: str = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Upstream"]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        await asyncio.sleep(self._random.uniform(0.0, 0.05))
        if self._random.random() < _FAILS:
            self.failures += 1
            return web.json_response({"error": {"message": "later", "type": "overloaded"}}, status=503)
        call = self._give(body)
        usage = {
            "prompt_tokens": call.input_tokens,
            "completion_tokens": call.output_tokens,
            "total_tokens": call.input_tokens + call.output_tokens,
        }
        common = {"id": call.response_id, "created": 1_790_000_000, "model": MODEL}
        if not body.get("stream"):
            message = {"role": "assistant", "content": call.text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response(
                common | {"object": "chat.completion", "choices": [choice], "usage": usage}
            )
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        cut = len(call.text) // 3
        deltas: list[dict[str, Any]] = [
            {"role": "assistant", "content": ""},
            *(
                {"content": piece}
                for piece in (call.text[:cut], call.text[cut : 2 * cut], call.text[2 * cut :])
            ),
        ]
        breaks_after = self._random.randint(2, 3) if self._random.random() < _BREAKS else None
        chunks: list[dict[str, Any]] = [
            *({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas),
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": usage},
        ]
        with contextlib.suppress(ConnectionError):  # who asked was killed
            await response.prepare(request)
            for number, chunk in enumerate(chunks):
                if number == breaks_after:
                    self.breaks += 1
                    if request.transport is not None:
                        request.transport.close()
                    return response
                line = json.dumps(common | {"object": "chat.completion.chunk"} | chunk)
                await response.write(f"data: {line}\n\n".encode())
                await asyncio.sleep(self._random.uniform(0.0, 0.01))
            await response.write(b"data: [DONE]\n\n")
        return response

    def _give(self, body: dict[str, Any]) -> Call:
        content = body["messages"][-1]["content"]
        prompt = content if isinstance(content, str) else content[0]["text"]
        nonce = prompt.partition(" ")[0]
        number = len(self.calls)
        words = " ".join(self._random.choices(_WORDS, k=self._random.randint(1, 60)))
        call = Call(
            number=number,
            nonce=nonce,
            text=f"{nonce} call {number} {words} end",
            input_tokens=sum(len(str(message["content"])) for message in body["messages"]),
            output_tokens=len(words),
        )
        self.calls.append(call)
        return call
