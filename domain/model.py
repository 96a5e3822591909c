"""What lor3 knows of a model: its name, its limits, what it can do and when it ends."""

import datetime
from typing import Literal, TypeAlias

import attrs

from domain.errors import Fault, InvalidRequest
from domain.values import frozen

Capability: TypeAlias = Literal["tools", "images", "json_object", "json_schema", "sampling", "seed", "stop"]
"""`sampling` is accepting temperature and top_p, which some reasoning models refuse with a 400."""

ALL_CAPABILITIES: frozenset[Capability] = frozenset(
    ("tools", "images", "json_object", "json_schema", "sampling", "seed", "stop")
)


@frozen(order=True, cache_hash=True)
class ModelRef:
    """`provider:model`, for example `anthropic:claude-opus-5-5`. `str()` gives that form back."""

    provider: str
    model: str
    # Made once, asked for in every log line, metric and answer.
    _text: str = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_text", f"{self.provider}:{self.model}")

    @classmethod
    def parse(cls, text: str, *, path: str = "model") -> "ModelRef":
        """Splits at the first colon, so that a model may hold further ones (`ollama:llama3:8b`).

        Raises:
            InvalidRequest: there is no provider or no model in `text`.
        """
        provider, colon, model = text.partition(":")
        if not (provider and colon and model):
            raise InvalidRequest.of(
                Fault(
                    path=path,
                    message=f"`{text}` is not a model; write `provider:model`,"
                    " such as `anthropic:claude-opus-5-5`",
                    is_unknown_name=True,
                )
            )
        return cls(provider, model)

    def __str__(self) -> str:
        return self._text


@frozen(kw_only=True)
class ModelSpec:
    """A model of the catalogue. Unknown limits are None and are not enforced."""

    ref: ModelRef
    context_window: int | None = None
    """Tokens of prompt and answer together."""
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = ALL_CAPABILITIES
    """A model outside the catalogue is taken to be able to do everything: its provider will say otherwise."""
    encoding: str = "o200k_base"
    """The tiktoken encoding to count with."""
    count_margin: float = 0.0
    """What to add to a count where the tokenizer is not public, as a fraction (0.1 = 10 %)."""
    token_limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """OpenAI renamed the field; its reasoning models refuse the old one, compatible servers lack the new one."""
    retired_on: datetime.date | None = None
    replaced_by: ModelRef | None = None
    known: bool = True
    """False for a model that is not in the catalogue."""

    def can(self, capability: Capability) -> bool:
        return capability in self.capabilities

    def is_retired(self, today: datetime.date) -> bool:
        return self.retired_on is not None and self.retired_on <= today
