"""Which versions the fragments of a file stand for, as its folder has them."""

from collections.abc import Mapping
from typing import Final

import attrs

from application.ports.prompt_files import BrokenFile
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.prompt_folder import PlannedFile
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import Checked, Draft, PromptWriting
from domain.errors import Diverged, InvalidRequest
from domain.ids import Tenant
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.version import Prompt
from domain.values import frozen

_LOOKED_BACK: Final = 500
"""Versions of a fragment among which the one that its file holds is looked for."""


@frozen
class _Pending:
    """A fragment's file that a dry run would make a version of."""

    name: PromptName


@attrs.define(kw_only=True)
class FolderFragments:
    """Settles the files that a file includes, those below first, as an import of the folder would.

    Where a fragment's file alone has changed, that makes a version of it.
    """

    _unit_of_work: UnitOfWorkFactory
    _writing: PromptWriting
    _oven: PromptOven
    _planned: Mapping[PromptName, PlannedFile]
    """Each behind those that it includes."""
    _broken: Mapping[PromptName, BrokenFile]
    _tenant: Tenant
    _author: str | None
    _message: str | None
    _dry_run: bool
    _passes_diverged: bool
    """True: a fragment that has diverged counts as what its file held when the two last agreed."""
    notes: list[str] = attrs.field(factory=list, init=False)
    """What was made, a sentence each."""
    _held: dict[PromptName, VersionRef | _Pending] = attrs.field(factory=dict, init=False)
    _passed: set[PromptName] = attrs.field(factory=set, init=False)

    async def settle(self, file: PlannedFile) -> None:
        """
        Raises:
            InvalidRequest: a fragment's file is broken, or does not fit its own fragments.
            Diverged: a fragment's file and its prompt both changed.
        """
        needed = self._closure(file)
        for each in (file, *(self._planned[name] for name in needed)):
            for name in each.beside(self._broken.keys()).values():
                raise InvalidRequest.of(*self._broken[name].faults)
        for name, each in self._planned.items():
            if name in needed and name not in self._held and name not in self._passed:
                ref = await self._settle(each)
                if ref is None:
                    self._passed.add(name)
                else:
                    self._held[name] = ref

    async def checked(
        self, work: UnitOfWork, file: PlannedFile, *, locks: bool
    ) -> tuple[Prompt | None, Checked | None]:
        """The head, and the file as the next version; None for that where a dry run can't know it.

        Args:
            locks: whether the head is locked; a dry run never does.
        """
        name, source = file.file.name, file.file.source
        if locks and not self._dry_run:
            head = await self._writing.lock(work, name, source)
        else:
            head = await work.prompts.get(name)
        pinned: dict[str, VersionRef] = {}
        for written, fragment in file.beside(self._held.keys()).items():
            ref = self._held[fragment]
            if isinstance(ref, _Pending):
                return head, None
            pinned[written] = ref
        draft = Draft(
            tenant=self._tenant,
            name=name,
            source=source,
            made_by="file",
            author=self._author,
            message=self._message or f"read from {file.file.path}",
        )
        return head, await self._writing.check(work, head, draft, pinned=pinned)

    async def _settle(self, planned: PlannedFile) -> VersionRef | _Pending | None:
        """The version that a fragment's file holds; None where that is what its name means in the store."""
        file = planned.file
        async with self._unit_of_work(self._tenant) as work:
            head, checked = await self.checked(work, planned, locks=True)
            if checked is None:
                return _Pending(file.name)
            now_holds = checked.version.hash
            if head is not None and checked.newest is not None:
                if checked.newest.hash == now_holds:
                    return checked.newest.ref
                link = head.file
                if link is not None and link.holds(now_holds):
                    found = await _holding(work, file.name, link.hash)
                    if found is not None:
                        return found
                if link is None or link.hash != checked.newest.hash:
                    if self._passes_diverged:
                        return None if link is None else await _holding(work, file.name, link.hash)
                    raise Diverged(
                        f"the fragment {file.path} and the prompt `{file.name}` both changed since they last agreed; "
                        f"sync that one first: `lor3 prompt sync {file.name}`"
                    )
            self.notes.append(
                f"{'would make' if self._dry_run else 'made'} {checked.version.ref} of {file.path}"
            )
            if self._dry_run:
                return _Pending(file.name)
            written = await self._writing.store(work, head, checked, file_path=file.path)
            await work.commit()
        self._oven.changed(self._tenant, file.name)
        return written.version.ref

    def _closure(self, file: PlannedFile) -> set[PromptName]:
        """The files that `file` includes, directly or through others."""
        found: set[PromptName] = set()
        level = {file.file.name}
        while level:
            below = {
                each
                for name in level
                for each in (file if name == file.file.name else self._planned[name])
                .beside(self._planned.keys())
                .values()
            }
            level = below - found - {file.file.name}
            found |= level
        return found


async def _holding(work: UnitOfWork, name: PromptName, hash_: str) -> VersionRef | None:
    versions = await work.prompts.history(name, limit=_LOOKED_BACK)
    return next((version.ref for version in versions if version.hash == hash_), None)
