"""What a compiler pass is, and what it may know of its target."""

from typing import Protocol

from domain.chat import ChatRequest
from domain.message import Message
from domain.model import ModelSpec
from domain.output.formatter import Formatter
from domain.values import frozen, maker


@frozen(kw_only=True)
class TokenCount:
    tokens: int
    estimated: bool = False


class TokenMeter(Protocol):
    """Counts as the target model counts. Pure and deterministic; may take milliseconds on long texts."""

    def count_text(self, text: str, spec: ModelSpec) -> TokenCount: ...

    def count_message(self, message: Message, spec: ModelSpec) -> TokenCount:
        """Text, role framing, images and tool calls of one message."""


@frozen(kw_only=True)
class Target:
    """The model that a request is being compiled for."""

    spec: ModelSpec
    meter: TokenMeter
    formatter: Formatter
    explains: bool = True
    """False where nobody will read the notes of a pass, so that it may leave them out."""
    bound: tuple[ChatRequest, int] | None = None
    """How many tokens the prompt of that very request has at most, where that is known."""


@frozen
class Rewrite:
    """What a pass returns: the request to go on with, and why."""

    request: ChatRequest
    notes: tuple[str, ...] = ()
    """What it did and the reason, a sentence each; shown by explain."""
    warnings: tuple[str, ...] = ()
    """What the caller should know; shown in the answer."""


rewritten = maker(Rewrite)
"""As `Rewrite`, for passes that run in each chat."""


class Pass(Protocol):
    """Rewrites a request for one target. Pure: the same input gives the same output.

    Register one under the entry-point group `lor3.passes`. Raise an `InvalidRequest` where the request
    can't be compiled for this target; the router then tries the next candidate.
    """

    @property
    def name(self) -> str: ...

    def run(self, request: ChatRequest, target: Target) -> Rewrite: ...
