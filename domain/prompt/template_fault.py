"""What is wrong in a template, with the line it is in."""

from typing import Final

from domain.errors import Fault
from domain.prompt.source import Origin, PromptSource
from domain.values import frozen

MAX_FAULTS: Final = 50
_WIDTH: Final = 100
"""Characters of the line that are shown."""


@frozen(kw_only=True)
class Place:
    """A template, and how errors name it."""

    text: str
    path: str
    """Of the fault: `template`, `messages[1].content`."""
    origin: Origin | None = None
    fragment: str | None = None
    """The version, where the template is not the prompt's own."""

    def fault(self, at: int, message: str) -> Fault:
        """`line 3, column 7: message`, the line, and a caret under the character at offset `at`.

        In a file the message begins with it, and the path is empty, so that editors find the place.
        """
        start = self.text.rfind("\n", 0, at) + 1
        end = self.text.find("\n", at)
        line = self.text[start : len(self.text) if end < 0 else end].removesuffix("\r")
        window, caret = _window(line, at - start)
        return Fault(
            path="" if self.origin is not None else self.path,
            message=f"{self._where(at)}: {message}\n{window}\n{caret}",
        )

    def warning(self, at: int, message: str) -> str:
        """`template: line 3, column 7: message`, in one line."""
        said = f"{self._where(at)}: {message}"
        return said if self.origin is not None else f"{self.path}: {said}"

    def _where(self, at: int) -> str:
        row, column = self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at)
        if self.origin is not None:
            row, column = row + self.origin.line - 1, column + self.origin.column - 1
            return f"{self.origin.file}, line {row}, column {column}"
        inside = f"`{self.fragment}`, " if self.fragment is not None else ""
        return f"{inside}line {row}, column {column}"


def places(source: PromptSource, path: str) -> tuple[Place, ...]:
    """One for each turn."""
    front = f"{path}." if path else ""
    return tuple(
        Place(
            text=turn.template,
            path=f"{front}messages[{number}].content" if source.is_chat else f"{front}template",
            origin=turn.origin,
        )
        for number, turn in enumerate(source.turns)
    )


def _window(line: str, index: int) -> tuple[str, str]:
    first = max(0, min(index - _WIDTH // 2, len(line) - _WIDTH))
    cut = line[first : first + _WIDTH]
    before = "…" if first else ""
    after = "…" if first + _WIDTH < len(line) else ""
    # One character for one, so that the caret stays under its character.
    plain = "".join(character if character.isprintable() else " " for character in cut)
    return f"{before}{plain}{after}", " " * (len(before) + index - first) + "^"
