"""Removes what the settings let go."""

import datetime
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.maintenance import Maintenance, PruneReport, Retention

_KEYS_GRACE: Final = datetime.timedelta(hours=1)
"""Past the end of their time: the database's clock may be behind."""


@attrs.frozen(kw_only=True)
class PruneStoreCommand:
    messages_before: datetime.datetime | None = None
    """In place of what the settings say of messages."""
    dry_run: bool = False


@attrs.frozen(kw_only=True)
class PruneStore:
    _maintenance: Maintenance
    _clock: Clock
    _keeps_messages: datetime.timedelta | None
    """None is for ever."""
    _keeps_deleted_threads: datetime.timedelta

    async def execute(self, command: PruneStoreCommand) -> PruneReport:
        """
        Raises:
            StorageUnavailable: the database is away or refuses; what was removed so far stays removed.
        """
        return await self._maintenance.prune(self.retention(command), dry_run=command.dry_run)

    def retention(self, command: PruneStoreCommand) -> Retention:
        """What may go now."""
        now = self._clock.now()
        messages_before = command.messages_before
        if messages_before is None and self._keeps_messages is not None:
            messages_before = now - self._keeps_messages
        return Retention(
            messages_before=messages_before,
            deleted_before=now - self._keeps_deleted_threads,
            keys_before=now - _KEYS_GRACE,
        )
