"""What a store does to stay small and fast."""

import datetime
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class Retention:
    """What may go. None keeps it for ever."""

    messages_before: datetime.datetime | None = None
    """Messages, with all that belongs to them, older than this; then threads and sessions left without any."""
    deleted_before: datetime.datetime | None = None
    """Threads that were deleted before this, whole."""
    keys_before: datetime.datetime | None = None
    """Idempotency keys whose time was over before this."""


@attrs.frozen(kw_only=True)
class PruneReport:
    """What went, or would go."""

    partitions: tuple[str, ...] = ()
    """Dropped whole, oldest first."""
    messages: int = 0
    """Estimated for those in dropped partitions."""
    threads: int = 0
    sessions: int = 0
    keys: int = 0


@attrs.frozen(kw_only=True)
class PartitionState:
    """How far the months are made that messages go to."""

    reach: datetime.datetime | None
    """Every month from this one on has its place, up to here; None where this month has none."""
    missing: tuple[str, ...] = ()
    """Partitions that should be there by now."""
    in_default: int = 0
    """Messages, estimated, that lie where nothing else took them."""


class Maintenance(Protocol):
    """Work for a moment of calm, of all tenants. Safe beside a serving lor3, and beside itself."""

    async def prune(self, retention: Retention, *, dry_run: bool = False) -> PruneReport:
        """Removes what is older, in portions that hold no lock for long.

        On PostgreSQL a month whose messages are all older goes as a whole; a message of a month that is kept
        in part stays until the month is over.

        Raises:
            StorageUnavailable: the database is away or refuses; what was removed so far stays removed.
        """

    async def prepare(self) -> tuple[str, ...]:
        """Makes the partitions of the months to come where they are missing; returns their names.

        Raises:
            StorageUnavailable: as for `prune`; also where the role may not create tables.
        """

    async def partitions(self) -> PartitionState | None:
        """None where the store has no partitions.

        Raises:
            StorageUnavailable: the database is away or refuses.
        """
