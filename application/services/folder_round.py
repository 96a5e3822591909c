"""What one import of a folder of prompts knows of the folder and of the store, and what it has found."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import attrs

from application.ports.prompt_files import BrokenFile
from application.ports.unit_of_work import UnitOfWork
from application.services.prompt_folder import PlannedFile
from application.services.prompt_includes import faults_at
from domain.clean_text import clean_value
from domain.errors import Fault
from domain.prompt.content_hash import content_hash
from domain.prompt.reference import PromptName, PromptReference, VersionRef
from domain.prompt.rollout import heaviest_version
from domain.prompt.version import FileLink, Pin, Prompt

HEADS_AT_A_TIME: Final = 500

Step: TypeAlias = Literal["unchanged", "link", "make", "diverged"]
"""What is to be done about a file; `link`: the newest version has its content, or its path alone is another, and
only the head does not say so."""


@attrs.define
class FolderRound:
    """Files are settled one after another, those that are included before those that include them."""

    names: frozenset[PromptName]
    """Of the files that could be read."""
    heads: Mapping[PromptName, Prompt]
    outside: Mapping[VersionRef, str]
    """Hashes of the versions that files name and that are not what the folder holds now."""
    hashes: dict[PromptName, str] = attrs.field(factory=dict)
    """Of what a bare include of a file means, once the file is settled."""
    broken: dict[PromptName, BrokenFile] = attrs.field(factory=dict)

    @classmethod
    async def begin(cls, work: UnitOfWork, files: tuple[PlannedFile, ...]) -> "FolderRound":
        """All heads, and what the files name of the database, in as few reads."""
        heads: dict[PromptName, Prompt] = {}
        after: PromptName | None = None
        while page := await work.prompts.list(after=after, limit=HEADS_AT_A_TIME):
            heads.update((head.name, head) for head in page)
            if len(page) < HEADS_AT_A_TIME:
                break
            after = page[-1].name
        names = frozenset(planned.file.name for planned in files)
        wanted = {
            ref
            for planned in files
            for reference in planned.outside(names)
            if (ref := meant(heads, reference)) is not None
        }
        found = await work.prompts.outlines(tuple(wanted)) if wanted else ()
        return cls(names, heads, {version.ref: version.hash for version in found})

    def beside(self, planned: PlannedFile) -> dict[str, PromptName]:
        """The includes, as written, that mean what the folder holds now. All of them are settled."""
        return planned.beside(self)

    def __contains__(self, name: object) -> bool:
        """True for what the folder holds a file of, as far as files are settled, broken ones included."""
        return name in self.hashes or name in self.broken

    def faults(self, planned: PlannedFile) -> tuple[Fault, ...]:
        """One for each include of a broken file."""
        wrong = {
            written: f"the file of `{name}`, {self.broken[name].path}, is broken, and so is what includes it; "
            "mend that one"
            for written, name in self.beside(planned).items()
            if name in self.broken
        }
        return faults_at(planned.file.source, wrong) if wrong else ()

    def content(self, planned: PlannedFile) -> str | None:
        """The hash of what the file holds now; None where it names what the store did not have at the beginning.

        The numbers of the fragments' versions are left open, as they do not count in the hash.
        """
        pins: list[Pin] = []
        beside = self.beside(planned)
        for written, reference in planned.includes.items():
            if written in beside:
                ref, hash_ = VersionRef(reference.name, 1), self.hashes[beside[written]]
            else:
                outer = meant(self.heads, reference)
                if outer is None or outer not in self.outside:
                    return None
                ref, hash_ = outer, self.outside[outer]
            pins.append(Pin(written=written, ref=ref, hash=hash_))
        return content_hash(clean_value(planned.file.source), tuple(pins))


def next_step(head: Prompt | None, newest: str, content: str, path: str) -> Step:
    """
    Args:
        newest: the hash of the prompt's newest version.
        content: that of what the file at `path` holds now.
    """
    if head is None:
        return "make"
    link = head.file
    if link == FileLink(path=path, hash=content):
        return "unchanged"
    if newest == content:
        return "link"
    if link is not None and link.holds(content):
        return "unchanged" if link.path == path else "link"
    return "make" if link is not None and link.hash == newest else "diverged"


def linked(head: Prompt, newest: str, content: str, path: str) -> FileLink:
    """The link that a step `link` writes; the arguments are those of `next_step`."""
    if head.file is None or newest == content:
        return FileLink(path=path, hash=content)
    return attrs.evolve(head.file, path=path)


def agreed(head: Prompt | None, content: str) -> str:
    """The hash of the version that a file with this content stands for, where the two have not diverged."""
    link = None if head is None else head.file
    return link.hash if link is not None and link.in_folder == content else content


def meant(heads: Mapping[PromptName, Prompt], reference: PromptReference) -> VersionRef | None:
    """The version that `reference` means in the store, as far as `heads` say."""
    head = heads.get(reference.name)
    number = None if head is None else heaviest_version(head, reference)
    return None if number is None else VersionRef(reference.name, number)
