"""Where prompts are kept."""

import datetime
from collections.abc import Sequence
from typing import Protocol

from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.version import LabelMove, Prompt, PromptVersion, VersionOutline


class PromptRepository(Protocol):
    """The prompts of one tenant, inside a unit of work. What is written counts from its `commit`.

    Characters that no database takes are replaced as `domain/clean_text.py` says; where a text stood in a file
    is forgotten. Every method raises `StorageUnavailable` where the database is away, or where what it needs
    stays locked by others for as long as a statement may take; nothing is stored then, `commit` included.
    """

    async def get(self, name: PromptName) -> Prompt | None: ...

    async def list(self, *, after: PromptName | None = None, limit: int) -> tuple[Prompt, ...]:
        """By name, those behind `after`."""

    async def find(self, refs: Sequence[VersionRef]) -> tuple[PromptVersion, ...]:
        """Those that exist, in one round trip, in any order.

        Raises:
            UnreadableVersion: naming all of them that this lor3 does not read.
        """

    async def outlines(self, refs: Sequence[VersionRef]) -> tuple[VersionOutline, ...]:
        """As `find`, without the texts, which are not loaded: also of versions that can't be read."""

    async def history(
        self, name: PromptName, *, below: int | None = None, limit: int
    ) -> tuple[VersionOutline, ...]:
        """Newest first, those with a number less than `below`. As in `outlines`, no text is loaded."""

    async def lock(self, name: PromptName) -> Prompt | None:
        """The head, which nobody else can change until this unit of work ends; waits for whoever holds it.

        The name is locked too where there is no such prompt yet. Lock several names in their order.
        """

    async def removed(self, name: PromptName) -> Prompt | None:
        """What `remove` left of a prompt that there is none of now: whoever takes the name goes on counting.

        None where there never was such a prompt, and where there is one.
        """

    async def put(self, prompt: Prompt) -> None:
        """Writes the head, a new one or in place of the old. The name must be locked."""

    async def remove(self, name: PromptName) -> None:
        """Takes the head of a prompt without versions away, for every method but `removed`, until the next `put`.

        What stays is the head with a `latest` of 0, without labels and links: a number must never be given to
        another text. Its labels' history stays too. The name must be locked; it need not exist.
        """

    async def add_version(self, version: PromptVersion) -> None:
        """The name must be locked, and the number be new."""

    async def delete_version(self, ref: VersionRef) -> bool:
        """False where a chat has used it or there is none: it is kept then. The name must be locked."""

    async def mark_used(self, refs: Sequence[VersionRef], *, at: datetime.datetime) -> frozenset[VersionRef]:
        """Notes that chats use these versions, so that they stay; those that exist. Needs no lock."""

    async def including(self, ref: VersionRef, *, limit: int) -> tuple[VersionRef, ...]:
        """Versions that pin `ref`: by name, the newest of each first."""

    async def note_move(self, move: LabelMove) -> None:
        """The name must be locked."""

    async def moves(self, name: PromptName, label: str, *, limit: int) -> tuple[LabelMove, ...]:
        """Newest first."""
