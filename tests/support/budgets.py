"""Keepers of budgets, and chats that spend."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import attrs

from adapters.in_memory.price_book import FixedPriceBook
from adapters.in_memory.store import InMemoryStore
from adapters.in_memory.telemetry import RecordingTelemetry
from adapters.system import SystemClock, UUID7Generator
from application.ports.price_book import Price, PriceBook
from application.ports.store import Store
from application.services.budget_keeper import BudgetKeeper
from application.services.chat_budgets import ChatBudgets
from application.services.purse import Purse
from application.use_cases.chat_command import SendChatCommand
from domain.access import ANYBODY, Caller
from domain.chat import ChatRequest
from domain.ids import DEFAULT_TENANT, Tenant, ThreadId
from domain.limits.budget import Budget
from domain.limits.budget_rules import BudgetRules
from domain.limits.budget_text import parse_budget
from domain.message import Message
from domain.model import ModelRef, ModelSpec

MODEL = ModelRef("openai", "gpt-test")
UNPRICED = ModelRef("openai", "nobody-knows")
FREE = ModelRef("demo", "demo")
SPEC = ModelSpec(ref=MODEL, context_window=100_000, max_output_tokens=10_000)
PRICES = FixedPriceBook(
    {
        # A token of an answer is a dollar, one of a prompt is free: what a chat needs is its `max_tokens`.
        MODEL: Price(input_per_mtok=Decimal(0), output_per_mtok=Decimal(1_000_000)),
        FREE: Price(input_per_mtok=Decimal(0), output_per_mtok=Decimal(0)),
    }
)


def budgets(*texts: str, soft: bool = False) -> tuple[Budget, ...]:
    return tuple(parse_budget(text, soft=soft) for text in texts)


def request(max_tokens: int | None = None, model: ModelRef = MODEL, text: str = "hello") -> ChatRequest:
    return ChatRequest(messages=(Message.of("user", text),), model=model, max_tokens=max_tokens)


@attrs.define
class Process:
    """One process of several."""

    budgets: ChatBudgets
    keeper: BudgetKeeper
    telemetry: RecordingTelemetry

    def purse(
        self,
        *,
        max_tokens: int | None = None,
        tenant: str = DEFAULT_TENANT,
        caller: Caller = ANYBODY,
        user: str | None = None,
        thread: str | None = None,
    ) -> Purse:
        purse = self.open(caller, max_tokens=max_tokens, tenant=tenant, user=user, thread=thread)
        assert purse is not None
        return purse

    def open(
        self,
        caller: Caller,
        *,
        max_tokens: int | None = None,
        tenant: str = DEFAULT_TENANT,
        user: str | None = None,
        thread: str | None = None,
    ) -> Purse | None:
        """None where no budget applies."""
        command = SendChatCommand(
            request_id="r", tenant=Tenant(tenant), caller=caller, user=user, max_tokens=max_tokens
        )
        return self.budgets.open(command, ThreadId(thread or str(uuid.uuid4())), user=user)

    async def covered(self, max_tokens: int, *, tenant: str = DEFAULT_TENANT) -> Purse:
        """A purse whose one call is covered for as many dollars."""
        purse = self.purse(max_tokens=max_tokens, tenant=tenant)
        await purse.cover(SPEC, request(max_tokens))
        return purse


@asynccontextmanager
async def process(
    store: Store | None = None,
    *,
    rules: BudgetRules,
    prices: PriceBook = PRICES,
    lease_s: float = 15.0,
    beat_s: float = 0.02,
    idle_s: float = 0.05,
    sweep_s: float = 30.0,
) -> AsyncIterator[Process]:
    telemetry = RecordingTelemetry()
    ledger = (store or InMemoryStore()).budgets
    keeper = BudgetKeeper(
        ledger=ledger,
        clock=SystemClock(),
        ids=UUID7Generator(),
        lease_s=lease_s,
        beat_s=beat_s,
        idle_s=idle_s,
        sweep_s=sweep_s,
    )
    keeper.start()
    try:
        budgets = ChatBudgets(
            rules=rules,
            keeper=keeper,
            ledger=ledger,
            prices=prices,
            clock=SystemClock(),
            telemetry=telemetry,
        )
        yield Process(budgets, keeper, telemetry)
    finally:
        await keeper.aclose()
