"""Puts the prompt of the Prompt Oven into the request."""

from typing import Final

import attrs

from domain.chat import ChatRequest
from domain.passes.compiler_pass import Rewrite, Target
from domain.prompt.compiled import RenderedPrompt

_NO_PROMPT: Final = ("No prompt of the Prompt Oven was asked for.",)


@attrs.frozen
class SystemPrompt:
    """Runs before all configured passes, which add to what it puts there: a format's instruction, for one.

    The prompt's system text takes the place of a fixed `system`; the turns of a chat template go in front of
    the history. Running it twice changes nothing more.
    """

    name: str = attrs.field(default="system-prompt", init=False)

    def run(self, request: ChatRequest, target: Target) -> Rewrite:
        prompt = request.prompt
        if prompt is None:
            return Rewrite(request=request, notes=_NO_PROMPT)
        placed = attrs.evolve(request, prompt=None, system=prompt.system, prelude=prompt.turns)
        return Rewrite(request=placed, notes=_notes(prompt))


def _notes(prompt: RenderedPrompt) -> tuple[str, ...]:
    put: list[str] = []
    if prompt.system is not None:
        put.append("as the system prompt")
    if prompt.turns:
        put.append(f"as {len(prompt.turns)} turn{'s' * (len(prompt.turns) > 1)} in front of the conversation")
    fragments = ", ".join(f"`{ref}`" for ref in prompt.fragments)
    if fragments:
        composed = f"It is composed with {fragments}."
    elif prompt.turns:
        composed = "It has no fragments."
    else:
        composed = "It is made of one text, without fragments."
    return (f"Put `{prompt.ref}` in {' and '.join(put)}.", composed)
