"""Builds a flat program, within its limits."""

from typing import Any, Final

import attrs

from domain.prompt.program import MAX_NODES, MAX_TEXT_BYTES, Program

_TOO_MANY: Final = f"with its fragments the prompt has more than {MAX_NODES} texts and tags; include less"
_TOO_LONG: Final = f"with its fragments the prompt has more than {MAX_TEXT_BYTES} bytes of text; shorten it"


class TooMuch(Exception):
    """The prompt is larger than it may be; `str()` says how and what to do."""


@attrs.define
class ProgramWriter:
    """The limits are those of all turns together."""

    muted: int = attrs.field(default=0, init=False)
    """While it is not 0, what is written is left out."""
    _program: list[Any] = attrs.field(factory=list, init=False)
    _texts: list[str] = attrs.field(factory=list, init=False)
    """Text that is not in the program yet."""
    writes: int = attrs.field(default=0, init=False)
    """Texts and values written so far."""
    ends_in_line: bool = attrs.field(default=True, init=False)
    """Whether the next thing written begins a line, as far as the template can tell."""
    _nodes: int = attrs.field(default=0, init=False)
    _bytes: int = attrs.field(default=0, init=False)
    _names: int = attrs.field(default=0, init=False)
    """Characters of the names and the literals in operations."""

    def count(self) -> None:
        """Called for each node of each template that is used, be it left out.

        Raises:
            TooMuch: so that fragments inside fragments are never expanded beyond the limit.
        """
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise TooMuch(_TOO_MANY)

    def text(self, text: str) -> None:
        """
        Raises:
            TooMuch: it is more than a prompt may have.
        """
        if self.muted or not text:
            return
        self._bytes += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self._bytes > MAX_TEXT_BYTES:
            raise TooMuch(_TOO_LONG)
        self._texts.append(text)
        self.writes += 1
        self.ends_in_line = text.endswith("\n")

    def put(self, *operation: Any) -> int | None:
        """Adds an operation, without its `end`; returns its index, or None where it is left out.

        Raises:
            TooMuch: names and literals are more than a prompt may have, be they printed or not.
        """
        if self.muted:
            return None
        self._names += _characters(operation)
        if self._names > MAX_TEXT_BYTES:
            raise TooMuch(_TOO_LONG)
        self._put_text()
        self._program.append(operation)
        if operation[0] == "value":
            self.writes += 1
            self.ends_in_line = False
        return len(self._program) - 1

    def end(self, index: int | None) -> None:
        """Closes what `put` returned."""
        if index is None:
            return
        self._put_text()
        self._program[index] = (*self._program[index], len(self._program))
        self._program.append(("end", index))

    def take(self) -> Program:
        """The program of one turn."""
        self._put_text()
        program, self._program = self._program, []
        self.ends_in_line = True
        return tuple(program)

    def _put_text(self) -> None:
        if self._texts:
            self._program.append("".join(self._texts))
            self._texts.clear()


def _characters(value: Any) -> int:
    """Of all texts in an operation; it nests two levels at most."""
    if isinstance(value, str):
        return len(value)
    return sum(map(_characters, value)) if isinstance(value, tuple) else 0
