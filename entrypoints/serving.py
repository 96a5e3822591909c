"""What a process that serves is told of itself; no other command gets it."""

from collections.abc import Callable

from domain.values import frozen


@frozen(kw_only=True)
class Serving:
    worker: int | None = None
    """Its number among several, from 0; None where it is alone."""
    may_log: Callable[[], bool] | None = None
    """Holds the log back from stdout until the announcement is there: scripts read the first line."""
