"""What a chat gets where its caller says nothing."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

from domain.json_value import JSONValue
from domain.values import frozen

MemoryMode: TypeAlias = Literal["window", "summary"]
"""`window`: the last messages of a thread. `summary`: those, and what was before them in a few sentences."""


@frozen(kw_only=True)
class ChatDefaults:
    """The configured defaults. Model names are as written: aliases are resolved for each request."""

    primary: str
    fallbacks: tuple[str, ...] = ()
    passes: tuple[str, ...] = ("format-enforcement", "token-budget-check")
    format: str = "raw"
    system: str | None = None
    """A fixed system text."""
    system_prompt: str | None = None
    """A reference to the Prompt Oven, as written; it takes the place of `system`."""
    variables: Mapping[str, JSONValue] = attrs.field(factory=dict)
    """Stand in for those that a caller leaves out, in whatever prompt declares them."""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    context_depth: int = 10
    memory: MemoryMode = "window"
    summary_model: str | None = None
    """Summarises for `memory: summary`; the primary where it is None."""
