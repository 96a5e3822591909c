"""Spans made of events, by OpenTelemetry's conventions for generative AI.

All of them are *Development* as of semantic-conventions 0.66. An event tells that something has ended and how long it
took, so a span is made whole at its end. One request is one trace: its server span, under it the chat, and under that
each pass, each attempt (the client span `chat {model}`) and the commit. Parents end after their children: their ids
are chosen when the first child comes.
"""

import json
import random
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from domain.redaction import redact
from domain.telemetry import (
    AttemptEnded,
    ChatAnswered,
    ChatLost,
    ChatRefused,
    ChatSaid,
    CommitEnded,
    Event,
    FallbackTaken,
    PassRan,
    RequestServed,
)

TOLD: Final = frozenset(
    (
        AttemptEnded,
        ChatAnswered,
        ChatLost,
        ChatRefused,
        ChatSaid,
        CommitEnded,
        FallbackTaken,
        PassRan,
        RequestServed,
    )
)
"""The events that spans are made of."""
_SCOPE: Final = InstrumentationScope("lor3")
_PARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
"""W3C Trace Context, level 1: version, trace id, parent id, flags; later versions may add to it."""
_OPERATIONS: Final = frozenset(("/healthz", "/readyz", "/metrics"))
_MAX_TRACES: Final = 5_000
"""Requests under way; of the one that has been silent for longest, what is still to come gets a trace of its own."""
_PROVIDERS: Final = {"gemini": "gcp.gemini", "google": "gcp.gemini", "mistral": "mistral_ai"}
"""Where the conventions' name differs from ours."""
_NS: Final = 1_000_000_000
Attributes = dict[str, AttributeValue]


@attrs.define
class _Trace:
    """One request under way."""

    trace_id: int
    caller_span_id: int | None
    sampled: bool
    server_span_id: int
    chat_span_id: int
    has_chat: bool = False
    """Whether something under the chat's span has come."""
    chat_ended: bool = False
    served: bool = False
    fallbacks: list[SpanEvent] = attrs.field(factory=list)
    said: Attributes = attrs.field(factory=dict)


@attrs.define
class SpanBuilder:
    """Made for one thread."""

    _resource: Resource
    _sample_ratio: float
    _content: bool
    _random: random.Random = attrs.field(factory=random.SystemRandom)
    _traces: "OrderedDict[str, _Trace]" = attrs.field(factory=OrderedDict, init=False)

    def take(
        self, event: Event, *, at_ns: int, monotonic_s: float, traceparent: str | None
    ) -> Sequence[ReadableSpan]:
        """The spans that `event` completes.

        Args:
            at_ns: when it came, in Unix time.
            monotonic_s: the same moment on the monotonic clock.
            traceparent: of the request's caller.
        """
        request_id: str = getattr(event, "request_id", "")
        if not request_id or (isinstance(event, RequestServed) and event.route in _OPERATIONS):
            return ()
        trace = self._trace(request_id, traceparent)
        span: ReadableSpan | None = None
        match event:
            case FallbackTaken():
                attributes = {
                    "from": str(event.from_model),
                    "to": str(event.to_model),
                    "reason": event.reason,
                }
                prefixed = {f"lor3.fallback.{name}": value for name, value in attributes.items()}
                trace.fallbacks.append(SpanEvent("fallback", attributes=prefixed, timestamp=at_ns))
            case ChatSaid():
                if self._content and trace.sampled:
                    trace.said = _messages(event)
            case PassRan():
                trace.has_chat = True
                name, start = f"pass {event.name}", at_ns - round((monotonic_s - event.started_s) * _NS)
                about: Attributes = {"lor3.pass": event.name, "gen_ai.request.model": event.model.model}
                span = self._span(trace, name, about, start, start + round(event.duration_s * _NS))
            case CommitEnded():
                trace.has_chat = True
                start = at_ns - round((monotonic_s - event.started_s) * _NS)
                end, error = start + round(event.duration_s * _NS), event.outcome
                span = self._span(trace, "commit", {}, start, end, error=None if error == "ok" else error)
            case AttemptEnded():
                trace.has_chat = True
                span = self._attempt(trace, event, at_ns)
            case ChatAnswered() | ChatRefused() | ChatLost():
                span = self._chat(trace, event, at_ns)
            case RequestServed():
                span = self._served(trace, event, at_ns)
        if trace.served and (trace.chat_ended or not trace.has_chat):
            del self._traces[request_id]
        return () if span is None else (span,)

    def _trace(self, request_id: str, traceparent: str | None) -> _Trace:
        trace = self._traces.get(request_id)
        if trace is None:
            while len(self._traces) >= _MAX_TRACES:
                self._traces.popitem(last=False)
            trace = self._traces[request_id] = self._begin(traceparent)
        else:
            self._traces.move_to_end(request_id)
        return trace

    def _begin(self, traceparent: str | None) -> _Trace:
        given = None if traceparent is None else _PARENT.fullmatch(traceparent)
        server, chat = self._span_id(), self._span_id()
        if given is not None and int(given[1], 16) and int(given[2], 16):
            sampled = bool(int(given[3], 16) & TraceFlags.SAMPLED)  # the caller has decided it
            return _Trace(int(given[1], 16), int(given[2], 16), sampled, server, chat)
        trace_id = self._random.getrandbits(128) or 1
        # As TraceIdRatioBased decides it, so that others who sample by the id come to the same answer.
        sampled = trace_id & ((1 << 64) - 1) < round(self._sample_ratio * (1 << 64))
        return _Trace(trace_id, None, sampled, server, chat)

    def _span_id(self) -> int:
        return self._random.getrandbits(64) or 1

    def _attempt(self, trace: _Trace, event: AttemptEnded, at_ns: int) -> ReadableSpan | None:
        model = event.model
        attributes: dict[str, AttributeValue | None] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider_name(model.provider),
            "gen_ai.request.model": model.model,
            "gen_ai.request.stream": event.stream or None,
            "gen_ai.response.id": event.response_id,
            "gen_ai.response.finish_reasons": None if event.finish_reason is None else (event.finish_reason,),
            "gen_ai.response.time_to_first_chunk": event.first_chunk_s,
            "gen_ai.usage.input_tokens": event.input_tokens,
            "gen_ai.usage.output_tokens": event.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": event.cached_input_tokens or None,
            "http.response.status_code": event.status,
            "lor3.retry": event.retry or None,
        }
        start = at_ns - round(event.duration_s * _NS)
        error = None if event.outcome == "ok" else event.outcome
        return self._span(
            trace, f"chat {model.model}", attributes, start, at_ns, kind=SpanKind.CLIENT, error=error
        )

    def _chat(
        self, trace: _Trace, event: ChatAnswered | ChatRefused | ChatLost, at_ns: int
    ) -> ReadableSpan | None:
        if trace.chat_ended:
            return None  # a chat that was lost is refused too
        if isinstance(event, ChatLost):
            trace.said["lor3.lost"] = True  # its refusal follows, or came before
            return None
        trace.has_chat = trace.chat_ended = True
        attributes: dict[str, AttributeValue | None] = {
            **trace.said,
            "gen_ai.operation.name": "chat",
            "lor3.request_id": event.request_id,
            "lor3.tenant": event.tenant,
            "lor3.key_id": event.key_id,
            "lor3.attempts": event.attempts,
        }
        if isinstance(event, ChatAnswered):
            usage = event.usage
            attributes |= {
                "gen_ai.provider.name": provider_name(event.model.provider),
                "gen_ai.response.model": event.model.model,
                "gen_ai.conversation.id": event.thread_id,
                "gen_ai.response.time_to_first_chunk": event.first_token_s,
                "gen_ai.usage.input_tokens": usage.input_tokens,
                "gen_ai.usage.output_tokens": usage.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens or None,
                "lor3.message_id": event.message_id,
                "lor3.prompt_version": event.prompt_version,
                "lor3.stream": event.stream,
                "lor3.overhead_s": event.overhead_s,
                "lor3.cost_usd": None if event.cost_usd is None else float(event.cost_usd),
            }
        error = event.code if isinstance(event, ChatRefused) else None
        return self._span(
            trace,
            "chat",
            attributes,
            at_ns - round(event.duration_s * _NS),
            at_ns,
            error=error,
            span_id=trace.chat_span_id,
            parent_id=trace.server_span_id,
            events=trace.fallbacks,
        )

    def _served(self, trace: _Trace, event: RequestServed, at_ns: int) -> ReadableSpan | None:
        trace.served = True
        attributes: Attributes = {
            "http.request.method": event.method,
            "http.route": event.route,
            "http.response.status_code": event.status,
            "lor3.request_id": event.request_id,
        }
        return self._span(
            trace,
            f"{event.method} {event.route}",
            attributes,
            at_ns - round(event.duration_s * _NS),
            at_ns,
            kind=SpanKind.SERVER,
            error=str(event.status) if event.status >= 500 else None,
            span_id=trace.server_span_id,
            parent_id=trace.caller_span_id,
        )

    def _span(
        self,
        trace: _Trace,
        name: str,
        attributes: Mapping[str, AttributeValue | None],
        start_ns: int,
        end_ns: int,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        error: str | None = None,
        span_id: int | None = None,
        parent_id: int | None = -1,
        events: Sequence[SpanEvent] = (),
    ) -> ReadableSpan | None:
        """
        Args:
            parent_id: the chat's where it is left out; None for a root.
        """
        if not trace.sampled:
            return None
        flags = TraceFlags(TraceFlags.SAMPLED)
        if parent_id == -1:
            parent_id = trace.chat_span_id
        parent: SpanContext | None = None
        if parent_id is not None:
            remote = parent_id == trace.caller_span_id
            parent = SpanContext(trace.trace_id, parent_id, is_remote=remote, trace_flags=flags)
        known = {key: value for key, value in attributes.items() if value is not None}
        if error is not None:
            known["error.type"] = error
        return ReadableSpan(
            name=name,
            context=SpanContext(
                trace.trace_id, span_id or self._span_id(), is_remote=False, trace_flags=flags
            ),
            parent=parent,
            resource=self._resource,
            attributes=known,
            events=events,
            kind=kind,
            status=Status(StatusCode.UNSET) if error is None else Status(StatusCode.ERROR),
            start_time=start_ns,
            end_time=max(start_ns, end_ns),
            instrumentation_scope=_SCOPE,
        )


def provider_name(provider: str) -> str:
    """As the conventions call it; what they do not know keeps its name."""
    return _PROVIDERS.get(provider, provider)


def _messages(event: ChatSaid) -> Attributes:
    def message(role: str, text: str) -> dict[str, object]:
        return {"role": role, "parts": [{"type": "text", "content": redact(text)}]}

    asked = [message(role, text) for role, text in event.prompt]
    answered = [message("assistant", event.answer)]
    return {
        "gen_ai.input.messages": json.dumps(asked, ensure_ascii=False),
        "gen_ai.output.messages": json.dumps(answered, ensure_ascii=False),
    }
