"""Compiles a request for one model, off the event loop where that takes long."""

import asyncio
from collections.abc import Mapping

import attrs

from application.services.pass_spans import PassSpans
from application.services.token_notes import RecordingMeter, TokenNotes
from domain.chat import ChatRequest
from domain.model import ModelSpec
from domain.output.formatter import Formatter
from domain.passes.compiler_pass import Pass, Target, TokenMeter
from domain.passes.manager import Compiled, compile_request
from domain.passes.prompt_size import prompt_bound
from domain.passes.token_budget import needs_counting
from domain.values import frozen, maker

_target = maker(Target)


@frozen(kw_only=True)
class Compilation:
    """The configured passes, with what they may know."""

    passes: tuple[Pass, ...]
    formatters: Mapping[str, Formatter]
    meter: TokenMeter
    notes: TokenNotes | None = None
    """Keeps what had to be counted of stored messages; None lets it be counted each time."""
    pass_spans: PassSpans | None = None
    """Tells how long each pass took, where somebody wants to know."""

    async def compile_for(
        self, request: ChatRequest, spec: ModelSpec, *, keep_trace: bool = False
    ) -> Compiled:
        """Runs the passes for `spec`; `keep_trace` is for explaining.

        Raises:
            InvalidRequest: the request can't be compiled for this model.
        """
        formatter = self.formatters[request.format]
        if self.pass_spans is not None:
            with self.pass_spans.timed(self.passes, spec.ref) as passes:
                timed = attrs.evolve(self, passes=passes, pass_spans=None)
                return await timed.compile_for(request, spec, keep_trace=keep_trace)
        bound = None if spec.context_window is None else prompt_bound(request, spec.count_margin)
        target = _target(
            spec=spec,
            meter=self.meter,
            formatter=formatter,
            explains=keep_trace,
            bound=None if bound is None else (request, bound),
        )
        if bound is not None and needs_counting(request, spec, bound):
            memory, notes = request.memory, self.notes
            if memory is None or notes is None or keep_trace:
                return await self._in_a_thread(request, target, keep_trace=keep_trace)
            meter = RecordingMeter(self.meter)
            try:
                return await self._in_a_thread(request, attrs.evolve(target, meter=meter), keep_trace=False)
            finally:
                notes.note(memory, meter, spec)
        return compile_request(self.passes, request, target, keep_trace=keep_trace)

    async def _in_a_thread(self, request: ChatRequest, target: Target, *, keep_trace: bool) -> Compiled:
        """Counting a long text takes milliseconds, loading an encoding a quarter of a second."""
        return await asyncio.to_thread(compile_request, self.passes, request, target, keep_trace=keep_trace)
