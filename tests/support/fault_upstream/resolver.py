"""Names that do not resolve, or never answer.

A real resolver would leave the machine, so the look-up function itself is replaced for names under
`.invalid` (RFC 6761 keeps them free for this); all other names go to the real one.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

ABSENT_HOST: Final = "absent.invalid"
HANGING_HOST: Final = "hanging.invalid"
_HANG_S: Final = 30.0


@contextmanager
def broken_resolver() -> Iterator[list[str]]:
    """Replaces `socket.getaddrinfo`; yields the names that were looked up under `.invalid`.

    Look-ups that hang are let go when the context ends, so that no thread outlives a test.
    """
    real = socket.getaddrinfo
    released = threading.Event()
    asked: list[str] = []

    def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (ABSENT_HOST, HANGING_HOST):
            return real(host, *args, **kwargs)
        asked.append(name)
        if name == HANGING_HOST:
            released.wait(_HANG_S)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    socket.getaddrinfo = look_up
    try:
        yield asked
    finally:
        socket.getaddrinfo = real
        released.set()
