"""A prompt as the text of a file."""

from typing import Protocol

from domain.prompt.source import PromptSource


class PromptTexts(Protocol):
    """What a file of the folder holds, as an editor shows it and a diff compares it. Pure."""

    def read(self, text: str, *, file: str) -> PromptSource:
        """With an `Origin` for each turn.

        Args:
            file: the name that faults show; its suffix says what the text is: `.json`, a plain text where it
                is `.md` or `.txt`, else YAML, or JSON where it looks like it.

        Raises:
            InvalidRequest: naming every fault, with the file and, where it is known, the line.
        """

    def write(self, source: PromptSource) -> str:
        """YAML that `read` reads as `source`; the same for the same source."""
