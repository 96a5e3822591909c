"""The one loop that calls providers: candidates × breaker × retry × deadline, for streams and non-streams alike."""

from collections.abc import AsyncGenerator, Mapping, Sequence

import attrs

from application.ports.chat_provider import ChatProvider, ProviderCall
from application.ports.clock import Clock
from application.ports.randomness import Randomness
from application.ports.telemetry import Telemetry
from application.services.failure_report import final_error
from application.services.provider_call import LiveCall
from application.services.purse import Purse
from application.services.route_health import RouteHealth
from application.services.run import Compile, RoutedEvent, Run, Said
from domain.answer import Reset
from domain.attempt import Attempt, Purpose
from domain.errors import BudgetExceeded, BudgetsUnreadable, InvalidRequest, LorError, ProviderFailure
from domain.model import ModelRef, ModelSpec
from domain.passes.manager import Compiled
from domain.routing.plan import Candidate
from domain.routing.policy import VERDICTS
from domain.routing.retry import retry_delay_s, wants_retry
from domain.routing.settings import RoutingPolicy
from domain.telemetry import AttemptEnded, FallbackTaken, ModelMisconfigured
from domain.values import maker

_run = maker(Run)
_live_call = maker(LiveCall)
_provider_call = maker(ProviderCall)
_attempt = maker(Attempt)
_said = maker(Said)
_attempt_ended = maker(AttemptEnded)


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
        self,
        *,
        request_id: str,
        candidates: tuple[Candidate, ...],
        compile_for: Compile,
        stream: bool,
        may_reset: bool = True,
        purpose: Purpose = "answer",
        deadline_s: float | None = None,
        purse: Purse | None = None,
    ) -> Run:
        self._health.retry_budget.request_arrived()
        return _run(
            request_id=request_id,
            candidates=candidates,
            compile=compile_for,
            stream=stream,
            may_reset=may_reset,
            started_at=self._clock.monotonic(),
            purpose=purpose,
            deadline_s=deadline_s,
            purse=purse,
        )

    async def judge(self, candidates: tuple[Candidate, ...], compile_for: Compile) -> None:
        """Whether one of them may be asked now. Asks none, and leaves no trace.

        Raises:
            ChatFailed, InvalidRequest: none may; as `whole` would without having called any.
        """
        failures: list[tuple[ModelRef, ProviderFailure]] = []
        refusals: list[tuple[ModelRef, InvalidRequest]] = []
        for spec in [each.spec for each in candidates if each.refusal is None]:
            closed = self._health.closed(spec.ref)
            if closed is not None:
                reason = ProviderFailure(closed.kind, closed.reason, retry_after_s=closed.opens_in_s)
                failures.append((spec.ref, reason))
                continue
            try:
                await compile_for(spec)
            except InvalidRequest as refusal:
                refusals.append((spec.ref, refusal))
                continue
            return
        raise final_error(candidates, failures, refusals, is_cut=False)

    async def whole(self, run: Run) -> None:
        """Asks until one candidate has answered whole; `run` then holds the answer.

        Nothing is shown before the end, so even an answer that was cut in its middle may be tried again.

        Raises:
            ChatFailed: no candidate answered.
            InvalidRequest: none can be asked, or a provider refused the request itself.
        """
        call = await self._connect(run)
        await call.close()

    async def events(self, run: Run) -> AsyncGenerator[Sequence[RoutedEvent], None]:
        """The answer's content as it comes, all together that came at once; `run` holds the rest once this ends.

        Close it (`aclosing`) to end the upstream early. Raises as `whole` does; and where content was passed on that
        may not be made void, no other candidate is asked.
        """
        shown_by: ModelRef | None = None
        while True:
            call = await self._connect(run)
            spec = run.asked[0]
            failure: ProviderFailure | None = None
            outcome = "cancelled"  # also where the consumer goes away at a `yield`
            try:
                run.shown, run.shown_by = call.transcript, spec
                if shown_by is not None:
                    reason = run.failures[-1][1].kind
                    yield (Reset(reason=reason, from_model=shown_by, to_model=spec.ref),)
                content = call.first
                while content:
                    shown_by = spec.ref
                    yield content
                    content = await call.next()
                outcome = "ok"
            except ProviderFailure as exc:
                outcome, failure = exc.kind, exc
            except Exception as exc:
                outcome = _ended_by(exc)
                raise
            finally:
                self._end(run, call, outcome, failure)
                await call.close()
            if failure is None:
                return
            self._give_up(run, failure)
            if shown_by is not None and not run.may_reset:
                raise _final_error(run)

    async def _connect(self, run: Run) -> LiveCall:
        """Goes on through candidates and retries until one has begun to answer or, unstreamed, has answered."""
        while True:
            if run.spec is None:
                await self._next_candidate(run)
            spec, compiled = run.asked
            breaker = run.breaker or self._health.breaker(spec.ref)
            if run.purse is not None:
                try:
                    request = await run.purse.cover(spec, compiled.request)
                except BaseException as refusal:
                    breaker.abandoned()
                    if isinstance(refusal, BudgetsUnreadable):
                        if not run.sent:
                            raise
                    elif not isinstance(refusal, BudgetExceeded | InvalidRequest):
                        raise
                    self._pass_over(run, spec, refusal)
                    run.spec = None
                    continue
                if request is not compiled.request:
                    compiled = run.compiled = attrs.evolve(compiled, request=request)
            is_probe = breaker.is_probing
            call = self._call(run, spec, compiled)
            run.transcript = call.transcript
            run.sent += 1
            try:
                if run.stream:
                    await call.begin()
                else:
                    await call.whole()
                    self._end(run, call, "ok", None)
                return call
            except ProviderFailure as exc:
                failure = exc
            except BaseException as exc:
                self._end(run, call, _ended_by(exc), None)
                await call.close()
                raise
            await call.close()
            if failure.stale_connection and not run.forgave_stale:
                run.forgave_stale = True
                run.sent -= 1
                if run.purse is not None:
                    run.purse.unsaid()
                continue
            self._end(run, call, failure.kind, failure)
            delay_s = self._retry_delay_s(run, spec, failure, is_probe=is_probe)
            if delay_s is None:
                self._give_up(run, failure)
                continue
            run.tries += 1
            run.waited_s += delay_s
            await self._clock.sleep(delay_s)
            if self._health.closed(spec.ref) is not None:  # other requests have learnt more meanwhile
                self._give_up(run, failure)

    def _give_up(self, run: Run, failure: ProviderFailure) -> None:
        """Leaves the current candidate for good. Raises the final error where no other may be asked."""
        spec, _ = run.asked
        self._health.close_for(spec.ref, failure)
        if not VERDICTS[failure.kind].fall_back:
            raise _final_error(run)
        if failure.kind == "context_too_long":
            run.window = spec.context_window or 0
        run.left = (spec.ref, failure.kind)
        run.spec = None

    async def _next_candidate(self, run: Run) -> None:
        """Moves on to the next model that may be asked now. Raises the final error where there is none."""
        while run.position < len(run.candidates):
            candidate = run.candidates[run.position]
            run.position += 1
            if run.sent >= self._policy.max_attempts or self._remaining_s(run, self._clock.monotonic()) <= 0:
                break
            if candidate.refusal is not None:
                run.passed_over.append(f"{candidate.spec.ref} was passed over: {candidate.refusal}")
            elif await self._prepare(run, candidate.spec):
                if run.left is not None:
                    self._telemetry.emit(
                        FallbackTaken(
                            request_id=run.request_id,
                            from_model=run.left[0],
                            to_model=candidate.spec.ref,
                            reason=run.left[1],
                        )
                    )
                run.spec = candidate.spec
                run.tries = 0
                run.forgave_stale = False
                return
        raise _final_error(run)

    async def _prepare(self, run: Run, spec: ModelSpec) -> bool:
        """Compiles for `spec` and takes its breaker's permit; False passes it over."""
        if run.window is not None and spec.context_window is not None and spec.context_window <= run.window:
            self._skip(run, spec, "skipped_window")
            return False
        closed = self._health.closed(spec.ref)
        if closed is not None:
            self._skip(run, spec, closed.outcome)
            failure = ProviderFailure(closed.kind, closed.reason, retry_after_s=closed.opens_in_s)
            run.failures.append((spec.ref, failure))
            run.passed_over.append(f"{spec.ref} was passed over: {closed.reason}")
            run.left = (spec.ref, closed.kind)
            return False
        try:
            if run.purse is not None:
                run.purse.demand_price(spec)
            run.compiled = await run.compile(spec)
        except InvalidRequest as refusal:
            self._pass_over(run, spec, refusal)
            return False
        # Compiling may have waited, and another request may have taken the probe meanwhile.
        run.breaker = self._health.breaker(spec.ref)
        if not run.breaker.allow(self._clock.monotonic()):
            self._skip(run, spec, "skipped_breaker_open")
            return False
        return True

    def _call(self, run: Run, spec: ModelSpec, compiled: Compiled) -> LiveCall:
        provider = self._providers[spec.ref.provider]
        now = self._clock.monotonic()
        stream = run.stream or self._health.pacing(spec.ref, provider.timeouts).wants_stream(now)
        return _live_call(
            provider=provider,
            call=_provider_call(request=compiled.request, spec=spec, stream=stream),
            clock=self._clock,
            total_s=min(provider.timeouts.total_s, self._remaining_s(run, now)),
            is_retry=run.tries > 0,
            started_at=self._clock.now(),
            started=now,
        )

    def _retry_delay_s(
        self, run: Run, spec: ModelSpec, failure: ProviderFailure, *, is_probe: bool
    ) -> float | None:
        """How long to wait before the same model is tried again; None if it is not."""
        if is_probe or run.tries >= self._policy.retries or run.sent >= self._policy.max_attempts:
            return None
        if not wants_retry(failure):
            return None
        if self._health.breaker(spec.ref).state(self._clock.monotonic()) != "closed":
            return None  # this very failure, or another request's, has opened it
        delay_s = retry_delay_s(failure, run.tries, self._randomness.fraction(), self._policy)
        if delay_s is None or delay_s >= self._remaining_s(run, self._clock.monotonic()):
            return None
        if delay_s > self._policy.max_wait_before_fallback_s and run.has_next:
            return None
        return delay_s if self._health.retry_budget.take() else None

    def _end(self, run: Run, call: LiveCall, outcome: str, failure: ProviderFailure | None) -> None:
        """Records a call, whatever came of it, and learns from it."""
        spec, compiled = run.asked
        model, transcript, reported = spec.ref, call.transcript, call.transcript.reported
        now = self._clock.monotonic()
        duration_s = now - call.started
        status = None if failure is None else failure.status
        run.waited_s += call.waited_s
        attempt = _attempt(
            model=model,
            outcome=outcome,
            started_at=call.started_at,
            latency_ms=round(duration_s * 1000),
            status=status,
            response_id=transcript.response_id,
            purpose=run.purpose,
        )
        run.attempts.append(attempt)
        if outcome == "ok" or transcript.has_content:
            said = _said(transcript=transcript, spec=spec, request=compiled.request)
            run.said[len(run.attempts) - 1] = said
            if run.purse is not None:
                run.purse.ended(transcript)
        elif run.purse is not None:
            run.purse.unsaid()
        self._health.pacing(model, self._providers[model.provider].timeouts).answered(duration_s, now)
        if failure is not None:
            run.failures.append((model, failure))
            self._health.failed(model, failure)
            if VERDICTS[failure.kind].needs_operator:
                self._telemetry.emit(
                    ModelMisconfigured(request_id=run.request_id, model=model, reason=failure.kind)
                )
        elif outcome == "ok":
            self._health.succeeded(model)
        else:
            self._health.breaker(model).abandoned()
        self._telemetry.emit(
            _attempt_ended(
                request_id=run.request_id,
                model=model,
                outcome=outcome,
                duration_s=duration_s,
                status=status,
                retry=call.is_retry,
                stream=call.streams,
                first_chunk_s=call.first_chunk_s,
                response_id=transcript.response_id,
                finish_reason=transcript.finish_reason,
                input_tokens=None if reported is None else reported.input_tokens,
                output_tokens=None if reported is None else reported.output_tokens,
                cached_input_tokens=None if reported is None else reported.cached_input_tokens,
            )
        )

    def _pass_over(
        self, run: Run, spec: ModelSpec, refusal: InvalidRequest | BudgetExceeded | BudgetsUnreadable
    ) -> None:
        run.refusals.append((spec.ref, refusal))
        run.passed_over.append(f"{spec.ref} was passed over: {refusal.detail}")
        self._skip(run, spec, f"skipped_{refusal.code}")

    def _skip(self, run: Run, spec: ModelSpec, outcome: str) -> None:
        run.attempts.append(
            _attempt(model=spec.ref, outcome=outcome, started_at=self._clock.now(), purpose=run.purpose)
        )

    def _remaining_s(self, run: Run, now: float) -> float:
        deadline_s = self._policy.deadline_s
        if run.deadline_s is not None:
            deadline_s = min(deadline_s, run.deadline_s)
        return deadline_s - (now - run.started_at)


def _final_error(run: Run) -> LorError:
    is_cut = run.shown is not None and run.shown.has_content
    return final_error(run.candidates, run.failures, run.refusals, is_cut=is_cut)


def _ended_by(exc: BaseException) -> str:
    return "internal_error" if isinstance(exc, Exception) else "cancelled"
