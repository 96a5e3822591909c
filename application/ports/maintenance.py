"""What a store does to stay small and fast."""

import datetime
from typing import Final, Protocol

from domain.errors import Fault, InvalidRequest
from domain.values import frozen

YOUNGEST_MESSAGES: Final = datetime.timedelta(days=1)
"""Messages of less go for no reason: a cut-off closer than this is a slip, or of a clock that goes ahead."""


@frozen(kw_only=True)
class Retention:
    """What may go. None keeps it for ever."""

    messages_before: datetime.datetime | None = None
    """Messages, with all that belongs to them, older than this; then threads and sessions left without any."""
    deleted_before: datetime.datetime | None = None
    """Threads that were deleted before this, whole."""
    keys_before: datetime.datetime | None = None
    """Idempotency keys whose time was over before this."""

    def demand_past(self, now: datetime.datetime) -> None:
        """
        Raises:
            InvalidRequest: messages of the last day, or what is yet to come, would go.
        """
        for path, before, latest in (
            ("messages_before", self.messages_before, now - YOUNGEST_MESSAGES),
            ("deleted_before", self.deleted_before, now),
            ("keys_before", self.keys_before, now),
        ):
            if before is not None and before > latest:
                raise InvalidRequest.of(
                    Fault(
                        path=path,
                        message=f"must be no later than {_shown(latest)} by the clock of the database; it is "
                        f"{_shown(before)}",
                    )
                )


@frozen(kw_only=True)
class PruneReport:
    """What went, or would go."""

    partitions: tuple[str, ...] = ()
    """Dropped whole, oldest first."""
    messages: int = 0
    is_estimated: bool = False
    """Whether `messages` is an estimate, as those of dropped partitions can be."""
    threads: int = 0
    sessions: int = 0
    keys: int = 0


@frozen(kw_only=True)
class PartitionState:
    """How far the months are made that messages go to."""

    reach: datetime.datetime | None
    """Every month from this one on has its place, up to here; None where this month has none."""
    missing: tuple[str, ...] = ()
    """Partitions that should be there by now."""
    unsecured: tuple[str, ...] = ()
    """Partitions without row security, though their table has it: made by hand."""
    in_default: int = 0
    """Messages, estimated, that lie where nothing else took them."""


@frozen(kw_only=True)
class TableRights:
    """What the role that asks may not do with the tables: statements that give it the right, for the owner to run."""

    for_chats: tuple[str, ...] = ()
    """Without which no chat can be stored."""
    others: tuple[str, ...] = ()


class Maintenance(Protocol):
    """Work for a moment of calm, of all tenants. Safe beside a serving lor3, and beside itself."""

    async def now(self) -> datetime.datetime:
        """The time by the clock of the database, where it has one: that of this host may go wrong.

        Raises:
            StorageUnavailable: the database is away or refuses.
        """

    async def prune(self, retention: Retention, *, dry_run: bool = False) -> PruneReport:
        """Removes what is older, in portions that hold no lock for long.

        On PostgreSQL a month whose messages are all older goes as a whole; a message of a month that is kept
        in part stays until the month is over. A message that a fork copied is as old as the fork.

        Raises:
            InvalidRequest: messages of the last day, or what is yet to come, would go by the time of `now`.
            StorageUnavailable: the database is away or refuses; what was removed so far stays removed.
        """

    async def prepare(self) -> tuple[str, ...]:
        """Makes the partitions that are missing, and returns their names.

        Those of the months to come, and of months gone by whose messages lie where nothing else took them. What
        was made by hand without row security gets it.

        Raises:
            StorageUnavailable: as for `prune`; also where the role may not create tables.
        """

    async def partitions(self) -> PartitionState | None:
        """None where the store has no partitions.

        Raises:
            StorageUnavailable: the database is away or refuses.
        """

    async def lacking_rights(self) -> TableRights:
        """What the store's role lacks; nothing where the store knows no rights.

        Raises:
            StorageUnavailable: the database is away or refuses.
        """


def _shown(moment: datetime.datetime) -> str:
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
