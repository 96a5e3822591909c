"""What an answer took: tokens, as the provider reported them or as we estimated."""

import attrs


@attrs.frozen(kw_only=True)
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


NO_USAGE = Usage(input_tokens=0, output_tokens=0)
