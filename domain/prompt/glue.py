"""Lines that run into one another where a fragment lacks its last newline."""

from typing import Final

import attrs

from domain.prompt.nodes import Include
from domain.prompt.program_writer import ProgramWriter
from domain.prompt.reference import VersionRef
from domain.prompt.template_fault import Place
from domain.suggestion import shown
from domain.values import frozen

MAX_WARNINGS: Final = 50


@frozen
class _Loose:
    """The last thing written, by a fragment that has a line to itself."""

    place: Place
    at: int
    written: str
    ref: VersionRef
    writes: int
    """`ProgramWriter.writes` after it."""


@attrs.define
class Glue:
    """Watches what is written. A tag that has its line to itself takes the line's newline with it, as the Mustache
    specification demands, so what its fragment does not end, the following text goes on with."""

    _writer: ProgramWriter
    _loose: _Loose | None = attrs.field(default=None, init=False)
    _warnings: dict[tuple[str | None, str, int], str] = attrs.field(factory=dict, init=False)
    """Each tag once, however often its template is included."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings.values())

    def include(self, before: int, place: Place, node: Include, ref: VersionRef) -> None:
        """After the fragment of a tag that has its line to itself.

        Args:
            before: `ProgramWriter.writes` before it.
        """
        writes = self._writer.writes
        if writes == before or self._writer.ends_in_line:
            return
        # Of fragments that end together the innermost is the one that lacks the newline.
        if self._loose is None or self._loose.writes != writes:
            self._loose = _Loose(place, node.at, node.written, ref, writes)

    def text(self, text: str) -> None:
        """Before a text is written."""
        if self._loose is not None and text and not text.isspace():
            self.value()

    def value(self) -> None:
        """Before a value is written."""
        if self._loose is not None and not self._writer.muted:
            self._warn(self._loose)
            self._loose = None

    def repeat(self, since: int) -> None:
        """At the end of a section over a list, whose next item follows its last text.

        Args:
            since: `ProgramWriter.writes` at its beginning.
        """
        if self._loose is not None and self._loose.writes > since:
            self._warn(self._loose)

    def end_turn(self) -> None:
        """Nothing follows any more."""
        self._loose = None

    def _warn(self, loose: _Loose) -> None:
        key = (loose.place.fragment, loose.place.path, loose.at)
        if key in self._warnings or len(self._warnings) >= MAX_WARNINGS:
            return
        tag = f"{{{{> {shown(loose.written)}}}}}"
        self._warnings[key] = loose.place.warning(
            loose.at,
            f"`{tag}` takes its line's newline with it, and `{loose.ref}` does not end in one, so the text "
            f"below moves up into the line above; end `{loose.ref.name}` with a new line, or put the tag into a line "
            "with other text",
        )
