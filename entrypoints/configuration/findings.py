"""What is wrong with a configuration: collected as it is found, reported all at once."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import attrs

from domain.errors import ConfigurationError, Fault

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the document's root."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


def render_path(path: Path) -> str:
    """`providers.openai.api_key`, `fallbacks[0]`, `models["openai:gpt-6.1-sol"].context_window`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.match(step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """`; did you mean …?`, or nothing where no known name is close."""
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=cutoff)
    return f"; did you mean `{close[0]}`?" if close else ""


@attrs.define
class Findings:
    """The faults so far, at most one for a path and message."""

    origins: dict[Path, str] = attrs.field(factory=dict)
    """Where a value came from: `lor3.yaml, line 3`, `LOR3_SERVER__PORT`, `--port`."""
    lines: Mapping[Path, int] = attrs.field(factory=dict)
    """The line in the file of each value and of each section."""
    place: Callable[[Path], str | None] = lambda _: None
    """How an origin names the line of a path in the file."""
    of_file: tuple[Fault, ...] = ()
    """What is wrong with how the file is written: it says itself where, and no value is left out for it."""
    _faults: dict[tuple[Path, str], None] = attrs.field(factory=dict, init=False)

    def add(self, path: Path, message: str) -> None:
        self._faults[(path, message)] = None

    def has(self, path: Path) -> bool:
        """Whether something at, below or above `path` is already known to be wrong."""
        return any(_related(path, known) for known, _ in self._faults)

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(path for path, _ in self._faults)

    def origin(self, path: Path) -> str | None:
        """The origin of the value at `path`, or of what surrounds it, or of what it holds."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        if path in self.lines:
            return self.place(path)
        return next((origin for known, origin in self.origins.items() if known[: len(path)] == path), None)

    def raise_if_any(self) -> None:
        """
        Raises:
            ConfigurationError: naming every fault, those of the file in its order, then the others as found.
        """
        found = [*self.of_file, *(self._fault(path, message) for path, message in self._faults)]
        if found:
            found.sort(key=lambda fault: math.inf if fault.line is None else fault.line)
            raise ConfigurationError.of(*found)

    def _line(self, path: Path) -> float:
        """The line that a fault's origin names; infinite where that is no line of the file."""
        for length in range(len(path), 0, -1):
            above = path[:length]
            if above in self.lines:
                return self.lines[above] if self.origin(path) == self.place(above) else math.inf
        return math.inf

    def _fault(self, path: Path, message: str) -> Fault:
        origin, line = self.origin(path), self._line(path)
        return Fault(
            path=render_path(path),
            message=f"{message} ({origin})" if origin else message,
            line=None if math.isinf(line) else int(line),
        )


def refuse(path: str, message: str, *, line: int | None = None) -> ConfigurationError:
    """An error of one fault, for what stops everything else, such as a file that can't be read."""
    return ConfigurationError.of(Fault(path=path, message=message, line=line))


def flatten_origins(origins: Mapping[Path, str]) -> dict[str, str]:
    return {render_path(path): origin for path, origin in origins.items()}


def _related(one: Path, other: Path) -> bool:
    shared = min(len(one), len(other))
    return shared > 0 and one[:shared] == other[:shared]
