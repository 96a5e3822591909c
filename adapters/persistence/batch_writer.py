"""How a commit queue writes, and all that can become of it."""

from collections.abc import Sequence
from typing import Final, Protocol

from adapters.persistence.thread_counters import ThreadKey
from domain.ids import MessageId
from domain.thread import ChatRecord

AWAY: Final = "the database is away; try again in a moment"


class BatchFailure(Exception):
    """A batch was not stored, or can't be known to be. `reason` is lor3's own words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def told(self) -> str:
        """What the caller of a chat may know of it: nothing of how the database is reached."""
        return self.reason


class RefusedRows(BatchFailure):
    """Rolled back: the database will never take one of these records."""

    def __init__(self, reason: str, *, orphan: bool = False) -> None:
        super().__init__(reason)
        self.orphan = orphan
        """What a row belongs to does not exist."""


class ClaimLost(RefusedRows):
    """Rolled back: an idempotency key that one of these records completes is held by another run, or by none."""


class Collision(BatchFailure):
    """Rolled back because of another transaction; trying again may well succeed."""


class Blocked(BatchFailure):
    """Rolled back: another transaction holds a row that one of these records needs."""


class ConnectionLost(BatchFailure):
    """The connection ended; whether the batch was committed is unknown."""

    @property
    def told(self) -> str:
        return AWAY


class Silent(ConnectionLost):
    """No answer came in time."""

    @property
    def told(self) -> str:
        return self.reason


class NoConnectionFree(ConnectionLost):
    """Nothing was sent: other work holds every connection of the pool."""

    @property
    def told(self) -> str:
        return "the database's connections are all in use; try again in a moment"


class StoreRefused(BatchFailure):
    """Rolled back, and trying again at once would not help: disk full, a statement past its limit."""

    @property
    def told(self) -> str:
        return "the database takes no chats now; try again in a moment"


class SchemaBehind(StoreRefused):
    """Rolled back: the database's schema is missing or old."""

    @property
    def told(self) -> str:
        return self.reason


class BatchWriter(Protocol):
    """One connection that writes. Not for concurrent use."""

    async def write(self, records: Sequence[ChatRecord]) -> frozenset[ThreadKey]:
        """Commits the records; returns the threads that no longer exist, whose records were left out.

        Raises:
            BatchFailure: as its subclasses say. After ConnectionLost the next call connects anew.
        """

    async def stored(self, ids: Sequence[MessageId]) -> frozenset[MessageId]:
        """Which of these messages exist.

        Raises:
            BatchFailure: as for `write`.
        """

    async def ping(self) -> None:
        """Finds out whether a batch could be written now.

        Raises:
            BatchFailure: as for `write`.
        """

    async def prove(self) -> None:
        """Writes what a batch would, with room to spare, and takes it back: more than `ping`, and more costly.

        Raises:
            BatchFailure: as for `write`.
        """

    def hung_up(self) -> bool:
        """Whether the connection, while idle, is known to have ended. No I/O that waits."""

    async def aclose(self) -> None: ...
