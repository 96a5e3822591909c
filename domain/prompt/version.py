"""Prompts as they are kept: immutable versions, and a head that says which of them a name means."""

import datetime
from typing import Literal, TypeAlias

from domain.ids import Tenant
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource
from domain.values import frozen

MadeBy: TypeAlias = Literal["file", "api", "cli", "import"]
Weights: TypeAlias = tuple[tuple[int, int], ...]
"""(version number, weight > 0), by number; a single entry where there is no rollout."""


@frozen(kw_only=True)
class Pin:
    """The version of a fragment that a version was made with: a snapshot does not change with its fragments."""

    written: str
    """As in the template: `tone`, `tone@staging`."""
    ref: VersionRef
    hash: str


@frozen(kw_only=True)
class PromptVersion:
    """A snapshot. Nothing of it ever changes."""

    tenant: Tenant
    name: PromptName
    number: int
    hash: str
    """SHA-256 in hex over the source and the hashes of its fragments: `domain/prompt/content_hash.py`."""
    source: PromptSource
    pins: tuple[Pin, ...] = ()
    """One for each fragment that the source itself includes, in order of first use."""
    made_by: MadeBy
    author: str | None = None
    message: str | None = None
    """Why it was made."""
    created_at: datetime.datetime

    @property
    def ref(self) -> VersionRef:
        return VersionRef(self.name, self.number)


@frozen(kw_only=True)
class VersionOutline:
    """A version without its text: there is one even of a version that can't be read."""

    name: PromptName
    number: int
    hash: str
    description: str | None = None
    size_bytes: int
    """Of its source as a document, in UTF-8."""

    @property
    def ref(self) -> VersionRef:
        return VersionRef(self.name, self.number)


@frozen(kw_only=True)
class Label:
    """A name that moves from version to version, or spreads over several."""

    name: str
    weights: Weights
    protected: bool = False
    """True: it moves only where the mover says `force`."""
    moved_at: datetime.datetime
    moved_by: str | None = None


@frozen(kw_only=True)
class LabelMove:
    """One entry of a label's history."""

    name: PromptName
    label: str
    weights: Weights
    """Empty where the label was taken away."""
    author: str | None = None
    message: str | None = None
    moved_at: datetime.datetime


@frozen(kw_only=True)
class FileLink:
    """The file that a prompt was last read from or written to."""

    path: str
    hash: str
    """`PromptVersion.hash` of what the file then held: when file and prompt both differ from it, they diverged."""
    in_folder: str | None = None
    """The hash of the file's text with the fragments of its folder, where those were other ones than the version's;
    None where they were the same."""

    def holds(self, content: str) -> bool:
        """Whether a file with this content is as it was then."""
        return content in (self.hash, self.in_folder)


@frozen(kw_only=True)
class RemoteLink:
    """An assistant that a prompt is kept in step with."""

    id: str
    hash: str
    """Of the instructions both sides held when they last agreed."""


@frozen(kw_only=True)
class Prompt:
    """The head of a prompt: all that is needed to know which version a reference means."""

    tenant: Tenant
    name: PromptName
    latest: int
    """The newest version there is; 0 only in what is left of a prompt that was removed."""
    next_number: int
    """Numbers are never given twice, not even after all versions were deleted and the prompt is made anew."""
    revision: int = 1
    """Grows with each change of the head; the ETag."""
    labels: tuple[Label, ...] = ()
    """By name."""
    file: FileLink | None = None
    assistant: RemoteLink | None = None
    created_at: datetime.datetime
    updated_at: datetime.datetime

    @property
    def etag(self) -> str:
        """As in the headers `ETag` and `If-Match` (RFC 9110, section 8.8.3).

        With the time the prompt was made, for a store that was emptied begins its revisions anew.
        """
        return f'"{self.revision}-{round(self.created_at.timestamp() * 1000):x}"'

    def label(self, name: str) -> Label | None:
        return next((label for label in self.labels if label.name == name), None)
