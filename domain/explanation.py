"""What would happen to a request, step by step."""

from decimal import Decimal

from domain.answer import ContextUse
from domain.chat import ChatRequest
from domain.json_value import JSONObject
from domain.model import ModelRef
from domain.passes.manager import TraceStep
from domain.prompt.compiled import RenderedPrompt
from domain.values import frozen


@frozen(kw_only=True)
class CandidateView:
    """A model that was considered, in the order of the plan."""

    model: ModelRef
    included: bool
    reason: str
    """Why it is in or out, a sentence."""


@frozen(kw_only=True)
class TokenView:
    """The token arithmetic for the first candidate."""

    prompt_tokens: int
    estimated: bool
    max_output_tokens: int | None
    """What the request leaves for the answer."""
    context_window: int | None
    model_max_output_tokens: int | None


@frozen(kw_only=True)
class CostView:
    """None where the price is unknown."""

    prompt_usd: Decimal | None
    max_total_usd: Decimal | None
    """With the longest answer that is allowed; None where that is unbounded too."""


@frozen(kw_only=True)
class WireView:
    """The exact request to the first candidate, without credentials."""

    method: str
    url: str
    body: JSONObject


@frozen(kw_only=True)
class Explanation:
    request: ChatRequest
    """The parsed request with all defaults filled in, before any pass."""
    passes: tuple[TraceStep, ...]
    compiled: ChatRequest | None
    """After all passes; None where no candidate is left."""
    prompt: RenderedPrompt | None
    """As composed and filled in; None where no prompt is used."""
    context: ContextUse
    kept_messages: int
    dropped_messages: int
    candidates: tuple[CandidateView, ...]
    tokens: TokenView | None
    wire: WireView | None
    cost: CostView | None
    warnings: tuple[str, ...]
