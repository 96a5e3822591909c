"""Where finished chats become durable."""

from typing import Protocol

from domain.thread import ChatRecord


class ChatJournal(Protocol):
    """Commits each chat whole, many at a time.

    Atomicity: a record is stored with all its rows or not at all; records of one batch that do not harm
    one another commit together, and one that can't be stored fails alone.
    Ordering: positions in a thread follow the order of `commit` calls of one process, without a gap.
    """

    @property
    def is_ready(self) -> bool:
        """False while the store is known to be away: a caller should refuse before it spends money."""

    @property
    def depth(self) -> int:
        """How many records wait for their transaction to begin."""

    @property
    def reason(self) -> str | None:
        """Why it is not ready, fit to tell a caller: nothing of where the database is. None while it is ready."""

    async def commit(self, record: ChatRecord) -> None:
        """Returns when the record is durable. A cancelled caller does not undo it.

        Raises:
            StorageUnavailable: it is not stored, or can't be known to be; nothing may be acknowledged.
            NotFound: the record continues a thread or session that no longer exists.
        """
