"""Whether chats can be stored, and why not."""

import logging
from typing import Final

import attrs

from adapters.persistence.batch_writer import AWAY, BatchFailure, ConnectionLost

LOGGER: Final = logging.getLogger("lor3.store")

_DOUBT: Final = ConnectionLost("a connection to the database ended")


@attrs.define(kw_only=True)
class Readiness:
    """Off until the database was heard of. Each change is logged, and so is each new reason."""

    place: str = ""
    """Which database it is; for the log."""
    ready: bool = False
    failure: BatchFailure | None = None
    """Why it is off; None while it is on, and before the database was asked."""

    @property
    def reason(self) -> str | None:
        """For an operator, in full."""
        if self.ready:
            return None
        return self.failure.reason if self.failure else "the database was not asked yet"

    @property
    def told(self) -> str | None:
        """For a caller, who need not know what a database is like."""
        if self.ready:
            return None
        return self.failure.told if self.failure else AWAY

    def gain(self) -> None:
        if not self.ready and self.failure is not _DOUBT:
            LOGGER.log(
                logging.INFO if self.failure is None else logging.WARNING,
                "the store is ready (%s)",
                self.place,
            )
        self.ready, self.failure = True, None

    def lose(self, failure: BatchFailure) -> None:
        if self.ready or self.failure is None or self.failure.reason != failure.reason:
            LOGGER.warning("the store is not ready: %s (%s)", failure.reason, self.place)
        self.ready, self.failure = False, failure

    def doubt(self) -> None:
        """Off until the next answer of the database, which is asked for at once: too early to speak of."""
        self.ready, self.failure = False, self.failure or _DOUBT
