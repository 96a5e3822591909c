"""Removes what the settings let go."""

import datetime
from typing import Final

from application.ports.maintenance import Maintenance, PruneReport, Retention
from domain.values import frozen

_KEYS_GRACE: Final = datetime.timedelta(hours=1)
"""Past the end of their time: so that whoever just read one still finds it."""


@frozen(kw_only=True)
class PruneStoreCommand:
    messages_before: datetime.datetime | None = None
    """In place of what the settings say of messages."""
    dry_run: bool = False


@frozen(kw_only=True)
class PruneStore:
    _maintenance: Maintenance
    _keeps_messages: datetime.timedelta | None
    """None is for ever."""
    _keeps_deleted_threads: datetime.timedelta

    async def now(self) -> datetime.datetime:
        """The time that ages are counted back from."""
        return await self._maintenance.now()

    async def execute(self, command: PruneStoreCommand) -> PruneReport:
        """
        Raises:
            InvalidRequest: messages of the last day would go.
            StorageUnavailable: the database is away or refuses; what was removed so far stays removed.
        """
        now = await self._maintenance.now()
        messages_before = command.messages_before
        if messages_before is None and self._keeps_messages is not None:
            messages_before = now - self._keeps_messages
        what = Retention(
            messages_before=messages_before,
            deleted_before=now - self._keeps_deleted_threads,
            keys_before=now - _KEYS_GRACE,
        )
        return await self._maintenance.prune(what, dry_run=command.dry_run)
