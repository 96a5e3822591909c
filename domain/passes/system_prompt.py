"""Puts the prompt of the Prompt Oven into the request."""

from typing import Final

import attrs

from domain.chat import ChatRequest
from domain.passes.compiler_pass import Rewrite, Target, rewritten
from domain.prompt.compiled import RenderedPrompt
from domain.values import frozen

_NO_PROMPT: Final = ("No prompt of the Prompt Oven was asked for.",)


@frozen
class SystemPrompt:
    """Runs before all configured passes, which add to what it puts there: a format's instruction, for one.

    The prompt's system text takes the place of a fixed `system`; the turns of a chat template go in front of
    the history. Running it twice changes nothing more.
    """

    name: str = attrs.field(default="system-prompt", init=False)

    def run(self, request: ChatRequest, target: Target) -> Rewrite:
        prompt = request.prompt
        if prompt is None:
            return rewritten(request, _NO_PROMPT)
        # Anthropic answers 400 to a text that is only white space.
        system = prompt.system if prompt.system and not prompt.system.isspace() else None
        turns = prompt.turns
        if turns:
            turns = tuple([turn for turn in turns if turn.text and not turn.text.isspace()])
        placed = request.with_prompt_in(system, turns)
        return Rewrite(request=placed, notes=_notes(prompt, placed) if target.explains else ())


def _notes(prompt: RenderedPrompt, placed: ChatRequest) -> tuple[str, ...]:
    turns = len(placed.prelude)
    put: list[str] = []
    if placed.system is not None:
        put.append("as the system prompt")
    if turns:
        put.append(f"as {turns} turn{'s' * (turns > 1)} in front of the conversation")
    if not put:
        return (f"Put nothing in: all that `{prompt.ref}` says with these variables is white space.",)
    fragments = ", ".join(f"`{ref}`" for ref in prompt.fragments)
    if fragments:
        composed = f"It is composed with {fragments}."
    elif prompt.turns:
        composed = "It has no fragments."
    else:
        composed = "It is made of one text, without fragments."
    return (f"Put `{prompt.ref}` in {' and '.join(put)}.", composed)
