"""Fits a request into the target model's window."""

from typing import Final

import attrs

from domain.chat import ChatRequest
from domain.errors import ContextTooLong, Fault
from domain.message import Message
from domain.model import ModelSpec
from domain.passes.compiler_pass import Rewrite, Target, rewritten
from domain.passes.prompt_size import PromptSize, count_prompt, prompt_bound, schema_bytes
from domain.passes.turns import oldest_first
from domain.summary_turn import is_summary_turn
from domain.values import frozen

DEFAULT_ANSWER_TOKENS: Final = 4096
"""Kept free for the answer where the caller sets no `max_tokens`: a long page of text.

Never more than a quarter of the window, so that small models keep room for a prompt, nor more than the model
can write. The request's own `max_tokens` stays unset.
"""
_SHORT_ANSWER_TOKENS: Final = 256
"""What a prompt that can't be trimmed must leave, where the caller sets no `max_tokens`."""
_INSTRUCTION_BYTES: Final = 1024
"""More than any formatter's instruction, which a later pass may add."""


@frozen
class TokenBudgetCheck:
    """Trims `history` oldest first, in whole turns, until prompt and answer fit; never the rest.

    A summary of the thread stays, unless it alone leaves no room: then it goes before any turn does.

    A `max_tokens` above what the model can write is lowered, with a warning. A token is at least one byte, so a
    prompt whose UTF-8 length fits is not counted at all; stored messages bring their count with them.

    Raises (from `run`):
        ContextTooLong: system prompt, tools, `messages` and `max_tokens` alone exceed the window.
    """

    name: str = attrs.field(default="token-budget-check", init=False)

    def run(self, request: ChatRequest, target: Target) -> Rewrite:
        spec = target.spec
        warnings: tuple[str, ...] = ()
        limit = spec.max_output_tokens
        if limit is not None and request.max_tokens is not None and request.max_tokens > limit:
            warnings = (
                f"max_tokens was lowered from {request.max_tokens} to {limit}, the most `{spec.ref}` can write",
            )
            request = attrs.evolve(request, max_tokens=limit)
        window = spec.context_window
        if window is None:
            return Rewrite(
                request=request,
                notes=(f"The window of `{spec.ref}` is unknown, so nothing is enforced.",),
                warnings=warnings,
            )
        reserve = _reserve(request, spec, window)
        known = target.bound
        if known is not None and known[0] is request:
            bound = known[1]
        else:
            bound = prompt_bound(request, spec.count_margin)
        if bound + reserve <= window:
            if not target.explains:
                return rewritten(request, (), warnings)
            return Rewrite(
                request=request,
                notes=(
                    f"At most {bound} tokens by length, and {reserve} for the answer, fit {window}: not counted.",
                ),
                warnings=warnings,
            )
        return _fit(request, target, window, reserve, warnings)


def needs_counting(request: ChatRequest, spec: ModelSpec, bound: int | None = None) -> bool:
    """Whether compiling `request` for `spec` will count tokens, which takes milliseconds on long texts.

    Pure and fast. Allows for what the format pass adds, so False means that no pass will count.

    Args:
        bound: the request's `prompt_bound` for `spec`, where it is known.
    """
    window = spec.context_window
    if window is None:
        return False
    if bound is None:
        bound = prompt_bound(request, spec.count_margin)
    size = bound + _reserve(request, spec, window) + _INSTRUCTION_BYTES
    if request.schema is not None:
        size += 2 * schema_bytes(request.schema)  # once as a native constraint, once as an instruction
    return size > window


def _reserve(request: ChatRequest, spec: ModelSpec, window: int) -> int:
    limit = spec.max_output_tokens
    if request.max_tokens is not None:
        return request.max_tokens if limit is None else min(request.max_tokens, limit)
    reserve = min(DEFAULT_ANSWER_TOKENS, window // 4)
    return reserve if limit is None else min(reserve, limit)


def _fit(
    request: ChatRequest, target: Target, window: int, reserve: int, warnings: tuple[str, ...]
) -> Rewrite:
    size = count_prompt(request, target.spec, target.meter)
    floor = reserve if request.max_tokens is not None else min(reserve, _SHORT_ANSWER_TOKENS)
    tokens = size.fixed + sum(size.history)
    turns = oldest_first(request.history, request.messages)
    dropped: set[int] = set()
    untrimmable = tokens - sum(size.history[index] for turn in turns for index in turn)
    if untrimmable + floor > window:
        dropped = {index for index, each in enumerate(request.history) if is_summary_turn(each)}
        tokens -= sum(size.history[index] for index in dropped)
    for turn in turns:
        if tokens + reserve <= window:
            break
        tokens -= sum(size.history[index] for index in turn)
        dropped.update(turn)
    if tokens + floor > window:
        raise _too_long(request, target.spec, window, floor, size, tokens)
    kept = tuple(message for index, message in enumerate(request.history) if index not in dropped)
    return _rewrite(request, kept, target.spec, window, reserve, tokens, size, warnings)


def _rewrite(
    request: ChatRequest,
    kept: tuple[Message, ...],
    spec: ModelSpec,
    window: int,
    reserve: int,
    tokens: int,
    size: PromptSize,
    warnings: tuple[str, ...],
) -> Rewrite:
    about = "about " if size.estimated else ""
    summarised = any(is_summary_turn(each) for each in request.history)
    unsummarised = summarised and not any(is_summary_turn(each) for each in kept)
    total, left = len(request.history) - unsummarised, len(kept)
    notes = [
        f"The prompt is {about}{tokens} tokens; with {reserve} for the answer the window of {window} holds it."
    ]
    if left < total:
        dropped = f"{total - left} of {total} earlier messages"
        held = sum(message.pinned for message in kept)
        included = ", the summary included" * (summarised and not unsummarised)
        stay = f" {held} pinned stay{'s' * (held == 1)}{included}." if held else ""
        notes.insert(0, f"Left out {dropped}, oldest first, to fit {window} tokens.{stay}")
        warnings += (f"{dropped} were left out: with them the prompt exceeds the window of `{spec.ref}`",)
    if unsummarised:
        notes.insert(0, "Left out the summary of the thread, which alone leaves no room.")
        warnings += (f"the thread's summary was left out: it alone exceeds the window of `{spec.ref}`",)
    if len(kept) < len(request.history):
        request = attrs.evolve(request, history=kept)
    if tokens + reserve > window:
        notes[-1] = f"The prompt is {about}{tokens} tokens, which leaves {window - tokens} for the answer."
        warnings += (f"the prompt leaves only {window - tokens} tokens of `{spec.ref}` for the answer",)
    return Rewrite(request=request, notes=tuple(notes), warnings=warnings)


def _too_long(
    request: ChatRequest, spec: ModelSpec, window: int, floor: int, size: PromptSize, tokens: int
) -> ContextTooLong:
    over = tokens + floor - window
    about = "about " if size.estimated else ""
    remedies = [f"shorten the prompt by {about}{over} tokens"]
    if request.max_tokens is not None and tokens < window:
        remedies.append(f"lower max_tokens to {window - tokens}")
    pinned = [
        index for index, each in enumerate(request.history) if each.pinned and not is_summary_turn(each)
    ]
    unpinnable = ""
    if pinned:
        held = sum(size.history[index] for index in pinned)
        are = "1 pinned message" if len(pinned) == 1 else f"{len(pinned)} pinned messages"
        unpinnable = f" (of them {about}{held} of {are} of the thread)"
        remedies.insert(0, 'unpin messages (PATCH /messages/{id} with `{"pinned": false}`)')
    remedies.append("choose a model with a larger window")
    message = (
        f"the prompt is {about}{tokens} tokens{unpinnable} without the earlier messages that may be left out, and"
        f" {floor} are kept for the answer: {about}{over} more than the window of `{spec.ref}` ({window});"
        f" {', '.join(remedies[:-1])} or {remedies[-1]}"
    )
    return ContextTooLong(f"messages: {message}", (Fault(path="messages", message=message),))
