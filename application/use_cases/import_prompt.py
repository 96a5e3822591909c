"""Bring a prompt here from another tool."""

import asyncio
from typing import Final

import attrs

from application.ports.assistants import Assistants
from application.ports.prompt_documents import DocumentFormat, PromptDocuments
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.assistant_text import instructions_of, remote_hashes, text_hash
from application.services.prompt_closure import load_closure
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import Checked, Draft, PromptWriting
from application.services.sync_text import SidesDiverged, sync_command, unified
from domain.errors import Conflict, Fault, InvalidRequest, NotFound
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt
from domain.prompt.formats.assistant import assistant_source, braces_note
from domain.prompt.formats.imported import name_from
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.version import Prompt, RemoteLink
from domain.values import frozen

_LOOKED_BACK: Final = 500
"""Versions among which the content that is imported is looked for."""


@frozen(kw_only=True)
class ImportedVersion:
    ref: VersionRef
    created: bool
    """False where `ref` had this very content already."""
    notes: tuple[str, ...] = ()
    """What could not be carried over, a sentence each."""


@frozen(kw_only=True)
class ImportDocumentCommand:
    tenant: Tenant = DEFAULT_TENANT
    path: str
    format: DocumentFormat = "auto"
    name: PromptName | None = None
    """None takes the name that the file gives."""
    variables: bool = False
    """True: `{{name}}` in an assistant's instructions is a variable."""
    author: str | None = None
    message: str | None = None
    dry_run: bool = False


@attrs.define(kw_only=True)
class ImportDocument:
    """Idempotent: a file that was imported already makes nothing. No label is moved."""

    _documents: PromptDocuments
    _unit_of_work: UnitOfWorkFactory
    _writing: PromptWriting
    _oven: PromptOven

    async def execute(self, command: ImportDocumentCommand) -> ImportedVersion:
        """
        Raises:
            InvalidRequest: naming every fault of the file, or everything in it that lor3 has no equivalent of.
            StorageUnavailable: nothing was stored.
        """
        imported = await self._documents.read(
            command.path, format=command.format, variables=command.variables
        )
        name = command.name or _named(imported.name or "", "")
        draft = Draft(
            tenant=command.tenant,
            name=name,
            source=imported.source,
            made_by="import",
            author=command.author,
            message=command.message or imported.message or f"imported from {command.path}",
        )
        async with self._unit_of_work(command.tenant) as work:
            if command.dry_run:
                head = await work.prompts.get(name)
            else:
                head = await self._writing.lock(work, name, draft.source)
            checked = await self._writing.check(work, head, draft)
            before = await _same(work, checked)
            if before is not None:
                return ImportedVersion(ref=before, created=False, notes=imported.notes)
            if command.dry_run:
                return ImportedVersion(ref=checked.version.ref, created=True, notes=imported.notes)
            written = await self._writing.store(work, head, checked)
            await work.commit()
        self._oven.changed(command.tenant, name)
        return ImportedVersion(ref=written.version.ref, created=written.created, notes=imported.notes)


@frozen(kw_only=True)
class ImportAssistantCommand:
    tenant: Tenant = DEFAULT_TENANT
    assistant_id: str
    name: PromptName | None = None
    """None makes one of the assistant's name, else of its id."""
    variables: bool = False
    """True: `{{name}}` in the instructions is a variable."""
    author: str | None = None
    message: str | None = None
    dry_run: bool = False
    base_url: str | None = None
    """Of the server, as it was given; for the commands that errors name."""


@attrs.define(kw_only=True)
class ImportAssistant:
    """Idempotent: instructions that did not change since the last import make nothing, whatever the prompt says now."""

    _assistants: Assistants
    _unit_of_work: UnitOfWorkFactory
    _writing: PromptWriting
    _oven: PromptOven

    async def execute(self, command: ImportAssistantCommand) -> ImportedVersion:
        """
        Raises:
            NotFound: the server has no such assistant.
            InvalidRequest: its instructions are empty, or can't be a prompt.
            Conflict: a prompt of that name is there already, of another origin, and `name` does not say that it is meant.
            Diverged: the assistant and the prompt both changed since the last import.
            AssistantsUnavailable: the server has no such API any more.
            RemoteFailed: it failed otherwise.
            StorageUnavailable: nothing was stored.
        """
        assistant = await self._assistants.get(command.assistant_id)
        if assistant is None:
            raise NotFound(
                f"the server has no assistant `{command.assistant_id}`, or not under this key; check the id and the "
                "project of the key"
            )
        if not assistant.instructions.strip():
            raise InvalidRequest.of(
                Fault(
                    path="instructions",
                    message=f"the assistant `{assistant.id}` has none, so there is no prompt",
                )
            )
        name = command.name or _named(assistant.name or "", assistant.id)
        source = assistant_source(
            assistant.instructions, description=assistant.description, variables=command.variables
        )
        draft = Draft(
            tenant=command.tenant,
            name=name,
            source=source,
            made_by="import",
            author=command.author,
            message=command.message or f"imported from {assistant.id}",
        )
        notes = assistant.left_over + (() if command.variables else braces_note(assistant.instructions))
        async with self._unit_of_work(command.tenant) as work:
            if command.dry_run:
                head = await work.prompts.get(name)
            else:
                head = await self._writing.lock(work, name, source)
            if head is not None:
                known = await self._known(work, head, command, assistant.id, assistant.instructions)
                if known is not None:
                    return ImportedVersion(ref=known, created=False, notes=notes)
            checked = await self._writing.check(work, head, draft)
            if head is not None and head.assistant is None and command.name is None and checked.is_new:
                raise Conflict(
                    f"there is a prompt `{name}` already, which does not come from {assistant.id}; give `--name` and "
                    f"another name, or `--name {name}` to make the next version of that one"
                )
            if command.dry_run:
                return ImportedVersion(ref=checked.version.ref, created=checked.is_new, notes=notes)
            link = RemoteLink(id=assistant.id, hash=text_hash(instructions_of(checked.compiled)))
            written = await self._writing.store(work, head, checked, assistant=link)
            if written.changed:
                await work.commit()
        if written.changed:
            self._oven.changed(command.tenant, name)
        return ImportedVersion(ref=written.version.ref, created=written.created, notes=notes)

    async def _known(
        self,
        work: UnitOfWork,
        head: Prompt,
        command: ImportAssistantCommand,
        assistant_id: str,
        instructions: str,
    ) -> VersionRef | None:
        """The newest version, where the assistant has said nothing new since the last import."""
        link = head.assistant
        if link is None:
            return None
        if link.id != assistant_id:
            if command.name is not None:
                return None
            raise Conflict(
                f"the prompt `{head.name}` is linked to another assistant, {link.id}; give `--name` and another name, "
                f"or `--name {head.name}` to link it to {assistant_id}"
            )
        newest, compiled = await _compiled(work, head)
        there = remote_hashes(instructions, compiled)
        if link.hash in there:
            return newest
        here = "" if compiled.is_chat else instructions_of(compiled)
        if text_hash(here) not in {link.hash, *there}:

            def again(prefer: str) -> str:
                return sync_command(head.name, "--prefer", prefer, base_url=command.base_url)

            raise SidesDiverged(
                f"{assistant_id} and {newest} both changed since the last import; say which one counts:\n"
                f"  {again('local')}     lor3's: the assistant's is overwritten\n"
                f"  {again('remote')}    the assistant's: the next version",
                diff=unified(here, instructions, local_name=str(newest), remote_name=assistant_id),
            )
        return None


async def _same(work: UnitOfWork, checked: Checked) -> VersionRef | None:
    """The version that has this very content already, be it the newest or one before later changes."""
    if checked.newest is None:
        return None
    versions = await work.prompts.history(checked.version.name, limit=_LOOKED_BACK)
    return next((version.ref for version in versions if version.hash == checked.version.hash), None)


async def _compiled(work: UnitOfWork, head: Prompt) -> tuple[VersionRef, CompiledPrompt]:
    found = await work.prompts.find((VersionRef(head.name, head.latest),))
    if not found:
        raise NotFound(f"{head.name}:v{head.latest} is gone; run it again")
    library = await load_closure(work, found[0])
    return found[0].ref, await asyncio.to_thread(compile_prompt, found[0], library)


def _named(text: str, otherwise: str) -> PromptName:
    """
    Raises:
        InvalidRequest: nothing of either can be a name.
    """
    name = name_from(text) or name_from(otherwise)
    if name is None:
        raise InvalidRequest.of(
            Fault(path="name", message="no name can be made of the original's; give one with `--name`")
        )
    return name
