"""The one loop that calls providers: candidates × breaker × retry × deadline, for streams and non-streams alike."""

import asyncio
import datetime
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TypeAlias

import attrs

from application.ports.chat_provider import ChatProvider, ProviderCall
from application.ports.clock import Clock
from application.ports.randomness import Randomness
from application.ports.telemetry import Telemetry
from application.services.failure_report import final_error
from application.services.route_health import RouteHealth
from application.services.transcript import Transcript
from application.services.watchdog import Watchdog
from domain.attempt import Attempt
from domain.chat import ChatRequest, ProviderEvent, TextDelta, ToolCallDelta
from domain.errors import InvalidRequest, ProviderFailure
from domain.model import ModelRef, ModelSpec
from domain.passes.manager import Compiled
from domain.routing.plan import Candidate
from domain.routing.policy import VERDICTS
from domain.routing.retry import retry_delay_s, wants_retry
from domain.routing.settings import RoutingPolicy
from domain.telemetry import AttemptEnded, FallbackTaken, ModelMisconfigured

Compile: TypeAlias = Callable[[ModelSpec], Awaitable[Compiled]]
MAX_WAIT_BEFORE_FALLBACK_S = 5.0
"""With another model at hand, a caller is not kept waiting for longer than this before a retry."""


@attrs.frozen(kw_only=True)
class Switched:
    """Content has been passed on and is void: another model starts from the beginning."""

    reason: str
    from_model: ModelRef
    to_model: ModelRef


RoutedEvent: TypeAlias = TextDelta | ToolCallDelta | Switched


@attrs.frozen(kw_only=True)
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
    started_at: float
    attempts: list[Attempt] = attrs.field(factory=list)
    """Every call made and every candidate passed over, in order."""
    said: dict[int, Said] = attrs.field(factory=dict)
    """By the index of its attempt."""
    failures: list[tuple[ModelRef, ProviderFailure]] = attrs.field(factory=list)
    refusals: list[tuple[ModelRef, InvalidRequest]] = attrs.field(factory=list)
    waited_s: float = 0.0
    """Spent waiting for providers, back-off included."""
    spec: ModelSpec | None = None
    """The candidate being asked; after the last event, the one that answered."""
    compiled: Compiled | None = None
    transcript: Transcript = attrs.field(factory=Transcript)
    sent: int = 0


@attrs.define(kw_only=True)
class Failover:
    """Asks one candidate after the other until one answers."""

    _providers: Mapping[str, ChatProvider]
    _health: RouteHealth
    _policy: RoutingPolicy
    _clock: Clock
    _randomness: Randomness
    _telemetry: Telemetry

    def start(
        self, *, request_id: str, candidates: tuple[Candidate, ...], compile_for: Compile, stream: bool
    ) -> Run:
        self._health.retry_budget.request_arrived()
        return Run(
            request_id=request_id,
            candidates=candidates,
            compile=compile_for,
            stream=stream,
            started_at=self._clock.monotonic(),
        )

    async def events(self, run: Run) -> AsyncGenerator[RoutedEvent, None]:
        """The answer's content as it comes; `run` holds the rest once this ends.

        Close it (`aclosing`) to end the upstream early.

        Raises:
            ChatFailed: no candidate answered.
            InvalidRequest: none can be asked, or a provider refused the request itself.
        """
        included = [candidate.spec for candidate in run.candidates if candidate.included]
        window: int | None = None
        previous: tuple[ModelRef, str] | None = None
        for index, spec in enumerate(included):
            if run.sent >= self._policy.max_attempts or self._remaining_s(run) <= 0:
                break
            if window is not None and spec.context_window is not None and spec.context_window <= window:
                self._skip(run, spec, "skipped_window")
                continue
            if not await self._prepare(run, spec):
                continue
            if previous is not None:
                self._telemetry.emit(
                    FallbackTaken(
                        request_id=run.request_id,
                        from_model=previous[0],
                        to_model=spec.ref,
                        reason=previous[1],
                    )
                )
                if run.transcript.has_content:
                    yield Switched(reason=previous[1], from_model=previous[0], to_model=spec.ref)
            run.transcript = Transcript()
            failure: ProviderFailure | None = None
            async with aclosing(self._ask(run, spec, has_next=index + 1 < len(included))) as events:
                async for event in events:
                    if isinstance(event, ProviderFailure):
                        failure = event
                    else:
                        yield event
            if failure is None:
                return
            if not VERDICTS[failure.kind].fall_back:
                break
            if failure.kind == "context_too_long":
                window = spec.context_window or 0
            previous = (spec.ref, failure.kind)
        raise final_error(run.candidates, run.failures, run.refusals)

    async def _prepare(self, run: Run, spec: ModelSpec) -> bool:
        """Compiles for `spec` and takes its breaker's permit; False passes it over."""
        closed = self._health.closed(spec.ref)
        if closed is not None:
            self._skip(run, spec, closed.outcome)
            failure = ProviderFailure(closed.kind, closed.reason, retry_after_s=closed.opens_in_s)
            run.failures.append((spec.ref, failure))
            return False
        try:
            run.compiled = await run.compile(spec)
        except InvalidRequest as refusal:
            run.refusals.append((spec.ref, refusal))
            self._skip(run, spec, f"skipped_{refusal.code}")
            return False
        # No await since `closed` said yes on a loop of one thread, but for the compile: ask again.
        if not self._health.breaker(spec.ref).allow(self._clock.monotonic()):
            self._skip(run, spec, "skipped_breaker_open")
            return False
        run.spec = spec
        return True

    async def _ask(
        self, run: Run, spec: ModelSpec, *, has_next: bool
    ) -> AsyncGenerator[TextDelta | ToolCallDelta | ProviderFailure, None]:
        """All tries at one model. Ends after its answer, or with the failure that ends it."""
        tries = 0
        stale_forgiven = False
        while True:
            is_probe = self._health.breaker(spec.ref).is_probing
            failure: ProviderFailure | None = None
            async with aclosing(self._attempt(run, spec, is_retry=tries > 0)) as events:
                async for event in events:
                    if isinstance(event, ProviderFailure):
                        failure = event
                    else:
                        yield event
            if failure is None:
                return
            if failure.stale_connection and not stale_forgiven:
                stale_forgiven = True
                continue
            delay_s = self._retry_delay_s(run, spec, failure, tries, is_probe=is_probe, has_next=has_next)
            if delay_s is None:
                self._health.close_for(spec.ref, failure)
                yield failure
                return
            tries += 1
            run.waited_s += delay_s
            await self._clock.sleep(delay_s)

    def _retry_delay_s(
        self,
        run: Run,
        spec: ModelSpec,
        failure: ProviderFailure,
        tries: int,
        *,
        is_probe: bool,
        has_next: bool,
    ) -> float | None:
        """How long to wait before the same model is tried again; None if it is not."""
        if is_probe or tries >= self._policy.retries or run.sent >= self._policy.max_attempts:
            return None
        if run.transcript.has_content or not wants_retry(failure):
            return None
        if self._health.breaker(spec.ref).state(self._clock.monotonic()) != "closed":
            return None  # this very failure, or another request's, has opened it
        delay_s = retry_delay_s(failure, tries, self._randomness.fraction(), self._policy)
        if delay_s is None or delay_s >= self._remaining_s(run):
            return None
        if has_next and delay_s > MAX_WAIT_BEFORE_FALLBACK_S:
            return None
        return delay_s if self._health.retry_budget.take() else None

    async def _attempt(
        self, run: Run, spec: ModelSpec, *, is_retry: bool
    ) -> AsyncGenerator[TextDelta | ToolCallDelta | ProviderFailure, None]:
        """One call. A failure is yielded last rather than raised, so that every path records the attempt."""
        assert run.compiled is not None  # noqa: S101 - `_prepare` has just set it
        provider = self._providers[spec.ref.provider]
        pacing = self._health.pacing(spec.ref, provider.timeouts)
        clock = self._clock
        started_at, started = clock.now(), clock.monotonic()
        call = ProviderCall(
            request=run.compiled.request, spec=spec, stream=run.stream or pacing.wants_stream(started)
        )
        transcript = run.transcript = Transcript()
        limits = provider.timeouts
        end = started + min(limits.total_s, self._remaining_s(run))
        dog = Watchdog.of_current_task()
        failure: ProviderFailure | None = None
        outcome = "cancelled"
        waiting_since = started
        run.sent += 1
        try:
            # One limit for all that comes before the first content, whatever else the provider sends meanwhile.
            dog.arm(min(limits.first_token_s, end - started))
            try:
                async with provider.open(call) as events:
                    while True:
                        try:
                            event: ProviderEvent = await anext(events)
                        except StopAsyncIteration:
                            break
                        transcript.add(event)
                        if isinstance(event, TextDelta | ToolCallDelta):
                            dog.disarm()
                            now = clock.monotonic()
                            run.waited_s += now - waiting_since
                            yield event
                            waiting_since = clock.monotonic()
                            dog.arm(min(limits.idle_s, end - waiting_since))
                    dog.disarm()
                if transcript.finish_reason is None:
                    raise ProviderFailure("connection_lost", "the answer ended before it was complete")
                outcome = "ok"
            except ProviderFailure as exc:
                failure = exc
            except asyncio.CancelledError:
                if not dog.expired():
                    raise
                failure = ProviderFailure("no_answer", "the provider stayed silent for too long")
            finally:
                dog.close()
            run.waited_s += clock.monotonic() - waiting_since
            if failure is not None:
                outcome = failure.kind
        finally:
            if failure is not None and failure.stale_connection:
                run.sent -= 1
            else:
                self._record(run, spec, outcome, started_at, started, failure, is_retry=is_retry)
        pacing.answered(clock.monotonic() - started, clock.monotonic())
        if failure is not None:
            run.failures.append((spec.ref, failure))
            yield failure

    def _record(
        self,
        run: Run,
        spec: ModelSpec,
        outcome: str,
        started_at: datetime.datetime,
        started: float,
        failure: ProviderFailure | None,
        *,
        is_retry: bool,
    ) -> None:
        duration_s = self._clock.monotonic() - started
        status = None if failure is None else failure.status
        run.attempts.append(
            Attempt(
                model=spec.ref,
                outcome=outcome,
                started_at=started_at,
                latency_ms=round(duration_s * 1000),
                status=status,
                response_id=run.transcript.response_id,
            )
        )
        if run.compiled is not None and (outcome == "ok" or run.transcript.has_content):
            said = Said(transcript=run.transcript, spec=spec, request=run.compiled.request)
            run.said[len(run.attempts) - 1] = said
        if failure is not None:
            self._health.failed(spec.ref, failure)
            if VERDICTS[failure.kind].needs_operator:
                self._telemetry.emit(
                    ModelMisconfigured(request_id=run.request_id, model=spec.ref, reason=failure.kind)
                )
        elif outcome == "ok":
            self._health.succeeded(spec.ref)
        else:
            self._health.breaker(spec.ref).abandoned()
        self._telemetry.emit(
            AttemptEnded(
                request_id=run.request_id,
                model=spec.ref,
                outcome=outcome,
                duration_s=duration_s,
                status=status,
                retry=is_retry,
            )
        )

    def _skip(self, run: Run, spec: ModelSpec, outcome: str) -> None:
        run.attempts.append(Attempt(model=spec.ref, outcome=outcome, started_at=self._clock.now()))

    def _remaining_s(self, run: Run) -> float:
        return self._policy.deadline_s - (self._clock.monotonic() - run.started_at)
