"""What a model says, broken at blanks while it comes: what `wrapping.prose` does with a text that is whole."""

import re
from typing import Final

import attrs

_PIECE: Final = re.compile(r"\n|[^\S\n]+|\S+")
_BULLET: Final = re.compile(r"[-*+>]|\d{1,3}[.)]")
_FENCES: Final = ("```", "~~~")


@attrs.define
class Flow:
    """A text on its way to a terminal.

    A word is held back until it has ended, or is too long for the line. Code and tables stay as they are, as in
    `prose`; blanks at the end of a line are left out.
    """

    columns: int | None
    """None where the text does not go to a terminal: then it passes as it comes."""
    _width: int = 0
    """Of what stands on the terminal's line."""
    _blank: str = ""
    """What comes before the word."""
    _word: str = ""
    """Held back."""
    _hanging: str | None = None
    """What a line that goes on begins with; None where the line has no word yet."""
    _after_bullet: bool = False
    _is_open: bool = False
    """Whether a word of which a part is shown goes on."""
    _is_kept: bool = False
    """Whether the line stays as it is."""
    _fence: str = ""
    """The one that is open."""

    def feed(self, text: str) -> str:
        """What can be shown now."""
        if self.columns is None:
            return text
        return "".join(map(self._take, _PIECE.findall(text)))

    def end(self) -> str:
        """The rest, where nothing more will come."""
        return self._place()

    def _take(self, piece: str) -> str:
        if piece == "\n":
            shown = self._place() + piece
            self._width, self._blank, self._hanging = 0, "", None
            self._after_bullet = self._is_open = self._is_kept = False
            return shown
        if piece.isspace():
            shown = self._place()
            self._is_open = False
            self._blank += piece
            return shown
        if self._is_open:
            self._width += _cells(piece)
            return piece
        self._word += piece
        if self._hanging is None and any(
            mark.startswith(self._word) and mark != self._word for mark in _FENCES
        ):
            return ""  # it may become a fence yet
        return self._place() if self._is_kept or self._is_too_wide() else ""

    def _place(self) -> str:
        """The word that was held back, on this line or the next."""
        if not self._word:
            return ""
        shown = self._blank + self._word
        if self._hanging is None:
            self._begin()
        elif self._after_bullet:
            self._hanging = " " * (self._width + len(self._blank))
            self._after_bullet = False
        elif not self._is_kept and self._is_too_wide():
            shown = f"\n{self._hanging}{self._word}"
            self._width = 0
        self._width += _cells(shown.removeprefix("\n"))
        self._blank = self._word = ""
        self._is_open = True
        return shown

    def _begin(self) -> None:
        """Looks at a line's indent and first word."""
        mark = self._word[:3]
        fenced = self._fence != ""
        if mark in _FENCES and self._fence in ("", mark) and not self._blank.strip(" "):
            self._fence = "" if fenced else mark
        self._is_kept = (
            fenced
            or self._fence != ""
            or len(self._blank) > 3
            or "\t" in self._blank
            or self._word.startswith("|")
        )
        self._hanging = self._blank
        self._after_bullet = _BULLET.fullmatch(self._word) is not None

    def _is_too_wide(self) -> bool:
        return self.columns is not None and self._width + _cells(self._blank + self._word) > self.columns


def _cells(text: str) -> int:
    from rich.cells import cell_len  # rich takes 30 ms to import, which a pipe need not wait for

    return cell_len(text)
