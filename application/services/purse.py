"""The money that one chat may spend."""

from decimal import Decimal
from typing import Final, Protocol

from application.services.transcript import Transcript
from application.use_cases.chat_command import SendChatCommand
from domain.access import Caller
from domain.chat import ChatRequest
from domain.ids import ThreadId
from domain.limits.budget import BudgetState, Spend
from domain.model import ModelSpec
from domain.values import frozen


class Purse(Protocol):
    """Covers each call to a provider before it is made, for the most that it can cost.

    Not for concurrent use: a chat makes one call after the other.
    """

    def demand_price(self, spec: ModelSpec) -> None:
        """
        Raises:
            InvalidRequest: what the model costs is unknown, and a hard budget applies.
        """

    async def cover(self, spec: ModelSpec, request: ChatRequest) -> ChatRequest:
        """Reserves what the call may cost; the request, perhaps with fewer `max_tokens` where nobody had asked for so
        many.

        Args:
            request: as compiled for `spec`.

        Raises:
            BudgetExceeded: a hard budget does not hold it. What calls that said nothing had left is free then.
            InvalidRequest: what it costs is unknown.
        """

    def unsaid(self) -> None:
        """The call that was covered last said nothing, so it cost nothing: the next one may have its cover."""

    def ended(self, transcript: Transcript) -> None:
        """The call that was covered last is over, whole or cut: what it can't have cost, having said no more than this,
        the next one may have."""

    def refused(self) -> None:
        """The chat ends with a `BudgetExceeded` of `cover`: telemetry is told."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Such as that a soft budget is used up, or that the answer was kept short."""

    def spends(self, cost_usd: Decimal | None) -> tuple[Spend, ...]:
        """What the record of the chat is to say.

        Args:
            cost_usd: of all its calls together; None where a price is unknown.
        """

    def settle(self, cost_usd: Decimal | None) -> None:
        """The record is stored with its `spends`. What is left over is free at once."""

    def lose(self, cost_usd: Decimal | None) -> None:
        """It was paid for and could not be stored: it counts all the same, as soon as the database takes it."""

    def close(self) -> None:
        """Gives back what was neither settled nor lost. Any number of times."""

    def states(self) -> tuple[BudgetState, ...]:
        """Where the budgets that apply stand now; only those of the user and the thread where the caller is a user's
        browser."""


class Budgets(Protocol):
    """Opens purses."""

    def open(self, command: SendChatCommand, thread_id: ThreadId, *, user: str | None) -> Purse | None:
        """None where no budget applies. No I/O.

        Args:
            thread_id: which may be new.
            user: whose session it is.
        """

    async def states(self, caller: Caller) -> tuple[BudgetState, ...]:
        """Where those stand that the caller may see, those of threads apart.

        Raises:
            StorageUnavailable: nobody can tell now.
        """


@frozen
class Unlimited:
    """No budgets at all."""

    def open(self, command: SendChatCommand, thread_id: ThreadId, *, user: str | None) -> Purse | None:
        return None

    async def states(self, caller: Caller) -> tuple[BudgetState, ...]:
        return ()


UNLIMITED: Final = Unlimited()
