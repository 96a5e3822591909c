"""What a chat gets where its caller says nothing."""

import attrs


@attrs.frozen(kw_only=True)
class ChatDefaults:
    """The configured defaults. Model names are as written: aliases are resolved for each request."""

    primary: str
    fallbacks: tuple[str, ...] = ()
    passes: tuple[str, ...] = ("format-enforcement", "token-budget-check")
    format: str = "raw"
    system: str | None = None
    """A fixed system text."""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    context_depth: int = 10
