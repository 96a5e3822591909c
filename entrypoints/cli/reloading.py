"""SIGHUP and `--watch`: how a server that runs comes to read its configuration and its prompt files again."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from entrypoints.application import Application

_SIGHUP: Final = getattr(signal, "SIGHUP", None)  # there is none on Windows
_LOOK_S: Final = 0.25
_LOOKS: Final = 12
"""How often the terminal is looked at after a SIGHUP that found it there, `_LOOK_S` apart."""


@attrs.define
class HangUp:
    """Tells a SIGHUP that asks for a reload from the one of a terminal that was closed, which ends a program.

    Make it before anything else: from then on SIGHUP is ignored until `handled`, so that it can't end a
    server that has not yet got round to handling it.
    """

    _had_terminal: bool = attrs.field(init=False)
    _has_told: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        # Under nohup it is ignored already: then the end of the terminal is no reason to end.
        wanted = _SIGHUP is not None and signal.getsignal(_SIGHUP) is not signal.SIG_IGN
        self._had_terminal = wanted and _has_terminal()
        if _SIGHUP is not None:
            signal.signal(_SIGHUP, signal.SIG_IGN)

    @contextmanager
    def handled(self, reload: Callable[[], None]) -> Iterator[None]:
        """Calls `reload` at each SIGHUP that asks for one; the end of the terminal is a SIGTERM to ourselves."""
        if _SIGHUP is None:
            yield
            return
        loop = asyncio.get_running_loop()
        looking: asyncio.Handle = loop.call_soon(self._ended)  # it may have gone while nobody listened

        def hung_up() -> None:
            if not self._ended():
                reload()
                look_again(_LOOKS)

        def look_again(times: int) -> None:
            # A shell may pass the signal on before the kernel has taken the terminal from all that had it.
            nonlocal looking
            looking.cancel()
            if times and not self._ended():
                looking = loop.call_later(_LOOK_S, look_again, times - 1)

        loop.add_signal_handler(_SIGHUP, hung_up)
        try:
            yield
        finally:
            looking.cancel()
            loop.remove_signal_handler(_SIGHUP)
            signal.signal(_SIGHUP, signal.SIG_IGN)

    def _ended(self) -> bool:
        """Whether the terminal is gone; when that is first seen, it is a SIGTERM to ourselves."""
        if not self._is_closed():
            return False
        if not self._has_told:
            self._has_told = True
            os.kill(os.getpid(), signal.SIGTERM)
        return True

    def _is_closed(self) -> bool:
        return self._had_terminal and not _has_terminal()


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


@contextmanager
def reloading(application: "Application", hang_up: HangUp, *, watch: bool) -> Iterator[None]:
    """Reads configuration and prompt files again at SIGHUP, and with `watch` the files whenever one changes."""
    if watch:
        application.prompt_reloader.watch()
    with hang_up.handled(application.config_reloader.reload):
        yield
