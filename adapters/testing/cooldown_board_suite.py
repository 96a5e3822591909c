"""What every cooldown board must do."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager

from adapters.in_memory.clock import ManualClock
from application.ports.clock import Clock
from application.ports.cooldown_board import CooldownBoard


class CooldownBoardSuite(ABC):
    """Subclass it, make the board, and let pytest collect it."""

    @abstractmethod
    def open(self, clock: Clock) -> AbstractAsyncContextManager[CooldownBoard]:
        """A started board that shares with nobody else's test."""

    async def test_an_unknown_route_is_open(self) -> None:
        """Nothing is closed to begin with."""
        async with self.open(ManualClock()) as board:
            assert board.active("openai:gpt-4") is None

    async def test_a_closed_route_is_seen_at_once(self) -> None:
        """Without waiting for anything."""
        async with self.open(ManualClock()) as board:
            board.close_route("openai:gpt-4", "rate_limited", for_s=10)
            cooldown = board.active("openai:gpt-4")

            assert cooldown is not None
            assert (
                cooldown.route,
                cooldown.kind,
                cooldown.remaining_s,
            ) == ("openai:gpt-4", "rate_limited", 10.0)
            assert board.active("openai:gpt-4o") is None

    async def test_a_route_opens_again(self) -> None:
        """When its time is over, to the tick."""
        clock = ManualClock()
        async with self.open(clock) as board:
            board.close_route("openai", "quota_exhausted", for_s=10)
            clock.advance(9.5)
            assert board.active("openai") is not None
            clock.advance(0.5)
            assert board.active("openai") is None

    async def test_closing_extends_and_never_shortens(self) -> None:
        """The longer word counts."""
        async with self.open(ManualClock()) as board:
            board.close_route("openai", "quota_exhausted", for_s=300)
            board.close_route("openai", "rate_limited", for_s=2)
            cooldown = board.active("openai")

            assert cooldown is not None
            assert cooldown.remaining_s == 300
            board.close_route("openai", "rate_limited", for_s=400)
            cooldown = board.active("openai")
            assert cooldown is not None
            assert cooldown.remaining_s == 400

    async def test_nonsense_durations_close_nothing(self) -> None:
        """Zero, negative, not a number."""
        async with self.open(ManualClock()) as board:
            for seconds in (0.0, -1.0, float("nan")):
                board.close_route("openai", "rate_limited", for_s=seconds)

            assert board.active("openai") is None

    async def test_it_stays_bounded(self) -> None:
        """Model names can come from callers."""
        async with self.open(ManualClock()) as board:
            for number in range(12_000):
                board.close_route(f"openai:{number}", "rate_limited", for_s=10)
            known = sum(board.active(f"openai:{number}") is not None for number in range(12_000))

            assert known <= 10_000
