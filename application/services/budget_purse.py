"""The money that one chat may spend of its budgets."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import attrs

from application.ports.price_book import Ceiling
from application.ports.telemetry import Telemetry
from application.services.budget_figures import is_shown
from application.services.budget_keeper import BudgetKeeper
from application.services.budget_plan import BudgetPlan
from application.services.budget_words import refusal, state_of, used_up
from application.services.local_counter import NOTHING, LocalCounter
from application.services.price_ceilings import SHORT, PriceCeilings
from application.services.transcript import Transcript
from application.use_cases.chat_command import SendChatCommand
from domain.chat import NO_PARAMETERS, ChatRequest
from domain.errors import BudgetExceeded, Fault, InvalidRequest
from domain.json_value import JSONValue
from domain.limits.budget import BudgetState, Spend
from domain.limits.budget_rules import BudgetRules
from domain.limits.prompt_ceiling import prompt_ceiling
from domain.model import ModelSpec
from domain.telemetry import BudgetPassed, BudgetRefused
from domain.values import maker

_spend = maker(Spend)

LEAST_TOKENS: Final = 16
"""An answer that may be no longer is not worth its prompt."""
ENOUGH_TOKENS: Final = 1_024
"""With fewer, a chat that did not ask for any number waits whether others leave something."""
UNKNOWN_TOKENS: Final = 4_096
"""Of an answer of a model whose longest one nobody knows: then it is asked for no longer one."""
_TIERS: Final = ("service_tier", "speed")
"""Parameters that choose what a token costs."""


@attrs.define(kw_only=True, eq=False)
class BudgetPurse:
    """A `Purse`. Its budgets are those of the period in which its first call is covered."""

    _keeper: BudgetKeeper
    _rules: BudgetRules
    _ceilings: PriceCeilings
    _telemetry: Telemetry
    _command: SendChatCommand
    _plan: BudgetPlan
    _counters: tuple[LocalCounter, ...] = ()
    """One for each of the plan's budgets."""
    _each: tuple[LocalCounter, ...] = ()
    """Those, each once."""
    _hard: tuple[LocalCounter, ...] = ()
    _uncapped: tuple[LocalCounter, ...] = ()
    """The rest of `_each`: of them nothing is committed."""
    _taken: Decimal = NOTHING
    """Committed in all of `_hard`."""
    _last: Decimal = NOTHING
    """Of it, for the call that was covered last."""
    _unused: Decimal = NOTHING
    """Of it, what no call has used."""
    _prompt_usd: Decimal = NOTHING
    """At most, of the call that was covered last."""
    _input_usd: Decimal = NOTHING
    """For a token of its prompt."""
    _token_usd: Decimal = NOTHING
    """For a token of its answer."""
    _priced: tuple[ModelSpec, Ceiling | None] | None = None
    """The model that was asked about last, and what a plain call with a short prompt costs there."""
    _said: Transcript | None = None
    """Of that call, once it is over; looked at only where another call follows."""
    _waited_s: float = 0.0
    """For money of others, by all its calls."""
    _refused: BudgetRefused | None = None
    _warnings: dict[str, None] = attrs.field(factory=dict)
    _is_closed: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    def demand_price(self, spec: ModelSpec, *, parameters: Mapping[str, JSONValue] = NO_PARAMETERS) -> None:
        if self._rules.unpriced == "allow" or self._plan.is_soft:
            return
        if self._ceiling(spec, 0, parameters) is not None:
            return
        tier = next((name for name in _TIERS if parameters.get(name)), None)
        if tier is not None and self._ceilings.of(spec.ref, 0, NO_PARAMETERS) is not None:
            raise InvalidRequest.of(
                Fault(
                    path=tier,
                    message=f"what {spec.ref} costs with this `{tier}` is unknown, and a budget applies: leave `{tier}` "
                    f"out, or set `prices` for `{spec.ref}` in the configuration, which hold for every tier",
                )
            )
        raise InvalidRequest.of(
            Fault(
                path="model",
                message=f"what {spec.ref} costs is unknown, and a budget applies: set `prices` for `{spec.ref}` in "
                "the configuration, or `budgets.unpriced: allow` to leave such models uncounted",
            )
        )

    async def cover(self, spec: ModelSpec, request: ChatRequest) -> ChatRequest:
        keeper = self._keeper
        if self._said is not None:
            self._reckon(self._said)
        prompt_tokens = prompt_ceiling(request)
        ceiling = self._ceiling(spec, prompt_tokens, request.parameters)
        if ceiling is None:
            self.demand_price(spec, parameters=request.parameters)
            self._last = NOTHING
            return request
        if not (ceiling.input_per_mtok or ceiling.output_per_mtok):
            self._last = NOTHING
            return request
        if not self._counters:
            self._attach()
            if not keeper.knows(self._each):
                await keeper.know(self._each)
            if self._plan.has_soft:
                self._mind_soft()
        if not self._hard:
            return request
        tokens = request.max_tokens
        if tokens is None:
            tokens = spec.max_output_tokens or spec.context_window
            if tokens is None:
                tokens = UNKNOWN_TOKENS
                request = attrs.evolve(request, max_tokens=tokens)
        self._input_usd = ceiling.input_per_mtok.scaleb(-6)
        self._prompt_usd = prompt_usd = prompt_tokens * self._input_usd
        self._token_usd = token_usd = ceiling.output_per_mtok.scaleb(-6)
        want = prompt_usd + tokens * token_usd
        more = want - self._unused
        if more <= 0 or keeper.take(self._hard, more):
            self._cover_by(want, more)
            return request
        return await self._cover_in_need(spec, request, tokens, prompt_usd, token_usd)

    async def _cover_in_need(
        self, spec: ModelSpec, request: ChatRequest, tokens: int, prompt_usd: Decimal, token_usd: Decimal
    ) -> ChatRequest:
        """As `cover`, where the money is not at hand."""
        want = prompt_usd + tokens * token_usd
        least = enough = want
        may_shorten = self._command.max_tokens is None and token_usd > 0
        if may_shorten:
            least = prompt_usd + min(tokens, LEAST_TOKENS) * token_usd
            enough = prompt_usd + min(tokens, ENOUGH_TOKENS) * token_usd
        unused, began = self._unused, self._keeper.monotonic()
        granted = await self._keeper.acquire(
            self._hard,
            want - unused,
            enough_usd=max(NOTHING, enough - unused),
            least_usd=max(NOTHING, least - unused),
            own_usd=self._taken,
            wait_s=max(0.0, self._rules.wait_s - self._waited_s),
        )
        self._waited_s += self._keeper.monotonic() - began
        if granted is None:
            self._free_unused()
            raise self._refusal(want, least, prompt_usd, token_usd)
        if granted >= want - unused:
            self._cover_by(want, granted)
            return request
        fitting = int((granted + unused - prompt_usd) / token_usd)
        used = prompt_usd + fitting * token_usd
        self._cover_by(used, granted)
        self._unused = granted + unused - used
        self._free_unused()
        self._warn(
            f"the answer of {spec.ref} may have {fitting:,} tokens at most, not {tokens:,}: "
            "the budget does not hold more"
        )
        return attrs.evolve(request, max_tokens=fitting)

    def unsaid(self) -> None:
        self._unused += self._last
        self._last = NOTHING

    def ended(self, transcript: Transcript) -> None:
        self._said = transcript

    def refused(self) -> None:
        if self._refused is not None:
            self._telemetry.emit(self._refused)

    def spends(self, cost_usd: Decimal | None) -> tuple[Spend, ...]:
        amount = self._amount(cost_usd)
        if not amount:
            return ()
        return tuple(
            [
                _spend(
                    subject=counter.key.subject,
                    period=counter.key.period,
                    starts_at=counter.starts_at,
                    amount_usd=amount,
                )
                for counter in self._each
                if counter.starts_at is not None
            ]
        )

    def settle(self, cost_usd: Decimal | None) -> None:
        amount, taken = self._amount(cost_usd), self._taken
        for counter in self._hard:
            counter.settle(taken, amount)
        for counter in self._uncapped:
            counter.settle(NOTHING, amount)
        self._empty()

    def lose(self, cost_usd: Decimal | None) -> None:
        amount, taken = self._amount(cost_usd), self._taken
        for counter in self._hard:
            counter.lose(taken, amount)
        for counter in self._uncapped:
            counter.lose(NOTHING, amount)
        self._empty()

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._taken:
            self._keeper.give_back(self._hard, self._taken)
            self._taken = self._last = self._unused = NOTHING
        for counter in self._each:
            counter.purses -= 1

    def states(self) -> tuple[BudgetState, ...]:
        plan, caller = self._plan, self._command.caller
        counters: Sequence[LocalCounter | None] = self._counters
        if not counters:
            known = [self._keeper.peek(key) for key, _ in plan.counters]
            counters = [known[place] for place in plan.places]
        return tuple(
            [
                state_of(each, counter)
                for each, counter in zip(plan.applied, counters, strict=True)
                if counter is not None and (caller.user is None or is_shown(caller, each.subject))
            ]
        )

    def _attach(self) -> None:
        plan = self._plan
        self._each = each = self._keeper.counters(plan.counters)
        if plan.is_plain:
            self._counters = self._hard = each
        else:
            self._counters = tuple([each[place] for place in plan.places])
            limits = [limit_usd for _, limit_usd in plan.counters]
            self._hard = tuple([each[place] for place, limit in enumerate(limits) if limit is not None])
            self._uncapped = tuple([each[place] for place, limit in enumerate(limits) if limit is None])
        for one in each:
            one.purses += 1

    def _ceiling(
        self, spec: ModelSpec, prompt_tokens: int, parameters: Mapping[str, JSONValue]
    ) -> Ceiling | None:
        if prompt_tokens > SHORT or parameters:
            return self._ceilings.of(spec.ref, prompt_tokens, parameters)
        if self._priced is None or self._priced[0] is not spec:
            self._priced = (spec, self._ceilings.of(spec.ref, prompt_tokens, parameters))
        return self._priced[1]

    def _cover_by(self, want: Decimal, more: Decimal) -> None:
        """`more` was committed beyond what is unused; where it is negative, less is needed than there was."""
        if more < 0:
            self._keeper.give_back(self._hard, -more)
        self._taken += more
        self._last, self._unused = want, NOTHING

    def _reckon(self, said: Transcript) -> None:
        """The last call is charged by what was reported, or by a count of what was said: a token has a byte at least."""
        self._said = None
        reported, prompt_usd = said.reported, self._prompt_usd
        tokens = said.reported_tokens if said.finish_reason is not None else None
        if reported is not None and reported.input_tokens is not None:
            prompt_usd = reported.input_tokens * self._input_usd
        if tokens is None:
            tokens = max(said.most_tokens, said.reported_tokens or 0)
        spare = self._last - prompt_usd - tokens * self._token_usd
        if spare > 0:
            self._last -= spare
            self._unused += spare

    def _free_unused(self) -> None:
        if self._unused:
            self._taken -= self._unused
            self._keeper.give_back(self._hard, self._unused)
            self._unused = NOTHING

    def _empty(self) -> None:
        self._taken = self._last = self._unused = NOTHING
        self._keeper.changed(self._hard)
        if self._plan.has_soft:
            self._mind_soft(warn=False)

    def _amount(self, cost_usd: Decimal | None) -> Decimal:
        """Where a price is unknown, all that the others of its calls may have cost."""
        return self._taken - self._unused if cost_usd is None else cost_usd

    def _warn(self, text: str) -> None:
        self._warnings[text] = None

    def _mind_soft(self, *, warn: bool = True) -> None:
        if not self._counters:  # every call was free
            return
        for each, counter in zip(self._plan.applied, self._counters, strict=True):
            budget = each.budget
            if not budget.soft or counter.spent_usd < budget.limit_usd:
                continue
            if warn and is_shown(self._command.caller, each.subject):
                self._warn(used_up(each, counter.spent_usd))
            if self._keeper.is_first_told(counter, budget.limit_usd):
                self._telemetry.emit(
                    BudgetPassed(
                        tenant=self._command.tenant,
                        key_id=self._command.caller.key_id,
                        subject=each.subject.kind,
                        period=budget.period,
                        limit_usd=budget.limit_usd,
                        spent_usd=counter.spent_usd,
                    )
                )

    def _refusal(
        self, want: Decimal, least: Decimal, prompt_usd: Decimal, token_usd: Decimal
    ) -> BudgetExceeded:
        applied, counter = min(
            (
                (each, counter)
                for each, counter in zip(self._plan.applied, self._counters, strict=True)
                if not each.budget.soft
            ),
            key=lambda found: found[0].budget.limit_usd - found[1].spent_usd - found[1].others_usd,
        )
        budget = applied.budget
        most = (
            budget.limit_usd - counter.spent_usd - self._taken
        )  # what its other calls cost is not left, either
        command = self._command
        self._refused = BudgetRefused(
            request_id=command.request_id,
            tenant=command.tenant,
            key_id=command.caller.key_id,
            subject=applied.subject.kind,
            period=budget.period,
            limit_usd=budget.limit_usd,
            spent_usd=counter.spent_usd,
        )
        return refusal(
            command,
            applied,
            counter,
            most_usd=most,
            want_usd=want,
            least_usd=least,
            prompt_usd=prompt_usd,
            token_usd=token_usd,
        )
