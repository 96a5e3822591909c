"""Runs the configured passes in order and keeps the trace."""

from domain.chat import ChatRequest
from domain.passes.compiler_pass import Pass, Target
from domain.values import frozen, maker


@frozen(kw_only=True)
class TraceStep:
    """One pass: the request before and after it, and what it said."""

    name: str
    before: ChatRequest
    after: ChatRequest
    notes: tuple[str, ...]


@frozen(kw_only=True)
class Compiled:
    """A request ready to be lowered for one target."""

    request: ChatRequest
    warnings: tuple[str, ...]
    trace: tuple[TraceStep, ...]


_compiled = maker(Compiled)


def compile_request(
    passes: tuple[Pass, ...], request: ChatRequest, target: Target, *, keep_trace: bool = True
) -> Compiled:
    """Folds `passes` over `request`. Without `keep_trace` the trace stays empty: only explain reads it.

    Raises:
        InvalidRequest: whatever a pass raises; later passes do not run.
    """
    steps: list[TraceStep] = []
    warnings: tuple[str, ...] = ()
    for each in passes:
        rewrite = each.run(request, target)
        if keep_trace:
            steps.append(
                TraceStep(name=each.name, before=request, after=rewrite.request, notes=rewrite.notes)
            )
        if rewrite.warnings:
            warnings += rewrite.warnings
        request = rewrite.request
    return _compiled(request=request, warnings=warnings, trace=tuple(steps))
