"""The log of a process that is alone: its own memory holds the answers under way."""

from collections.abc import Callable

from application.ports.event_log import AnswerAddress, PortionSink
from domain.answer import ChatAdmitted
from domain.ids import MessageId, Tenant
from domain.live_answer import Ending, Portion
from domain.values import frozen


@frozen(kw_only=True)
class LocalEventLog:
    """Tells nobody, since there is nobody else."""

    is_shared: bool = False

    def begin(
        self, address: AnswerAddress, *, names: tuple[str, ...] = (), asked: ChatAdmitted | None = None
    ) -> None:
        """Nobody asks."""

    def publish(self, address: AnswerAddress, portion: Portion) -> None:
        """Nobody reads."""

    def end(self, address: AnswerAddress, ending: Ending) -> None:
        """Nobody waits."""

    async def find(self, address_of: Tenant, name: str) -> MessageId | None:
        return None

    async def asked(self, address_of: Tenant, name: str) -> ChatAdmitted | None:
        return None

    async def follow(self, address: AnswerAddress, into: PortionSink) -> None:
        return None

    async def ask_to_stop(self, address: AnswerAddress) -> None:
        """No other process makes it."""

    def on_stop(self, asked: Callable[[AnswerAddress], None]) -> None:
        """Nobody will ask."""

    async def start(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""
