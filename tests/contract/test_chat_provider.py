"""Every provider that ships keeps the contract of its port."""

from collections.abc import AsyncIterator

import attrs
import pytest

from adapters.in_memory.scripted_provider import ScriptedProvider
from adapters.providers.anthropic.provider import create as create_anthropic
from adapters.providers.demo.provider import create as create_demo
from adapters.providers.openai.provider import create as create_openai
from adapters.providers.openai.provider import create_compatible
from adapters.testing.chat_provider_suite import ChatProviderSuite, ProviderBench
from application.ports.chat_provider import ChatProvider, ProviderConfig, TransportName
from domain.chat import AnswerStarted, TextDelta
from domain.errors import FailureKind, ProviderFailure
from domain.secret import Secret
from tests.support import wire_upstream as wire

_STATUS: dict[FailureKind, int] = {
    "rate_limited": 429,
    "overloaded": 503,
    "server_error": 500,
    "auth": 401,
    "bad_request": 400,
}


@attrs.define
class WireBench(ProviderBench):
    """A provider over HTTP and the server that plays its vendor."""

    provider: ChatProvider
    upstream: wire.WireUpstream

    def will_say(self, text: str) -> bool:
        self.upstream.reply = wire.faithful(text)
        return True

    def will_fail(self, kind: FailureKind) -> bool:
        self.upstream.reply = wire.json_answer({"error": {"message": "no"}}, status=_STATUS[kind])
        return True

    def will_be_cut(self) -> bool:
        self.upstream.reply = wire.sse(self._beginning(), then="cut")
        return True

    def will_hang(self) -> bool:
        self.upstream.reply = wire.sse(self._beginning(), then="hang")
        return True

    def _beginning(self) -> list[bytes]:
        frames = wire.anthropic_frames if self.provider.name == "anthropic" else wire.openai_frames
        return frames("Never to be finished")[:5]


class _OnTheWire(ChatProviderSuite):
    kind = "openai"
    transport: TransportName = "direct"

    @pytest.fixture
    async def bench(self) -> AsyncIterator[ProviderBench]:
        factory = {
            "openai": create_openai,
            "openai-compatible": create_compatible,
            "anthropic": create_anthropic,
        }[self.kind]
        async with wire.wire_upstream() as upstream:
            base = upstream.url if self.kind == "anthropic" else f"{upstream.url}/v1"
            provider = factory(
                ProviderConfig(
                    name=self.kind,
                    kind=self.kind,
                    api_key=Secret("sk-contract"),
                    base_url=base,
                    transport=self.transport,
                )
            )
            yield WireBench(provider, upstream)
            await provider.aclose()


class TestOpenAIDirect(_OnTheWire):
    """OpenAI over lor3's own transport."""


class TestOpenAISDK(_OnTheWire):
    """OpenAI through its SDK."""

    transport = "sdk"


class TestOpenAICompatible(_OnTheWire):
    """Any server with OpenAI's wire."""

    kind = "openai-compatible"


class TestAnthropicDirect(_OnTheWire):
    """Anthropic over lor3's own transport."""

    kind = "anthropic"


class TestAnthropicSDK(_OnTheWire):
    """Anthropic through its SDK."""

    kind = "anthropic"
    transport = "sdk"


@attrs.define
class DemoBench(ProviderBench):
    """The demonstration can't be told what to say, nor to fail."""

    provider: ChatProvider

    def will_say(self, text: str) -> bool:
        return False

    def will_fail(self, kind: FailureKind) -> bool:
        return False

    def will_be_cut(self) -> bool:
        return False

    def will_hang(self) -> bool:
        return False


class TestDemo(ChatProviderSuite):
    """The provider that needs nothing."""

    @pytest.fixture
    def bench(self) -> ProviderBench:
        return DemoBench(create_demo(ProviderConfig(name="demo", kind="demo")))


@attrs.define
class ScriptedBench(ProviderBench):
    """The fake that ships for testers."""

    provider: ScriptedProvider

    def will_say(self, text: str) -> bool:
        self.provider.script(text)
        return True

    def will_fail(self, kind: FailureKind) -> bool:
        self.provider.script(ProviderFailure(kind, "scripted"))
        return True

    def will_be_cut(self) -> bool:
        self.provider.script([AnswerStarted(), TextDelta("Never to be")])
        return True

    def will_hang(self) -> bool:
        return False


class TestScripted(ChatProviderSuite):
    """The fake keeps the contract of the real ones."""

    @pytest.fixture
    def bench(self) -> ProviderBench:
        return ScriptedBench(ScriptedProvider(["Hello there!"]))
