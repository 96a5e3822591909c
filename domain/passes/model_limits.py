"""Leaves out what the target model refuses, and says so."""

from typing import Final

import attrs

from domain.chat import ChatRequest
from domain.passes.compiler_pass import Rewrite, Target, rewritten
from domain.values import frozen

_SAMPLING: Final = ("frequency_penalty", "logit_bias", "presence_penalty", "top_k")
"""Parameters that go with `temperature`: what refuses that refuses them."""


@frozen
class ModelLimits:
    """Runs after all configured passes: a provider would answer 400 to a parameter its model does not take.

    A parameter is a wish, not a need; a model that lacks what a request needs (tools, images) is no candidate
    at all (`domain/routing/plan.py`).
    """

    name: str = attrs.field(default="model-limits", init=False)

    def run(self, request: ChatRequest, target: Target) -> Rewrite:
        spec = target.spec
        dropped: list[str] = []
        if not spec.can("sampling"):
            if request.temperature is not None:
                dropped.append("temperature")
            if request.top_p is not None:
                dropped.append("top_p")
            dropped += [name for name in _SAMPLING if name in request.parameters]
        if request.seed is not None and not spec.can("seed"):
            dropped.append("seed")
        if request.stop and not spec.can("stop"):
            dropped.append("stop")
        if not dropped:
            if not target.explains:
                return rewritten(request)
            return Rewrite(request=request, notes=(f"`{spec.ref}` takes every parameter of the request.",))
        names = ", ".join(f"`{name}`" for name in dropped)
        return Rewrite(
            request=attrs.evolve(
                request,
                temperature=request.temperature if spec.can("sampling") else None,
                top_p=request.top_p if spec.can("sampling") else None,
                seed=request.seed if spec.can("seed") else None,
                stop=request.stop if spec.can("stop") else (),
                parameters={name: value for name, value in request.parameters.items() if name not in dropped},
            ),
            notes=(f"{names} left out: `{spec.ref}` refuses it.",),
            warnings=(f"{names} left out: {spec.ref} does not take it",),
        )
