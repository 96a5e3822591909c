"""Whether chats can be stored, and why not."""

import logging
import time
from typing import Final

import attrs

from adapters.persistence.batch_writer import AWAY, BatchFailure, ConnectionLost

LOGGER: Final = logging.getLogger("lor3.store")

SHORTEST_PAUSE_S: Final = 0.4
LONGEST_PAUSE_S: Final = 15.0
"""Of a database whose every trial succeeds and whose every write is refused: a chat is lost each time."""
LONGEST_PAUSE_OF_TRIALS_S: Final = 3.0
"""Of a database whose trials fail: nobody's chat is tried meanwhile."""

_DOUBT: Final = ConnectionLost("a connection to the database ended")


@attrs.define(kw_only=True)
class Readiness:
    """Off until the database was heard of. Each change is logged, and so is each new reason."""

    place: str = ""
    """Which database it is; for the log."""
    ready: bool = False
    failure: BatchFailure | None = None
    """Why it is off; None while it is on, and before the database was asked."""

    refusals: int = 0
    """How often a write was refused while it was on, since one was stored."""

    _trials: int = attrs.field(default=0, init=False)
    """How many failed since it went off."""
    _due: float = attrs.field(default=0.0, init=False)
    """Monotonic time."""

    @property
    def must_be_proved(self) -> bool:
        """Whether a database that answers is not enough: the last write was refused."""
        return self.refusals > 0

    def is_due(self) -> bool:
        """Whether a trial may be made: the more were in vain, the longer the pause between them."""
        return time.monotonic() >= self._due

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
        self.ready, self.failure, self._trials = True, None, 0

    def stored(self) -> None:
        """A write succeeded."""
        self.refusals = 0
        self.gain()

    def refuse(self, failure: BatchFailure) -> None:
        """A write was refused: as `lose`, and on again only by something that shows that writes work."""
        if self.ready or not self.refusals:  # what was under way beside the first one says nothing new
            self.refusals += 1
            self._pause(self.refusals, LONGEST_PAUSE_S)
        self.lose(failure)

    def fail_trial(self) -> None:
        self._trials += 1
        self._pause(self._trials, LONGEST_PAUSE_OF_TRIALS_S)

    def lose(self, failure: BatchFailure) -> None:
        if self.ready or self.failure is None or self.failure.reason != failure.reason:
            LOGGER.warning("the store is not ready: %s (%s)", failure.reason, self.place)
        self.ready, self.failure = False, failure

    def doubt(self) -> None:
        """Off until the next answer of the database, which is asked for at once: too early to speak of."""
        self.ready, self.failure = False, self.failure or _DOUBT

    def _pause(self, times: int, longest_s: float) -> None:
        self._due = time.monotonic() + min(SHORTEST_PAUSE_S * 2.0 ** min(times - 1, 16), longest_s)
