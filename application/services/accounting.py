"""What an answer took and cost."""

import asyncio
import datetime
from decimal import Decimal

from application.ports.price_book import PriceBook
from application.services.run import Run
from application.services.transcript import Transcript
from domain.attempt import Attempt
from domain.chat import ChatRequest
from domain.model import ModelSpec
from domain.passes.compiler_pass import TokenMeter
from domain.passes.prompt_size import count_prompt
from domain.usage import AT_LIST_PRICE, Usage
from domain.values import evolve, frozen, maker

_usage = maker(Usage)


@frozen(kw_only=True)
class Bill:
    usage: Usage
    cost_usd: Decimal | None
    """None where the price is unknown."""


_bill = maker(Bill)


@frozen(kw_only=True)
class Accounting:
    prices: PriceBook
    meter: TokenMeter

    async def bill(
        self, request: ChatRequest, spec: ModelSpec, transcript: Transcript, *, at: datetime.datetime
    ) -> Bill:
        """The provider's own numbers where it gave usable ones; an explicit 0 stays 0. Else our count."""
        return self._as_reported(spec, transcript, at) or await self._estimated(request, spec, transcript, at)

    def _as_reported(self, spec: ModelSpec, transcript: Transcript, at: datetime.datetime) -> Bill | None:
        """None where the provider gave no usable numbers."""
        reported = transcript.reported
        if reported is None or reported.input_tokens is None or reported.output_tokens is None:
            return None
        usage = _usage(
            input_tokens=reported.input_tokens,
            output_tokens=reported.output_tokens,
            cached_input_tokens=reported.cached_input_tokens,
            cache_write_tokens=reported.cache_write_tokens,
            reasoning_tokens=reported.reasoning_tokens,
        )
        return _bill(usage=usage, cost_usd=self.prices.cost(spec.ref, usage, at=at, apart=reported.apart))

    async def _estimated(
        self, request: ChatRequest, spec: ModelSpec, transcript: Transcript, at: datetime.datetime
    ) -> Bill:
        usage = await asyncio.to_thread(self._estimate, request, spec, transcript)
        apart = AT_LIST_PRICE if transcript.reported is None else transcript.reported.apart
        return _bill(usage=usage, cost_usd=self.prices.cost(spec.ref, usage, at=at, apart=apart))

    def _estimate(self, request: ChatRequest, spec: ModelSpec, transcript: Transcript) -> Usage:
        reported = transcript.reported
        input_tokens = reported.input_tokens if reported is not None else None
        output_tokens = reported.output_tokens if reported is not None else None
        if input_tokens is None:
            input_tokens = count_prompt(request, spec, self.meter).total
        if output_tokens is None:
            said = transcript.text + "".join(call.name + call.arguments for call in transcript.tool_calls)
            output_tokens = self.meter.count_text(said, spec).tokens
        return _usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            # The provider's word for the half that it did report.
            cached_input_tokens=0 if reported is None else reported.cached_input_tokens,
            cache_write_tokens=0 if reported is None else reported.cache_write_tokens,
            reasoning_tokens=0 if reported is None else reported.reasoning_tokens,
            estimated=True,
        )

    async def charge(self, run: Run, *, at: datetime.datetime) -> tuple[tuple[Attempt, ...], Bill | None]:
        """The run's attempts with what each took, and all of it together; None where nothing was said."""
        attempts = list(run.attempts)
        total: Bill | None = None
        for index, said in run.said.items():
            bill = self._as_reported(said.spec, said.transcript, at)
            if bill is None:
                bill = await self._estimated(said.request, said.spec, said.transcript, at)
            attempts[index] = evolve(attempts[index], usage=bill.usage, cost_usd=bill.cost_usd)
            total = bill if total is None else add_bills(total, bill)
        return tuple(attempts), total


def add_bills(first: Bill, second: Bill) -> Bill:
    """Two calls that were paid for together."""
    one, two = first.usage, second.usage
    usage = _usage(
        input_tokens=one.input_tokens + two.input_tokens,
        output_tokens=one.output_tokens + two.output_tokens,
        cached_input_tokens=one.cached_input_tokens + two.cached_input_tokens,
        cache_write_tokens=one.cache_write_tokens + two.cache_write_tokens,
        reasoning_tokens=one.reasoning_tokens + two.reasoning_tokens,
        estimated=one.estimated or two.estimated,
    )
    unknown = first.cost_usd is None or second.cost_usd is None
    cost = None if unknown else (first.cost_usd or Decimal(0)) + (second.cost_usd or Decimal(0))
    return _bill(usage=usage, cost_usd=cost)
