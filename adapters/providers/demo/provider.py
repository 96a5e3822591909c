"""A provider that needs no key and no network: it shows what lor3 does before anything is configured."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final

from adapters.providers.demo.answer import answer, asked, prompt_words, tool_to_call, words_of
from adapters.providers.openai.parameters import DOCUMENTED
from application.ports.chat_provider import ProviderCall, ProviderConfig, Timeouts, WireRequest
from domain.chat import AnswerFinished, AnswerStarted, ProviderEvent, TextDelta, ToolCallDelta, UsageReported
from domain.errors import ConfigurationError, Fault
from domain.values import frozen

_MAX_DELAY_S: Final = 10.0


def create(config: ProviderConfig) -> "DemoProvider":
    """Option: `delay_s` (0), the pause before each word of a stream.

    Raises:
        ConfigurationError: an option that is unknown, or a delay that is no number from 0 to 10.
    """
    path = f"providers.{config.name}"
    faults = [
        Fault(path=f"{path}.{unknown}", message="is not an option of kind `demo`; options: delay_s")
        for unknown in sorted(set(config.options) - {"delay_s"})
    ]
    delay_s = config.options.get("delay_s", 0)
    if isinstance(delay_s, bool) or not isinstance(delay_s, (int, float)) or not 0 <= delay_s <= _MAX_DELAY_S:
        faults.append(Fault(path=f"{path}.delay_s", message="is not a number of seconds from 0 to 10"))
        delay_s = 0
    if faults:
        raise ConfigurationError.of(*faults)
    return DemoProvider(name=config.name, timeouts=config.timeouts, delay_s=float(delay_s))


@frozen(kw_only=True)
class DemoProvider:
    """Gives the same request the same answer every time; a token is a word."""

    name: str = "demo"
    timeouts: Timeouts = Timeouts()
    delay_s: float = 0.0

    def lower(self, call: ProviderCall) -> WireRequest:
        """Nothing is sent: the URL's scheme is one that no network knows."""
        return WireRequest(
            method="POST",
            url="demo:answer",
            body={"model": call.spec.ref.model, "text": asked(call.request), "stream": call.stream},
        )

    @asynccontextmanager
    async def open(self, call: ProviderCall) -> AsyncIterator[AsyncIterator[Sequence[ProviderEvent]]]:
        events = self._events(call)
        try:
            yield events
        finally:
            await events.aclose()

    async def _events(self, call: ProviderCall) -> AsyncGenerator[Sequence[ProviderEvent], None]:
        request = call.request
        text, finish = answer(request)
        words = words_of(text)
        tool = tool_to_call(request)
        yield (AnswerStarted(response_id="demo", model=call.spec.ref.model),)
        if tool is not None:
            called = ToolCallDelta(index=0, id="call_demo_1", name=tool.name)
            yield (called, ToolCallDelta(index=0, arguments=text))
        elif call.stream:
            for word in words:
                await asyncio.sleep(self.delay_s)
                yield (TextDelta(word),)
        elif text:
            yield (TextDelta(text),)
        yield (
            UsageReported(input_tokens=prompt_words(request), output_tokens=len(words)),
            AnswerFinished(reason=finish),
        )

    def refused_parameters(self, names: Collection[str]) -> frozenset[str]:
        """Those that OpenAI would refuse, so that a typo shows; of the others it minds none."""
        return frozenset(names) - DOCUMENTED

    async def aclose(self) -> None:
        """There is nothing to close."""
