"""Bring a prompt and its file to the same text."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

from application.ports.clock import Clock
from application.ports.prompt_files import BrokenFile, PromptFile, PromptFiles
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.folder_fragments import FolderFragments
from application.services.prompt_folder import PlannedFile, plan_folder
from application.services.prompt_includes import includes
from application.services.prompt_lookup import no_prompt
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import Checked, PromptWriting
from application.services.sync_text import SidesDiverged, other_fragments, source_text, unified
from application.use_cases.sync_prompt import SyncedPrompt, SyncOutcome, SyncPromptCommand
from domain.errors import Fault, InvalidRequest, NotFound, PreconditionFailed
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.version import FileLink, Prompt, PromptVersion

_Change: TypeAlias = Literal["none", "file", "prompt", "both"]


@attrs.define(kw_only=True)
class SyncPromptWithFile:
    """Decides by three hashes: the file's now, the newest version's, and the one both had when they last agreed.

    A file's hash is that of its text and of its fragments as the folder has them now, as `ImportPromptFiles` has
    it: so a file whose fragment changed counts as changed, and fragments that are only newer in the folder are
    pulled on the way. A file that is written keeps that hash beside the version's (`FileLink.in_folder`), so that
    an import right behind any sync makes nothing of it.
    """

    _files: PromptFiles
    _unit_of_work: UnitOfWorkFactory
    _writing: PromptWriting
    _oven: PromptOven
    _clock: Clock

    async def execute(self, command: SyncPromptCommand) -> SyncedPrompt:
        """
        Raises:
            NotFound: there is neither a prompt nor a file of that name.
            InvalidRequest: the file is broken, and `local` is not preferred; names every fault.
            Diverged: both changed and `prefer` is not given, or a fragment's file and its prompt have diverged.
            ConfigurationError: there is no folder, or it can't be written.
            PreconditionFailed: somebody else changed the prompt meanwhile.
            StorageUnavailable: nothing was stored.
        """
        reading = await self._files.read()
        plan = plan_folder(reading.files)
        broken = {each.name: each for each in (*reading.broken, *plan.broken) if each.name is not None}
        planned = {each.file.name: each for each in plan.files}
        fragments = self._fragments(command, planned, broken)
        if command.name in broken:
            return await self._overwrite(command, broken[command.name], fragments)
        file = planned.get(command.name)
        if file is None:
            return await self._push(command, fragments, "created", f"{command.name}.yaml")
        try:
            await fragments.settle(file)
            return await self._compare(command, file, fragments)
        except InvalidRequest as error:
            fault = BrokenFile(name=command.name, path=file.file.path, faults=error.faults)
            return await self._overwrite(command, fault, fragments)

    def _fragments(
        self,
        command: SyncPromptCommand,
        planned: Mapping[PromptName, PlannedFile],
        broken: Mapping[PromptName, BrokenFile],
    ) -> FolderFragments:
        return FolderFragments(
            unit_of_work=self._unit_of_work,
            writing=self._writing,
            oven=self._oven,
            planned=planned,
            broken=broken,
            tenant=command.tenant,
            author=command.author,
            message=command.message,
            dry_run=command.dry_run,
            passes_diverged=command.prefer == "local",
        )

    async def _overwrite(
        self, command: SyncPromptCommand, broken: BrokenFile, fragments: FolderFragments
    ) -> SyncedPrompt:
        """Writes the prompt over a file that can't be used, where that is asked for."""
        async with self._unit_of_work(command.tenant) as work:
            head = await work.prompts.get(command.name)
        if head is None:
            raise InvalidRequest.of(*broken.faults)
        if command.prefer != "local":
            ref = VersionRef(head.name, head.latest)
            way_out = (
                f"mend the file, or overwrite it with {ref}: `lor3 prompt sync {command.name} --prefer local`"
            )
            raise InvalidRequest.of(*broken.faults, Fault(path="", message=way_out))
        return await self._push(command, fragments, "pushed", broken.path)

    async def _compare(
        self, command: SyncPromptCommand, planned: PlannedFile, fragments: FolderFragments
    ) -> SyncedPrompt:
        file = planned.file
        async with self._unit_of_work(command.tenant) as work:
            head, checked = await fragments.checked(work, planned, locks=True)
            newest = None if head is None else await _newest(work, head)
            now_holds = None if checked is None else checked.version.hash
            change: _Change = "file"
            if head is not None and newest is not None:
                change = _change(head, newest.hash, now_holds)
                if change == "both":
                    if command.prefer is None:
                        raise _diverged(command, planned, newest, checked)
                    change = "prompt" if command.prefer == "local" else "file"
                if change == "none":
                    if not command.dry_run:
                        await self._link(work, head, _link(file.path, newest, now_holds))
                    notes = (*fragments.notes, *other_fragments(newest, checked))
                    return SyncedPrompt(outcome="unchanged", ref=newest.ref, where=file.path, notes=notes)
            if change == "file":
                before = head or await work.prompts.removed(file.name)
                ref = VersionRef(file.name, 1 if before is None else before.next_number)
                if not command.dry_run and checked is not None:
                    ref = (await self._writing.store(work, head, checked, file_path=file.path)).version.ref
                    await work.commit()
                    self._oven.changed(command.tenant, command.name)
                return SyncedPrompt(outcome="pulled", ref=ref, where=file.path, notes=tuple(fragments.notes))
        return await self._push(command, fragments, "pushed", file.path)

    async def _push(
        self, command: SyncPromptCommand, fragments: FolderFragments, outcome: SyncOutcome, path: str
    ) -> SyncedPrompt:
        """Writes the file, then the link: a link without its file would take the old text for a change."""
        async with self._unit_of_work(command.tenant) as work:
            head = await work.prompts.get(command.name)
            if head is None:
                raise NotFound(
                    f"{await no_prompt(work, command.name)}; nor does the folder have a file of that name"
                )
            newest = await _newest(work, head)
        source = newest.source
        written = PlannedFile(
            file=PromptFile(name=head.name, path=path, source=source), includes=includes(source)
        )
        try:
            await fragments.settle(written)
            composes = True
        except InvalidRequest:
            composes = False  # an import tells which fragment is broken, and makes nothing until it is mended
        async with self._unit_of_work(command.tenant) as work:
            if not command.dry_run:
                head = await self._writing.lock(work, command.name, source)
            if head is None or head.latest != newest.number:
                raise PreconditionFailed(f"`{command.name}` was changed meanwhile; run it again")
            checked = await _composed(work, written, fragments) if composes else None
            if not command.dry_run:
                path = await self._files.write(head.name, source)
                now_holds = None if checked is None else checked.version.hash
                await self._link(work, head, _link(path, newest, now_holds))
        notes = (*fragments.notes, *other_fragments(newest, checked))
        return SyncedPrompt(outcome=outcome, ref=newest.ref, where=path, notes=notes)

    async def _link(self, work: UnitOfWork, head: Prompt, link: FileLink) -> None:
        if head.file != link:
            await work.prompts.put(
                attrs.evolve(head, file=link, revision=head.revision + 1, updated_at=self._clock.now())
            )
            await work.commit()
            self._oven.changed(head.tenant, head.name)


async def _composed(work: UnitOfWork, file: PlannedFile, fragments: FolderFragments) -> Checked | None:
    """What an import will read; None where it will refuse it, as the folder's fragments do not fit."""
    try:
        return (await fragments.checked(work, file, locks=False))[1]
    except InvalidRequest:
        return None


def _link(path: str, newest: PromptVersion, now_holds: str | None) -> FileLink:
    """
    Args:
        now_holds: the hash of the file with the folder's fragments, where that is known.
    """
    return FileLink(path=path, hash=newest.hash, in_folder=None if now_holds == newest.hash else now_holds)


def _change(head: Prompt, newest: str, now_holds: str | None) -> _Change:
    """Who changed since the two last agreed; both where they never did.

    Args:
        now_holds: None for a file whose fragments have changed.
    """
    if newest == now_holds:
        return "none"
    link = head.file
    if link is None:
        return "both"
    if now_holds is not None and link.holds(now_holds):
        return "none" if newest == link.hash else "prompt"
    return "file" if newest == link.hash else "both"


def _diverged(
    command: SyncPromptCommand, planned: PlannedFile, newest: PromptVersion, checked: Checked | None
) -> SidesDiverged:
    file = planned.file
    diff = unified(
        source_text(newest.source, newest.pins),
        source_text(file.source, () if checked is None else checked.version.pins),
        local_name=str(newest.ref),
        remote_name=file.path,
    )
    return SidesDiverged(
        f"{file.path} and {newest.ref} both changed since they last agreed; say which one counts:\n"
        f"  lor3 prompt sync {command.name} --prefer local     the database's: the file is overwritten\n"
        f"  lor3 prompt sync {command.name} --prefer remote    the file's: it becomes the next version",
        diff=diff,
    )


async def _newest(work: UnitOfWork, head: Prompt) -> PromptVersion:
    found = await work.prompts.find((VersionRef(head.name, head.latest),))
    if not found:
        raise NotFound(f"{head.name}:v{head.latest} is gone; run it again")
    return found[0]
