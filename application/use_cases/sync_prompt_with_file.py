"""Bring a prompt and its file to the same text."""

from typing import Final, Literal, TypeAlias

import attrs

from application.ports.clock import Clock
from application.ports.prompt_files import PromptFiles
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.prompt_folder import PlannedFile, plan_folder
from application.services.prompt_lookup import no_prompt
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import Checked, Draft, PromptWriting
from application.services.sync_text import SidesDiverged, source_text, unified
from application.use_cases.sync_prompt import SyncedPrompt, SyncPromptCommand
from domain.errors import Diverged, InvalidRequest, NotFound
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.version import FileLink, Prompt, PromptVersion

_LOOKED_BACK: Final = 500
"""Versions of a fragment among which the one that its file holds is looked for."""

_Change: TypeAlias = Literal["none", "file", "prompt", "both"]


@attrs.frozen
class _Pending:
    """A fragment's file that a dry run would make a version of."""

    name: PromptName


@attrs.define(kw_only=True)
class SyncPromptWithFile:
    """Decides by three hashes: the file's now, the newest version's, and the one both had when they last agreed.

    A file's hash is that of its text and of its fragments as the folder has them now, as `ImportPromptFiles` has
    it: so a file whose fragment changed counts as changed, and fragments that are only newer in the folder are
    pulled on the way.
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
            InvalidRequest: the file is broken; names every fault.
            Diverged: both changed and `prefer` is not given, or a fragment's file and its prompt have diverged.
            ConfigurationError: there is no folder, or it can't be written.
            StorageUnavailable: nothing was stored.
        """
        reading = await self._files.read()
        plan = plan_folder(reading.files)
        broken = {each.name: each for each in (*reading.broken, *plan.broken) if each.name is not None}
        if command.name in broken:
            raise InvalidRequest.of(*broken[command.name].faults)
        planned = {each.file.name: each for each in plan.files}
        file = planned.get(command.name)
        if file is None:
            return await self._create(command)
        held: dict[PromptName, VersionRef | _Pending] = {}
        notes: list[str] = []
        needed = _closure(planned, command.name)
        for each in (file, *(planned[name] for name in needed)):
            for name in each.beside(broken.keys()).values():
                raise InvalidRequest.of(*broken[name].faults)
        for each in plan.files:  # what is included comes first
            if each.file.name in needed:
                held[each.file.name] = await self._settle(command, each, held, notes)
        return await self._compare(command, file, held, notes)

    async def _create(self, command: SyncPromptCommand) -> SyncedPrompt:
        async with self._unit_of_work(command.tenant) as work:
            head = await work.prompts.lock(command.name)
            if head is None:
                raise NotFound(
                    f"{await no_prompt(work, command.name)}; nor does the folder have a file of that name"
                )
            newest = await _newest(work, head)
            if command.dry_run:
                return SyncedPrompt(outcome="created", ref=newest.ref, where=f"{command.name}.yaml")
            path = await self._push(work, head, newest)
        self._oven.changed(command.tenant, command.name)
        return SyncedPrompt(outcome="created", ref=newest.ref, where=path)

    async def _settle(
        self,
        command: SyncPromptCommand,
        planned: PlannedFile,
        held: dict[PromptName, VersionRef | _Pending],
        notes: list[str],
    ) -> VersionRef | _Pending:
        """The version that a fragment's file holds, which is made where the file alone has changed."""
        file = planned.file
        async with self._unit_of_work(command.tenant) as work:
            head, checked = await self._checked(work, command, planned, held)
            if checked is None:
                return _Pending(file.name)
            now_holds = checked.version.hash
            if head is not None and checked.newest is not None:
                if checked.newest.hash == now_holds:
                    return checked.newest.ref
                if head.file is not None and head.file.hash == now_holds:
                    found = await _holding(work, file.name, now_holds)
                    if found is not None:
                        return found
                if _change(head, checked.newest.hash, now_holds) != "file":
                    raise Diverged(
                        f"the fragment {file.path} and the prompt `{file.name}` both changed since they last agreed; "
                        f"sync that one first: `lor3 prompt sync {file.name}`"
                    )
            notes.append(
                f"{'would make' if command.dry_run else 'made'} {checked.version.ref} of {file.path}"
            )
            if command.dry_run:
                return _Pending(file.name)
            written = await self._writing.store(work, head, checked, file_path=file.path)
            await work.commit()
        self._oven.changed(command.tenant, file.name)
        return written.version.ref

    async def _compare(
        self,
        command: SyncPromptCommand,
        planned: PlannedFile,
        held: dict[PromptName, VersionRef | _Pending],
        notes: list[str],
    ) -> SyncedPrompt:
        file = planned.file
        async with self._unit_of_work(command.tenant) as work:
            head, checked = await self._checked(work, command, planned, held)
            newest = None if head is None else await _newest(work, head)
            now_holds = None if checked is None else checked.version.hash
            if head is None or newest is None:
                change: _Change = "file"
            elif newest.hash == now_holds:
                change = "none"
            else:
                change = _change(head, newest.hash, now_holds)
            if change == "both" and newest is not None:
                if command.prefer is None:
                    raise _diverged(command, planned, newest, checked)
                change = "prompt" if command.prefer == "local" else "file"
            if change == "file":
                before = head or await work.prompts.removed(file.name)
                ref = VersionRef(file.name, 1 if before is None else before.next_number)
                if not command.dry_run and checked is not None:
                    ref = (await self._writing.store(work, head, checked, file_path=file.path)).version.ref
                    await work.commit()
                synced = SyncedPrompt(outcome="pulled", ref=ref, where=file.path, notes=tuple(notes))
            elif head is None or newest is None:
                raise NotFound(f"there is no prompt `{command.name}`")
            elif change == "prompt":
                path = file.path if command.dry_run else await self._push(work, head, newest)
                synced = SyncedPrompt(outcome="pushed", ref=newest.ref, where=path, notes=tuple(notes))
            else:
                if not command.dry_run:
                    await self._link(work, head, FileLink(path=file.path, hash=newest.hash))
                synced = SyncedPrompt(
                    outcome="unchanged", ref=newest.ref, where=file.path, notes=tuple(notes)
                )
        if not command.dry_run:
            self._oven.changed(command.tenant, command.name)
        return synced

    async def _checked(
        self,
        work: UnitOfWork,
        command: SyncPromptCommand,
        planned: PlannedFile,
        held: dict[PromptName, VersionRef | _Pending],
    ) -> tuple[Prompt | None, Checked | None]:
        """The head, and the file as the next version; None for that where a dry run can't know it."""
        file = planned.file
        if command.dry_run:
            head = await work.prompts.get(file.name)
        else:
            head = await self._writing.lock(work, file.name, file.source)
        pinned: dict[str, VersionRef] = {}
        for written, name in planned.beside(held.keys()).items():
            ref = held[name]
            if isinstance(ref, _Pending):
                return head, None
            pinned[written] = ref
        draft = Draft(
            tenant=command.tenant,
            name=file.name,
            source=file.source,
            made_by="file",
            author=command.author,
            message=command.message or f"read from {file.path}",
        )
        return head, await self._writing.check(work, head, draft, pinned=pinned)

    async def _push(self, work: UnitOfWork, head: Prompt, newest: PromptVersion) -> str:
        """Writes the file, then the link: a link without its file would take the old text for a change."""
        path = await self._files.write(head.name, newest.source)
        await self._link(work, head, FileLink(path=path, hash=newest.hash))
        return path

    async def _link(self, work: UnitOfWork, head: Prompt, link: FileLink) -> None:
        if head.file != link:
            await work.prompts.put(
                attrs.evolve(head, file=link, revision=head.revision + 1, updated_at=self._clock.now())
            )
            await work.commit()


def _change(head: Prompt, newest: str, now_holds: str | None) -> _Change:
    """Who changed since the two last agreed; both where they never did.

    Args:
        now_holds: None for a file whose fragments have changed.
    """
    if head.file is None:
        return "both"
    if newest == head.file.hash:
        return "file"
    return "prompt" if now_holds == head.file.hash else "both"


def _closure(planned: dict[PromptName, PlannedFile], name: PromptName) -> set[PromptName]:
    """The files that `name` includes, directly or through others."""
    found: set[PromptName] = set()
    level = {name}
    while level:
        below = {each for one in level for each in planned[one].beside(planned.keys()).values()}
        level = below - found
        found |= below
    return found


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


async def _holding(work: UnitOfWork, name: PromptName, hash_: str) -> VersionRef | None:
    versions = await work.prompts.versions(name, limit=_LOOKED_BACK)
    return next((version.ref for version in versions if version.hash == hash_), None)
