"""Prompts in the files of other tools."""

from typing import Literal, Protocol, TypeAlias

from domain.prompt.formats.imported import ImportedPrompt

DocumentFormat: TypeAlias = Literal["auto", "lor3", "dotprompt", "langfuse", "assistant"]
"""`auto` tells them apart by the file's name and content."""


class PromptDocuments(Protocol):
    async def read(self, path: str, *, format: DocumentFormat, variables: bool) -> ImportedPrompt:  # noqa: A002
        """The prompt in a file, off the event loop; its name is the file's where the content has none.

        Args:
            variables: `{{name}}` in an assistant's instructions is a variable; else it stays text.

        Raises:
            InvalidRequest: the file can't be read, is larger than 1 MiB, or holds what a prompt can't be: names
                every fault, with its line.
        """
