"""Explain a chat without sending it."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import attrs

from application.ports.chat_provider import ChatProvider, ProviderCall
from application.ports.clock import Clock
from application.ports.price_book import PriceBook
from application.services.compilation import Compilation
from application.services.purse import UNLIMITED, Budgets
from application.services.request_assembly import Assembly, RequestAssembly
from application.services.route_health import RouteHealth
from application.use_cases.chat_command import SendChatCommand
from domain.chat import ChatRequest
from domain.errors import InvalidRequest
from domain.explanation import CandidateView, CostView, Explanation, TokenView, WireView
from domain.ids import ThreadId
from domain.memory import context_use
from domain.model import ModelSpec
from domain.passes.manager import Compiled
from domain.passes.memory_lane import memory_turns
from domain.passes.prompt_size import PromptSize, count_prompt
from domain.routing.plan import Candidate
from domain.summary import Fold
from domain.usage import Usage


@attrs.define(kw_only=True)
class ExplainChat:
    """Everything SendChat would do up to the provider call, shown; nothing is sent or stored."""

    _assembly: RequestAssembly
    _compilation: Compilation
    _health: RouteHealth
    _providers: Mapping[str, ChatProvider]
    _prices: PriceBook
    _clock: Clock
    _budgets: Budgets = UNLIMITED

    async def execute(self, command: SendChatCommand) -> Explanation:
        """Asks no provider and writes nothing; reads the thread where one is continued.

        Raises:
            InvalidRequest: the request can't be understood. That no candidate is left is part of the
                explanation, not an error.
            NotFound: there is no such thread or session.
        """
        assembly = await self._assembly.assemble(
            command, now=self._clock.now(), new_thread=command.request_id, use_prompt=False
        )
        views: list[CandidateView] = []
        first: tuple[ModelSpec, Compiled] | None = None
        for candidate in assembly.candidates:
            view, compiled = await self._judge(assembly.request, candidate, is_first=first is None)
            views.append(view)
            if view.included and compiled is not None and first is None:
                first = (candidate.spec, compiled)
        size = await self._size(*first) if first else None
        before = memory_turns(assembly.request.memory) + assembly.request.history
        history = before if first is None else first[1].request.history
        return Explanation(
            request=assembly.request,
            passes=first[1].trace if first else (),
            compiled=first[1].request if first else None,
            prompt=assembly.request.prompt,
            context=context_use(assembly.memory, history),
            kept_messages=len(history) + len(assembly.request.messages),
            dropped_messages=len(before) - len(history),
            candidates=tuple(views),
            tokens=_tokens(*first, size) if first and size else None,
            wire=self._wire(*first, stream=command.stream) if first else None,
            cost=self._cost(*first, size.total) if first and size else None,
            warnings=(
                *assembly.warnings,
                *self._would_be_refused(command, assembly),
                *_would_summarise(assembly.due),
                *(first[1].warnings if first else ()),
            ),
        )

    def _would_be_refused(self, command: SendChatCommand, assembly: Assembly) -> tuple[str, ...]:
        """Where a hard budget is known to be used up."""
        thread_id = ThreadId(command.request_id) if assembly.thread is None else assembly.thread.id
        user = command.user if assembly.session is None else assembly.session.user
        purse = self._budgets.open(command, thread_id, user=user)
        states = () if purse is None else purse.states()
        return tuple(
            f"a budget of the {each.subject} is used up: a chat that costs anything would be refused"
            for each in states
            if not each.soft and each.spent_usd >= each.limit_usd
        )

    async def _judge(
        self, request: ChatRequest, candidate: Candidate, *, is_first: bool
    ) -> tuple[CandidateView, Compiled | None]:
        ref = candidate.spec.ref

        def out(reason: str) -> tuple[CandidateView, None]:
            return CandidateView(model=ref, included=False, reason=reason), None

        if candidate.refusal is not None:
            return out(candidate.refusal)
        closed = self._health.closed(ref)
        if closed is not None:
            return out(closed.reason)
        try:
            compiled = await self._compilation.compile_for(request, candidate.spec, keep_trace=True)
        except InvalidRequest as refusal:
            return out(refusal.detail)
        reason = "it would be asked first" if is_first else "it would be asked if those before it fail"
        return CandidateView(model=ref, included=True, reason=reason), compiled

    async def _size(self, spec: ModelSpec, compiled: Compiled) -> PromptSize:
        return await asyncio.to_thread(count_prompt, compiled.request, spec, self._compilation.meter)

    def _wire(self, spec: ModelSpec, compiled: Compiled, *, stream: bool) -> WireView:
        provider = self._providers[spec.ref.provider]
        pacing = self._health.pacing(spec.ref, provider.timeouts)
        stream = stream or pacing.wants_stream(self._clock.monotonic())
        wire = provider.lower(ProviderCall(request=compiled.request, spec=spec, stream=stream))
        return WireView(method=wire.method, url=wire.url, body=wire.body)

    def _cost(self, spec: ModelSpec, compiled: Compiled, prompt_tokens: int) -> CostView:
        now = self._clock.now()

        def cost(output_tokens: int) -> Decimal | None:
            usage = Usage(input_tokens=prompt_tokens, output_tokens=output_tokens, estimated=True)
            return self._prices.cost(spec.ref, usage, at=now)

        longest = compiled.request.max_tokens or spec.max_output_tokens
        return CostView(prompt_usd=cost(0), max_total_usd=None if longest is None else cost(longest))


def _tokens(spec: ModelSpec, compiled: Compiled, size: PromptSize) -> TokenView:
    return TokenView(
        prompt_tokens=size.total,
        estimated=size.estimated,
        max_output_tokens=compiled.request.max_tokens,
        context_window=spec.context_window,
        model_max_output_tokens=spec.max_output_tokens,
    )


def _would_summarise(due: Fold | None) -> tuple[str, ...]:
    if due is None:
        return ()
    return (
        f"what was said up to message #{due.up_to} would be summarised first, by a call of its own;"
        " shown is the prompt without that summary",
    )
