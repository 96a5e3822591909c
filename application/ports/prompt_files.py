"""Prompts in a folder of files."""

from typing import Protocol

from domain.errors import Fault
from domain.prompt.reference import PromptName
from domain.prompt.source import PromptSource
from domain.values import frozen


@frozen(kw_only=True)
class PromptFile:
    """One prompt, or one fragment, and the file it is in."""

    name: PromptName
    """The file's name without its suffix."""
    path: str
    """For a person, and the identity in `FileLink`: as configured where that is below the working folder, else from
    the folder that holds the configured one."""
    source: PromptSource
    """With an `Origin` for each turn."""


@frozen(kw_only=True)
class BrokenFile:
    """A file that can't be used, with everything that is wrong with it."""

    name: PromptName | None
    """None where not even its name can be one."""
    path: str
    faults: tuple[Fault, ...]
    has_prompt: bool = False
    """Whether the store has a prompt of that name, which stays as it is; in the report of an import."""


@frozen(kw_only=True)
class FolderReading:
    files: tuple[PromptFile, ...] = ()
    """By name."""
    broken: tuple[BrokenFile, ...] = ()


class PromptFiles(Protocol):
    """A folder of `*.yaml`, `*.yml`, `*.json` (a prompt each) and `*.md`, `*.txt` (a plain fragment each)."""

    async def read(self) -> FolderReading:
        """All of it, off the event loop. An absent folder is an empty one; nothing raises for a file's content."""

    async def write(self, name: PromptName, source: PromptSource) -> str:
        """Writes the prompt into its file, a new YAML file where it has none, atomically; returns the path.

        Raises:
            ConfigurationError: there is no folder configured, or it can't be written.
        """

    async def fingerprint(self) -> str:
        """Changes whenever a file does: cheap enough to ask twice a second. Empty where there is no folder."""
