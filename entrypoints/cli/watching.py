"""Shows something anew every few seconds on a screen of its own, which is gone again afterwards."""

import io
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import click

if TYPE_CHECKING:
    from types import FrameType

_T = TypeVar("_T")
# ECMA-48 and xterm: the second screen, the cursor hidden, no line wrapped around.
_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE: Final = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H"
_TO_LINE_END: Final = "\x1b[K"
_TO_END: Final = "\x1b[J"


class _Screen(io.StringIO):
    """Collects what is drawn for a terminal."""

    def isatty(self) -> bool:
        return True


def watch(read: Callable[[], _T], draw: Callable[[_T], None], *, every_s: float) -> None:
    """Returns at Ctrl-C. What is wrong at first is raised before the screen is taken; later it is shown.

    Raises:
        LorError: as the first `read`.
    """
    from domain.errors import LorError

    shown = _drawn(draw, read())
    with _own_screen():
        try:
            while True:
                _put(shown)
                time.sleep(every_s)
                try:
                    shown = _drawn(draw, read())
                except LorError as error:
                    shown = f"{error.detail}\n"
        except KeyboardInterrupt:
            return


def _drawn(draw: Callable[[_T], None], found: _T) -> str:
    """What `draw` prints, stdout and stderr in their order."""
    return captured(lambda: draw(found))


def captured(draw: Callable[[], None]) -> str:
    """What `draw` prints, as for a terminal."""
    screen, kept = _Screen(), (sys.stdout, sys.stderr)
    sys.stdout = sys.stderr = screen
    try:
        draw()
    finally:
        sys.stdout, sys.stderr = kept
    return screen.getvalue()


def _put(text: str) -> None:
    """As many lines as fit, over those that are there, so that nothing flickers."""
    height = shutil.get_terminal_size().lines
    lines = text.rstrip("\n").split("\n")
    hint = click.style(f"{time.strftime('%H:%M:%S')}  Ctrl-C ends", dim=True)
    if len(lines) > height - 1:
        lines = [*lines[: height - 2], click.style("… more lines than fit", dim=True)]
    sys.stdout.write(_HOME + "".join(f"{line}{_TO_LINE_END}\r\n" for line in lines) + hint + _TO_END)
    sys.stdout.flush()


@contextmanager
def _own_screen() -> Iterator[None]:
    """The terminal is as it was afterwards, also where the command is ended from outside."""

    def end(_signal: int, _frame: "FrameType | None") -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    sys.stdout.write(_ENTER)
    try:
        yield
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, before)
