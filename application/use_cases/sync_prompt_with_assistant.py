"""Bring a prompt and an assistant's instructions to the same text."""

import asyncio

import attrs

from application.ports.assistants import Assistant, Assistants
from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.assistant_text import (
    instructions_of,
    is_plain,
    remote_hashes,
    source_with,
    text_hash,
)
from application.services.prompt_closure import load_closure
from application.services.prompt_lookup import existing_prompt
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import Draft, PromptWriting
from application.services.sync_text import SidesDiverged, unified
from application.use_cases.sync_prompt import SyncedPrompt, SyncPromptWithAssistantCommand
from domain.errors import Fault, InvalidRequest, NotFound, PreconditionFailed, StorageUnavailable
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt
from domain.prompt.reference import VersionRef
from domain.prompt.version import Prompt, PromptVersion, RemoteLink
from domain.values import frozen


@frozen(kw_only=True)
class _Local:
    """The prompt as it is now."""

    head: Prompt
    newest: PromptVersion
    compiled: CompiledPrompt
    instructions: str


@attrs.define(kw_only=True)
class SyncPromptWithAssistant:
    """Decides by the hashes of the instructions there, of the newest version's flat text, and of what both last agreed on.

    No unit of work is open while the server is asked.
    """

    _assistants: Assistants
    _unit_of_work: UnitOfWorkFactory
    _writing: PromptWriting
    _oven: PromptOven
    _clock: Clock

    async def execute(self, command: SyncPromptWithAssistantCommand) -> SyncedPrompt:
        """
        Raises:
            NotFound: there is no such prompt or assistant.
            InvalidRequest: the prompt can be no assistant, or its instructions no version of the prompt.
            Diverged: both changed and `prefer` is not given, or a text of fragments would become a single one.
            PreconditionFailed: somebody else changed the prompt meanwhile.
            AssistantsUnavailable: the server has no such API any more.
            RemoteFailed: it failed otherwise.
            StorageUnavailable: the prompt is as it was.
        """
        local = await self._local(command)
        link = local.head.assistant
        assistant_id = command.assistant_id or (link.id if link is not None else None)
        if assistant_id is None:
            return await self._create(command, local)
        agreed = link.hash if link is not None and link.id == assistant_id else None
        assistant = await self._assistants.get(assistant_id)
        if assistant is None:
            raise NotFound(
                f"the server has no assistant `{assistant_id}` any more, or has it under another key; link another "
                f"one: `{command.again(assistant_id='ID')}`"
            )
        here, there = text_hash(local.instructions), remote_hashes(assistant.instructions, local.compiled)
        if here in there:
            if not command.dry_run:
                await self._link(command, RemoteLink(id=assistant.id, hash=here))
            return SyncedPrompt(outcome="unchanged", ref=local.newest.ref, where=assistant.id)
        if agreed is None or (agreed not in there and agreed != here):
            if command.prefer is None:
                raise _diverged(
                    command, local, assistant, "both changed since they last agreed" if agreed else "differ"
                )
            pull = command.prefer == "remote"
        else:
            pull = agreed == here
        if not pull:
            return await self._push(command, local, assistant)
        if local.newest.pins and command.prefer != "remote":
            if command.prefer == "local":
                return await self._push(command, local, assistant)
            raise _diverged(
                command,
                local,
                assistant,
                "differ, and pulling would make one text of a prompt that is composed of fragments",
            )
        return await self._pull(command, local, assistant)

    async def _local(self, command: SyncPromptWithAssistantCommand) -> _Local:
        async with self._unit_of_work(command.tenant) as work:
            head = await existing_prompt(work, command.name)
            found = await work.prompts.find((VersionRef(head.name, head.latest),))
            if not found:
                raise NotFound(f"{head.name}:v{head.latest} is gone; run it again")
            library = await load_closure(work, found[0])
        compiled = await asyncio.to_thread(compile_prompt, found[0], library)
        return _Local(head=head, newest=found[0], compiled=compiled, instructions=instructions_of(compiled))

    async def _create(self, command: SyncPromptWithAssistantCommand, local: _Local) -> SyncedPrompt:
        if command.model is None:
            raise InvalidRequest.of(
                Fault(
                    path="model",
                    message=f"`{command.name}` is linked to no assistant; give `--assistant-id` to link one, or "
                    "`--model` to make one",
                )
            )
        if command.dry_run:
            return SyncedPrompt(
                outcome="created", ref=local.newest.ref, where="a new assistant", notes=_notes(local)
            )
        made = await self._assistants.create(
            name=command.name, instructions=local.instructions, model=command.model
        )
        try:
            await self._link(command, RemoteLink(id=made.id, hash=text_hash(local.instructions)))
        except StorageUnavailable as error:
            raise StorageUnavailable(
                f"the assistant `{made.id}` was made, but that could not be stored ({error.detail}); later run "
                f"`{command.again(assistant_id=made.id)}`"
            ) from error
        return SyncedPrompt(outcome="created", ref=local.newest.ref, where=made.id, notes=_notes(local))

    async def _push(
        self, command: SyncPromptWithAssistantCommand, local: _Local, assistant: Assistant
    ) -> SyncedPrompt:
        if not command.dry_run:
            await self._assistants.update(assistant.id, instructions=local.instructions)
            await self._link(command, RemoteLink(id=assistant.id, hash=text_hash(local.instructions)))
        return SyncedPrompt(outcome="pushed", ref=local.newest.ref, where=assistant.id, notes=_notes(local))

    async def _pull(
        self, command: SyncPromptWithAssistantCommand, local: _Local, assistant: Assistant
    ) -> SyncedPrompt:
        if not assistant.instructions.strip():
            raise InvalidRequest.of(
                Fault(
                    path="instructions",
                    message=f"the assistant `{assistant.id}` has none, so there is nothing to pull; with "
                    "`--prefer local` the prompt's text is written there",
                )
            )
        draft = Draft(
            tenant=command.tenant,
            name=command.name,
            source=source_with(assistant.instructions, local.newest, local.compiled),
            made_by="import",
            author=command.author,
            message=command.message or f"pulled from {assistant.id}",
        )
        async with self._unit_of_work(command.tenant) as work:
            if command.dry_run:
                head = await work.prompts.get(command.name)
            else:
                head = await self._writing.lock(work, command.name, draft.source)
            if head is None or head.latest != local.head.latest:
                raise PreconditionFailed(f"`{command.name}` was changed meanwhile; run it again")
            checked = await self._writing.check(work, head, draft)
            ref = checked.version.ref
            if not command.dry_run:
                # What is compared next time is the flat text, so that is what they agree on.
                agreed = text_hash(instructions_of(checked.compiled))
                written = await self._writing.store(
                    work, head, checked, assistant=RemoteLink(id=assistant.id, hash=agreed)
                )
                await work.commit()
                ref = written.version.ref
        if not command.dry_run:
            self._oven.changed(command.tenant, command.name)
        names = ", ".join(dict.fromkeys(pin.ref.name for pin in local.newest.pins))
        flattened = (f"{ref} is one text: it includes {names} no more",) if names else ()
        return SyncedPrompt(outcome="pulled", ref=ref, where=assistant.id, notes=flattened)

    async def _link(self, command: SyncPromptWithAssistantCommand, link: RemoteLink) -> None:
        async with self._unit_of_work(command.tenant) as work:
            head = await work.prompts.lock(command.name)
            if head is None:
                raise NotFound(f"the prompt `{command.name}` was deleted meanwhile")
            if head.assistant == link:
                return
            await work.prompts.put(
                attrs.evolve(head, assistant=link, revision=head.revision + 1, updated_at=self._clock.now())
            )
            await work.commit()
        self._oven.changed(command.tenant, command.name)


def _notes(local: _Local) -> tuple[str, ...]:
    if is_plain(local.compiled):
        return ()
    return (
        "its tags such as `{{name}}` stay in the instructions; whoever runs the assistant has to fill them in",
    )


def _diverged(
    command: SyncPromptWithAssistantCommand, local: _Local, assistant: Assistant, what: str
) -> SidesDiverged:
    return SidesDiverged(
        f"the assistant `{assistant.id}` and {local.newest.ref} {what}; say which one counts:\n"
        f"  {command.again('--prefer', 'local')}     lor3's: the assistant's is overwritten\n"
        f"  {command.again('--prefer', 'remote')}    the assistant's: it becomes the next version",
        diff=unified(
            local.instructions,
            assistant.instructions,
            local_name=str(local.newest.ref),
            remote_name=assistant.id,
        ),
    )
