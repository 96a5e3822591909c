"""How a fault of ours is logged: by its type and its place, without anything that a caller or provider wrote."""

import logging
import traceback
from typing import Final

_log: Final = logging.getLogger("lor3.http")
_FRAMES: Final = 8


def log_unexpected(exc: BaseException, *, request_id: str, route: str) -> None:
    """One line. The exception's message is left out: it may quote a request, a key or a provider."""
    frames = traceback.extract_tb(exc.__traceback__)[-_FRAMES:]
    where = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    _log.error(
        "unexpected %s in %s: %s",
        type(exc).__name__,
        route,
        where,
        extra={"request_id": request_id, "route": route},
    )
