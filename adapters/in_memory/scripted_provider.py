"""A provider that says what a test tells it to."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import attrs

from application.ports.chat_provider import ProviderCall, Timeouts, WireRequest
from domain.chat import AnswerFinished, AnswerStarted, ProviderEvent, TextDelta, UsageReported
from domain.errors import ProviderFailure

Script: TypeAlias = "str | Sequence[ProviderEvent | ProviderFailure] | ProviderFailure"
"""One answer: a text; the events as they come, a failure among them raised at its place; or a failure at once."""

ScriptedAnswer: TypeAlias = "Script | Callable[[ProviderCall], Script]"
"""An answer, or a function that makes one from the call."""


@attrs.define
class ScriptedProvider:
    """Gives `answers` in turn, the last one again and again, and records every call in `calls`.

    A text answer is finished with `stop` and reports a word as a token. With no answers at all it echoes the user.
    """

    answers: Iterable[ScriptedAnswer] = ()
    name: str = attrs.field(default="scripted", kw_only=True)
    timeouts: Timeouts = attrs.field(default=Timeouts(), kw_only=True)
    calls: list[ProviderCall] = attrs.field(factory=list, init=False)
    """Every call that was opened, oldest first."""
    is_closed: bool = attrs.field(default=False, init=False)
    _left: list[ScriptedAnswer] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._left = list(self.answers)

    def script(self, *answers: ScriptedAnswer) -> None:
        """Replaces the answers still to come."""
        self._left = list(answers)

    def lower(self, call: ProviderCall) -> WireRequest:
        """Nothing is sent: the body shows what a test may want to see."""
        request = call.request
        turns = [
            {"role": message.role, "content": message.text}
            for message in (*request.prelude, *request.history, *request.messages)
        ]
        return WireRequest(
            method="POST",
            url="scripted:answer",
            body={
                "model": call.spec.ref.model,
                "system": request.system,
                "messages": turns,
                "stream": call.stream,
            },
        )

    @asynccontextmanager
    async def open(self, call: ProviderCall) -> AsyncIterator[AsyncIterator[Sequence[ProviderEvent]]]:
        self.calls.append(call)
        if self.is_closed:
            raise ProviderFailure("connection_lost", "the scripted provider is closed")
        script = self._next(call)
        if isinstance(script, ProviderFailure):
            raise script
        events = _play(_as_events(script, call))
        try:
            yield events
        finally:
            await events.aclose()

    def refused_parameters(self, names: Collection[str]) -> frozenset[str]:
        """None: it takes all."""
        return frozenset()

    async def aclose(self) -> None:
        self.is_closed = True

    def _next(self, call: ProviderCall) -> Script:
        if not self._left:
            return call.request.messages[-1].text if call.request.messages else ""
        answer = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        return answer(call) if callable(answer) else answer


def _as_events(script: Script, call: ProviderCall) -> Sequence[ProviderEvent | ProviderFailure]:
    if isinstance(script, ProviderFailure):
        return (script,)
    if not isinstance(script, str):
        return script
    request = call.request
    words = script.split(" ")
    pieces = (
        [word if number == 0 else f" {word}" for number, word in enumerate(words)]
        if call.stream
        else [script]
    )
    prompt = " ".join(message.text for message in (*request.prelude, *request.history, *request.messages))
    return (
        AnswerStarted(response_id="scripted", model=call.spec.ref.model),
        *(TextDelta(piece) for piece in pieces if piece),
        UsageReported(
            input_tokens=len(f"{request.system or ''} {prompt}".split()), output_tokens=len(script.split())
        ),
        AnswerFinished(reason="stop"),
    )


async def _play(
    events: Sequence[ProviderEvent | ProviderFailure],
) -> AsyncGenerator[Sequence[ProviderEvent], None]:
    for event in events:
        if isinstance(event, ProviderFailure):
            raise event
        yield (event,)
