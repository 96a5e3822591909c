"""Which models may answer a request, in order, and why the others may not."""

from collections.abc import Mapping
from typing import Final

from domain.chat import ChatRequest
from domain.model import ModelRef, ModelSpec
from domain.values import frozen

NONE_REFUSED: Final[Mapping[str, frozenset[str]]] = {}
NONE_FORBIDDEN: Final[frozenset[ModelRef]] = frozenset()


@frozen(kw_only=True)
class Candidate:
    """A model that was considered. `refusal` is None where it is in."""

    spec: ModelSpec
    refusal: str | None = None
    """Why it is out, a sentence without a full stop."""
    is_configured: bool = True
    """False where its provider can't be called at all, whatever is asked of it."""
    refused_parameters: tuple[str, ...] = ()
    """Those of `ChatRequest.parameters` that its provider does not take, in the order of the request."""

    @property
    def included(self) -> bool:
        return self.refusal is None


def plan_candidates(
    request: ChatRequest,
    specs: tuple[ModelSpec, ...],
    *,
    unavailable: Mapping[str, str],
    words_for_schema: bool,
    refused_parameters: Mapping[str, frozenset[str]] = NONE_REFUSED,
    forbidden: frozenset[ModelRef] = NONE_FORBIDDEN,
) -> tuple[Candidate, ...]:
    """Judges `specs` in order; a model that is named twice is considered once.

    Args:
        unavailable: provider name → why it can't be called at all, such as a missing key.
        words_for_schema: whether a pass asks in words for a schema that a model has no native way for.
        refused_parameters: provider name → those of the request's parameters that its wire does not take.
        forbidden: those that the caller's key may not use.
    """
    candidates: list[Candidate] = []
    seen = set()
    remembered = () if request.memory is None else request.memory.messages
    needs_images = any(message.has_images for message in (*remembered, *request.history, *request.messages))
    for spec in specs:
        if spec.ref in seen:
            continue
        seen.add(spec.ref)
        refusal = unavailable.get(spec.ref.provider)
        if forbidden and spec.ref in forbidden:
            refusal = "this key may not use it"
        if refusal is None and request.tools and not spec.can("tools"):
            refusal = "it can't call tools, and the request has some"
        if refusal is None and needs_images and not spec.can("images"):
            refusal = "it can't read images, and the request has some"
        if (
            refusal is None
            and request.schema is not None
            and not words_for_schema
            and not spec.can("json_schema")
        ):
            refusal = "it has no structured output, and the pass `format-enforcement` is not configured"
        is_configured = spec.ref.provider not in unavailable
        refused: tuple[str, ...] = ()
        if refused_parameters and is_configured:
            names = refused_parameters.get(spec.ref.provider, ())
            refused = tuple([name for name in request.parameters if name in names])
            if refused and refusal is None:
                refusal = f"its provider does not take {', '.join(f'`{name}`' for name in refused)}"
        candidates.append(
            Candidate(spec=spec, refusal=refusal, is_configured=is_configured, refused_parameters=refused)
        )
    return tuple(candidates)
