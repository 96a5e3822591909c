"""SIGHUP and `--watch`: how a server that runs comes to read its prompt files again."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from entrypoints.prompt_reloader import PromptReloader

_SIGHUP: Final = getattr(signal, "SIGHUP", None)  # there is none on Windows


@attrs.define
class HangUp:
    """Tells a SIGHUP that asks for a reload from the one of a terminal that was closed, which ends a program.

    Make it before anything else: from then on SIGHUP is ignored until `handled`, so that it can't end a
    server that has not yet got round to handling it.
    """

    _had_terminal: bool = attrs.field(init=False)

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

        def hung_up() -> None:
            if self._is_closed():
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                reload()

        loop.add_signal_handler(_SIGHUP, hung_up)
        if self._is_closed():  # while nobody listened
            hung_up()
        try:
            yield
        finally:
            loop.remove_signal_handler(_SIGHUP)
            signal.signal(_SIGHUP, signal.SIG_IGN)

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
def reloading(prompts: "PromptReloader", hang_up: HangUp, *, watch: bool) -> Iterator[None]:
    """Reads the prompt files again at SIGHUP, and with `watch` whenever one of them changes."""
    if watch:
        prompts.watch()
    with hang_up.handled(prompts.reload):
        yield
