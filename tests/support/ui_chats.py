"""A client that keeps its messages as `useChat` of the AI SDK does, and asks as its `DefaultChatTransport` does."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import quote

import aiohttp
import attrs

UIMessage: TypeAlias = dict[str, Any]
UIPart: TypeAlias = dict[str, Any]


def parts_of(raw: bytes) -> list[UIPart]:
    """The parts of a stream that has ended as it has to."""
    frames = [each for each in raw.decode().split("\n\n") if each and not each.startswith(":")]
    assert raw.endswith(b"data: [DONE]\n\n"), raw
    assert all(each.startswith("data: ") and "\n" not in each for each in frames), raw
    return [json.loads(each.removeprefix("data: ")) for each in frames[:-1]]


def user(text: str, name: str = "u") -> UIMessage:
    return {"id": name, "role": "user", "parts": [{"type": "text", "text": text}]}


def message_of(parts: Sequence[UIPart], begun: UIMessage | None = None) -> UIMessage:
    """What the client shows of them, as `processUIMessageStream` makes it."""
    message: UIMessage = begun or {"id": "client", "role": "assistant", "parts": []}
    shown = message["parts"]
    for part in parts:
        kind = part["type"]
        if kind == "start":
            message["id"] = part["messageId"]
        elif kind == "start-step":
            shown.append({"type": "step-start"})
        elif kind == "reset-step":
            while shown[-1]["type"] != "step-start":
                shown.pop()
        elif kind == "text-start":
            shown.append({"type": "text", "text": ""})
        elif kind == "text-delta":
            shown[-1]["text"] += part["delta"]
        elif kind == "tool-input-available":
            call = {"type": f"tool-{part['toolName']}", "toolCallId": part["toolCallId"]}
            shown.append({**call, "state": "input-available", "input": part["input"]})
    return message


def text_of(message: UIMessage) -> str:
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


@attrs.define(kw_only=True)
class UIClient:
    """One chat. Its user's messages have ids of its own: u1, u2 …"""

    client: aiohttp.ClientSession
    id: str = "chat"
    version: str | None = "7"
    lor3: dict[str, Any] = attrs.field(factory=dict)
    messages: list[UIMessage] = attrs.field(factory=list)
    sent: int = 0
    problem: dict[str, Any] = attrs.field(factory=dict)
    """The last one."""

    @property
    def path(self) -> str:
        return f"/ui/chat/{quote(self.id, safe='')}"

    @property
    def texts(self) -> list[str]:
        return [text_of(each) for each in self.messages]

    async def send(self, text: str, *, instead_of: str | None = None) -> int:
        """The status. As `sendMessage`: with the id of an earlier message it takes its place."""
        if instead_of is None:
            self.sent += 1
            self.messages.append(user(text, f"u{self.sent}"))
        else:
            at = next(index for index, each in enumerate(self.messages) if each["id"] == instead_of)
            self.messages[at:] = [user(text, instead_of)]
        return await self.post("submit-message", instead_of)

    async def regenerate(self, message_id: str | None = None) -> int:
        names = [each["id"] for each in self.messages]
        at = len(names) - 1 if message_id is None else names.index(message_id)
        del self.messages[at + (self.messages[at]["role"] != "assistant") :]
        return await self.post("regenerate-message", message_id)

    async def give_outputs(self, output: Any) -> int:
        """Of all tools that the last message calls; then it is sent."""
        last = self.messages[-1]
        for part in last["parts"]:
            if part.get("state") == "input-available":
                part |= {"state": "output-available", "output": output}
        return await self.post("submit-message", last["id"])

    def body(self, trigger: str, message_id: str | None, **fields: Any) -> dict[str, Any]:
        body: dict[str, Any] = {"lor3": self.lor3} if self.lor3 else {}
        body |= {"id": self.id, "messages": self.messages, "trigger": trigger, **fields}
        return body if message_id is None else body | {"messageId": message_id}

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.version is None else {"x-lor3-ai-sdk": self.version}

    async def post(self, trigger: str, message_id: str | None, **headers: str) -> int:
        body = self.body(trigger, message_id)
        async with self.client.post("/ui/chat", json=body, headers=self.headers | headers) as response:
            raw = await response.read()
        if response.status != 200:
            self.problem = json.loads(raw)
            return response.status
        goes_on = trigger == "submit-message" and self.messages[-1]["role"] == "assistant"
        shown = message_of(parts_of(raw), self.messages.pop() if goes_on else None)
        self.messages.append(shown)
        return 200

    async def stored(self) -> dict[str, Any]:
        async with self.client.get(f"{self.path}/messages") as response:
            assert response.status == 200, await response.read()
            found: dict[str, Any] = await response.json()
            return found

    @asynccontextmanager
    async def streaming(self, text: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """A message whose answer is being made. Leaving leaves it."""
        self.sent += 1
        self.messages.append(user(text, f"u{self.sent}"))
        body = self.body("submit-message", None)
        async with self.client.post("/ui/chat", json=body, headers=self.headers) as response:
            assert response.status == 200, await response.read()
            yield response
            if not response.content.at_eof():
                response.close()

    async def resumed(self) -> list[UIPart] | None:
        """The parts of the answer that is being made, up to its end; None where none is."""
        async with self.client.get(f"{self.path}/stream", headers=self.headers) as response:
            assert response.status in (200, 204), await response.read()
            return None if response.status == 204 else parts_of(await response.read())

    async def stop(self) -> tuple[int, dict[str, Any]]:
        async with self.client.post(f"{self.path}/stop") as response:
            return response.status, await response.json()
