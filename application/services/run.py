"""The state of one request on its way through the candidates."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs

from application.services.purse import Purse
from application.services.transcript import Transcript
from domain.answer import Reset
from domain.attempt import Attempt, Purpose
from domain.chat import ChatRequest, TextDelta, ToolCallDelta
from domain.errors import BudgetExceeded, BudgetsUnreadable, InvalidRequest, ProviderFailure
from domain.model import ModelRef, ModelSpec
from domain.passes.manager import Compiled
from domain.routing.breaker import Breaker
from domain.routing.plan import Candidate
from domain.values import frozen

Compile: TypeAlias = Callable[[ModelSpec], Awaitable[Compiled]]


RoutedEvent: TypeAlias = TextDelta | ToolCallDelta | Reset
"""`Reset` where content has been passed on and is void: another model starts from the beginning."""


@frozen(kw_only=True)
class Said:
    """What one call said, whole or cut short: it has been paid for either way."""

    transcript: Transcript
    spec: ModelSpec
    request: ChatRequest


@attrs.define(kw_only=True)
class Run:
    """The state of one request in the loop; read it while and after its events are consumed."""

    request_id: str
    candidates: tuple[Candidate, ...]
    compile: Compile
    stream: bool
    may_reset: bool = True
    """Whether what was shown may be made void."""
    started_at: float
    purpose: Purpose = "answer"
    purse: Purse | None = None
    """Pays for its calls; None where there is no budget."""
    deadline_s: float | None = None
    """For all of it, where the policy's own would be too long."""
    attempts: list[Attempt] = attrs.field(factory=list)
    """Every call made and every candidate passed over, in order."""
    said: dict[int, Said] = attrs.field(factory=dict)
    """By the index of its attempt."""
    failures: list[tuple[ModelRef, ProviderFailure]] = attrs.field(factory=list)
    refusals: list[tuple[ModelRef, InvalidRequest | BudgetExceeded | BudgetsUnreadable]] = attrs.field(
        factory=list
    )
    passed_over: list[str] = attrs.field(factory=list)
    """Which candidates were not asked, and why: sentences for the caller."""
    waited_s: float = 0.0
    """Spent waiting for providers, back-off included."""
    spec: ModelSpec | None = None
    """The candidate being asked; once all is over, the one that answered."""
    compiled: Compiled | None = None
    breaker: Breaker | None = None
    """Of the candidate being asked."""
    transcript: Transcript = attrs.field(factory=Transcript)
    shown: Transcript | None = None
    """Of a stream: what was passed on and is not void."""
    shown_by: ModelSpec | None = None
    """Who said it."""
    sent: int = 0
    position: int = 0
    """Of the next candidate."""
    tries: int = 0
    """Retries of the current one."""
    window: int | None = None
    """What was too small: only a larger window is worth a try."""
    left: tuple[ModelRef, str] | None = None
    """The candidate before the current one, and why it was given up."""
    forgave_stale: bool = False
    """Whether a dead pooled connection has cost the current candidate its one silent retry."""

    @property
    def fallbacks(self) -> int:
        """Candidates before the current one."""
        return max(0, self.position - 1)

    @property
    def speaker(self) -> ModelRef | None:
        """Whose words there are; else who is being asked, and None where nobody is."""
        spec = self.shown_by or self.spec
        return None if spec is None else spec.ref

    @property
    def has_next(self) -> bool:
        return any(candidate.included for candidate in self.candidates[self.position :])

    @property
    def asked(self) -> tuple[ModelSpec, Compiled]:
        """The candidate being asked and the request compiled for it; once there is an answer, its own."""
        assert self.spec is not None and self.compiled is not None  # noqa: S101, PT018 - set by the failover first
        return self.spec, self.compiled
