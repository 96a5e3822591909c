"""Read the folder of prompts, and make versions of what changed in it."""

import asyncio
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.prompt_files import BrokenFile, PromptFile, PromptFiles
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.folder_news import FolderNews
from application.services.folder_round import FolderRound, Step, agreed, linked, meant, next_step
from application.services.prompt_folder import PlannedFile, plan_folder
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import Draft, PromptWriting
from domain.errors import Fault, InvalidRequest, UnreadableVersion
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, PromptReference, VersionRef
from domain.prompt.version import FileLink, Prompt
from domain.values import frozen

VERSIONS_AT_A_TIME: Final = 50
MAX_PAGES: Final = 20
"""Of a fragment's versions that are searched for the one that its file holds."""


@frozen(kw_only=True)
class DivergedFile:
    """A file that changed while its prompt was changed otherwise too; the prompt stays as it is."""

    name: PromptName
    path: str


@frozen(kw_only=True)
class GoneFile:
    """A file that a prompt was read from, or written into, and that is not in the folder any more."""

    name: PromptName
    path: str


@frozen(kw_only=True)
class ImportReport:
    made: tuple[VersionRef, ...] = ()
    unchanged: int = 0
    diverged: tuple[DivergedFile, ...] = ()
    broken: tuple[BrokenFile, ...] = ()
    """Their prompts stay as they are."""
    gone: tuple[GoneFile, ...] = ()
    """By name. The prompts stay, and so do their links: a file that comes back is taken up where it was left."""


@attrs.define
class _Tally:
    made: list[VersionRef] = attrs.field(factory=list)
    unchanged: int = 0
    diverged: list[DivergedFile] = attrs.field(factory=list)
    broken: list[BrokenFile] = attrs.field(factory=list)
    gone: tuple[GoneFile, ...] = ()

    def report(self) -> ImportReport:
        return ImportReport(
            made=tuple(self.made),
            unchanged=self.unchanged,
            diverged=tuple(self.diverged),
            broken=tuple(sorted(self.broken, key=lambda each: each.path)),
            gone=self.gone,
        )


@attrs.define(kw_only=True)
class ImportPromptFiles:
    """Idempotent: a second run over the same files makes nothing.

    A file whose content differs from what was last read from it makes a new version, unless the prompt was
    changed in the database since: then the two have diverged, and the database's stays until somebody says
    which one counts. A file that includes a fragment of the folder pins what is in the folder now, so a changed
    fragment makes new versions of the files that include it. No label is ever moved.

    Where a fragment has diverged, the files that include it pin what its file held when the two last agreed.
    What an include means in the database counts as content too, so a moved label makes a new version of a file
    that names it. A prompt whose file is gone stays. Files that did not change are neither locked nor read from the database:
    all heads are read at once, and contents are compared by hash.
    """

    _files: PromptFiles
    _unit_of_work: UnitOfWorkFactory
    _writing: PromptWriting
    _oven: PromptOven
    _clock: Clock
    _news: FolderNews = attrs.field(factory=FolderNews, init=False)
    _turn: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    async def execute(self) -> ImportReport:
        """
        Raises:
            StorageUnavailable: nothing was stored, or not all; run it again.
        """
        async with self._turn:
            tally = _Tally()
            reading = await self._files.read()
            plan = await asyncio.to_thread(plan_folder, reading.files)
            unread = (*reading.broken, *plan.broken)
            async with self._unit_of_work(DEFAULT_TENANT) as work:
                round_ = await FolderRound.begin(work, plan.files)
            tally.gone = _gone(round_, unread)
            for broken in unread:
                self._break(round_, tally, broken)
            for planned in plan.files:
                await self._settle(round_, tally, planned)
                # Where nothing changed nothing is waited for: let requests through.
                await asyncio.sleep(0)
            diverged = {each.path for each in tally.diverged}
            self._news.keep(diverged | {each.path for each in tally.broken})
            return tally.report()

    async def _settle(self, round_: FolderRound, tally: _Tally, planned: PlannedFile) -> None:
        file = planned.file
        faults = round_.faults(planned)
        if faults:
            self._break(round_, tally, BrokenFile(name=file.name, path=file.path, faults=faults))
            return
        head = round_.heads.get(file.name)
        content = round_.content(planned)
        if head is not None and content is not None:
            step = await self._look(head, content, file)
            if step in ("unchanged", "diverged"):
                await self._done(round_, tally, file, head, step, content)
                return
        try:
            head, step, content = await self._write(round_, tally, planned)
        except InvalidRequest as error:
            self._break(round_, tally, BrokenFile(name=file.name, path=file.path, faults=error.faults))
            return
        except UnreadableVersion as error:
            # A fragment's, which must not keep all other files out.
            faults = (Fault(path="", message=error.detail),)
            self._break(round_, tally, BrokenFile(name=file.name, path=file.path, faults=faults))
            return
        if step in ("make", "link"):
            self._oven.changed(DEFAULT_TENANT, file.name)
        await self._done(round_, tally, file, head, step, content)

    async def _look(self, head: Prompt, content: str, file: PromptFile) -> Step:
        """Without a lock, and without a read where nothing changed."""
        if head.file == FileLink(path=file.path, hash=content):
            return "unchanged"
        async with self._unit_of_work(head.tenant) as work:
            newest = await work.prompts.outlines((VersionRef(head.name, head.latest),))
        return next_step(head, newest[0].hash if newest else "", content, file.path)

    async def _write(
        self, round_: FolderRound, tally: _Tally, planned: PlannedFile
    ) -> tuple[Prompt | None, Step, str]:
        """Looks again under the lock, as other processes import the same folder, and does what is to be done.

        Returns the head, what was done, and the hash of the file's content.
        """
        file = planned.file
        async with self._unit_of_work(DEFAULT_TENANT) as work:
            head = await self._writing.lock(work, file.name, file.source)
            pinned: dict[str, VersionRef] = {}
            for written, name in round_.beside(planned).items():
                ref = await _holding(work, name, round_.hashes[name])
                if ref is not None:
                    pinned[written] = ref
            draft = Draft(
                name=file.name, source=file.source, made_by="file", message=f"read from {file.path}"
            )
            checked = await self._writing.check(
                work,
                head,
                draft,
                pinned=pinned,
                beside=round_.names - round_.broken.keys(),
                apart=round_.broken,
            )
            content = checked.version.hash
            newest = "" if checked.newest is None else checked.newest.hash
            step = next_step(head, newest, content, file.path)
            if step == "make":
                stored = await self._writing.store(work, head, checked, file_path=file.path)
                await work.commit()
                tally.made.append(stored.version.ref)
                self._news.made(file.path, stored.version.ref, stored.warnings)
            elif step == "link" and head is not None:
                head = attrs.evolve(
                    head,
                    file=linked(head, newest, content, file.path),
                    revision=head.revision + 1,
                    updated_at=self._clock.now(),
                )
                await work.prompts.put(head)
                await work.commit()
        return head, step, content

    async def _done(
        self,
        round_: FolderRound,
        tally: _Tally,
        file: PromptFile,
        head: Prompt | None,
        step: Step,
        content: str,
    ) -> None:
        if step != "diverged" or head is None:
            tally.unchanged += step != "make"
            round_.hashes[file.name] = agreed(head, content)
            return
        tally.diverged.append(DivergedFile(name=file.name, path=file.path))
        self._news.diverged(file.path, file.name, content)
        if head.file is not None:
            round_.hashes[file.name] = head.file.hash
            return
        # The two never agreed: what includes it takes what the name means in the database.
        ref = meant({head.name: head}, PromptReference(name=head.name))
        async with self._unit_of_work(head.tenant) as work:
            found = await work.prompts.outlines((ref,)) if ref is not None else ()
        round_.hashes[file.name] = found[0].hash if found else ""

    def _break(self, round_: FolderRound, tally: _Tally, broken: BrokenFile) -> None:
        broken = attrs.evolve(broken, has_prompt=broken.name in round_.heads)
        tally.broken.append(broken)
        if broken.name is not None:
            round_.broken[broken.name] = broken
        self._news.broken(broken)


def _gone(round_: FolderRound, unread: tuple[BrokenFile, ...]) -> tuple[GoneFile, ...]:
    """The linked files that the folder has not; what lies in a folder that can't be read may well be there."""
    names = round_.names | {each.name for each in unread}
    folders = tuple(f"{each.path}/" for each in unread if each.name is None)
    return tuple(
        GoneFile(name=head.name, path=head.file.path)
        for head in sorted(round_.heads.values(), key=lambda head: head.name)
        if head.file is not None and head.name not in names and not head.file.path.startswith(folders)
    )


async def _holding(work: UnitOfWork, name: PromptName, content: str) -> VersionRef | None:
    """The newest version with this content; None where it was deleted, or lies too far back."""
    below: int | None = None
    for _ in range(MAX_PAGES):
        page = await work.prompts.history(name, below=below, limit=VERSIONS_AT_A_TIME)
        for version in page:
            if version.hash == content:
                return version.ref
        if len(page) < VERSIONS_AT_A_TIME:
            return None
        below = page[-1].number
    return None
