"""What an answer took: tokens, as the provider reported them or as we estimated."""

from typing import Final

from domain.values import frozen

STANDARD_TIER: Final = "standard"


@frozen(kw_only=True)
class Usage:
    """Token counts of one provider call; all are >= 0."""

    input_tokens: int
    """Every token of the prompt, cached ones included (Anthropic reports them apart; adapters add them up)."""
    output_tokens: int
    """Reasoning tokens included."""
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    """True where the provider reported no usable number and lor3 counted by itself."""


@frozen(kw_only=True)
class PricedApart:
    """What a provider says of an answer, beside its counts, that changes what they cost.

    Kinds of tokens are all among those that `Usage` counts. Not stored: it is used once, for the cost.
    """

    cache_write_1h_tokens: int = 0
    """Of the cache writes, those that are kept for an hour."""
    input_image_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    tier: str = STANDARD_TIER
    """How the provider processed it, in its own word: `priority`, `flex`, `fast`, ..."""
    region: str | None = None
    """Where it ran, if that has its price: Anthropic's `us`."""


AT_LIST_PRICE: Final = PricedApart()
NO_USAGE = Usage(input_tokens=0, output_tokens=0)
