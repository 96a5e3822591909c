"""Folds a provider's events into a whole answer."""

import json
from collections.abc import Sequence
from typing import Final, TypeAlias

import attrs

from domain.chat import (
    AnswerFinished,
    AnswerStarted,
    FinishReason,
    ProviderEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from domain.message import ToolCall

Content: TypeAlias = TextDelta | ToolCallDelta
_CONTENT: Final = (TextDelta, ToolCallDelta)


@attrs.define
class _GrowingCall:
    id: str | None = None
    name: str | None = None
    arguments: list[str] = attrs.field(factory=list)


@attrs.define
class Transcript:
    """What one attempt has said so far. Deltas are joined byte for byte, never de-duplicated."""

    _texts: list[str] = attrs.field(factory=list)
    _calls: dict[int, _GrowingCall] = attrs.field(factory=dict)
    reported: UsageReported | None = None
    finish_reason: FinishReason | None = None
    response_id: str | None = None

    def take(self, batch: Sequence[ProviderEvent]) -> Sequence[Content]:
        """Takes note of all of it; returns what of it is content, in its order."""
        texts = self._texts
        others = 0
        for event in batch:
            if type(event) is TextDelta:
                texts.append(event.text)
            elif type(event) is AnswerFinished:
                self.finish_reason = event.reason
                others += 1
            elif type(event) is UsageReported:
                self.reported = event
                others += 1
            elif type(event) is AnswerStarted:
                self.response_id = event.response_id
                others += 1
            else:
                others += not self._note(event)
        if not others:
            return batch  # type: ignore[return-value]  # nothing else is in it
        if others == len(batch):
            return ()
        return [event for event in batch if isinstance(event, _CONTENT)]

    def _note(self, event: ProviderEvent) -> bool:
        """Whether it is content."""
        if isinstance(event, ToolCallDelta):
            call = self._calls.setdefault(event.index, _GrowingCall())
            call.id = call.id or event.id
            call.name = call.name or event.name
            call.arguments.append(event.arguments)
            return True
        if isinstance(event, TextDelta):  # a provider's own kind of it
            self._texts.append(event.text)
            return True
        if isinstance(event, UsageReported):
            self.reported = event
        elif isinstance(event, AnswerFinished):
            self.finish_reason = event.reason
        else:
            self.response_id = event.response_id
        return False

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def has_content(self) -> bool:
        return bool(self._texts or self._calls)

    @property
    def most_tokens(self) -> int:
        """What all that was said can have been at most: a token has a byte at least."""
        said = len(self.text.encode(errors="surrogatepass"))
        for call in self._calls.values():
            said += sum(
                len(each.encode(errors="surrogatepass")) for each in (call.name or "", *call.arguments)
            )
        return said

    @property
    def reported_tokens(self) -> int | None:
        """Of the answer, as the provider counted them."""
        return None if self.reported is None else self.reported.output_tokens

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """In the order of their index. `complete` is False where the answer was cut inside the last one, or a piece of
        the arguments never came: what is no JSON is shown as it is, and must not be run."""
        if not self._calls:
            return ()
        cut = self.finish_reason in (None, "length")
        last = max(self._calls)
        calls: list[ToolCall] = []
        for index, call in sorted(self._calls.items()):
            arguments = "".join(call.arguments)
            complete = not (cut and index == last) and _is_whole(arguments)
            calls.append(
                ToolCall(id=call.id or "", name=call.name or "", arguments=arguments, complete=complete)
            )
        return tuple(calls)


def _is_whole(arguments: str) -> bool:
    if not arguments:
        return True  # some servers say nothing where a function takes nothing
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True
