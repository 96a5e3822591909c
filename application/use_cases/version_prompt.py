"""Make a new version of a prompt."""

from typing import Final

import attrs

from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.prompt_lookup import demand_match
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import Draft, PromptWriting
from domain.errors import PreconditionFailed, StorageUnavailable
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource
from domain.prompt.version import MadeBy, Prompt, PromptVersion
from domain.values import frozen

MAX_LOOKED_BACK: Final = 10
"""Older versions, besides those that labels point to, whose includers are looked for."""
MAX_KEEPERS: Final = 100
"""Includers looked at for each of them."""


@frozen(kw_only=True)
class VersionPromptCommand:
    tenant: Tenant = DEFAULT_TENANT
    name: PromptName
    source: PromptSource
    made_by: MadeBy
    author: str | None = None
    message: str | None = None
    if_match: tuple[str, ...] | None = None
    """ETags one of which the head must have (`*`: the prompt must exist); None asks nothing."""
    if_none_match: bool = False
    """True: there must be no such prompt yet."""


@frozen(kw_only=True)
class VersionedPrompt:
    version: PromptVersion
    prompt: Prompt
    created: bool
    """False where the newest version has this very content: then that is `version`."""
    kept_by: tuple[VersionRef, ...] = ()
    """The newest versions of other prompts that pin an older version of this one, and keep it."""
    warnings: tuple[str, ...] = ()
    """As `CompiledPrompt.warnings` has them."""


@attrs.define(kw_only=True)
class VersionPrompt:
    """Checks, compiles, pins the fragments and stores an immutable snapshot."""

    _unit_of_work: UnitOfWorkFactory
    _writing: PromptWriting
    _oven: PromptOven

    async def execute(self, command: VersionPromptCommand) -> VersionedPrompt:
        """
        Raises:
            InvalidRequest: naming every fault of the source, its templates and its fragments.
            PreconditionFailed: somebody else changed the prompt first.
            Overloaded: too many versions wait to be compiled.
            StorageUnavailable: nothing was stored.
        """
        draft = Draft(
            tenant=command.tenant,
            name=command.name,
            source=command.source,
            made_by=command.made_by,
            author=command.author,
            message=command.message,
        )
        async with (
            self._writing.prepared(self._unit_of_work, draft) as ready,
            self._unit_of_work(command.tenant) as work,
        ):
            head = await self._writing.lock(work, command.name, command.source, ready=ready)
            demand_match(head, command.name, command.if_match)
            if command.if_none_match and head is not None:
                raise PreconditionFailed(
                    f"there is a prompt `{command.name}` already, its newest version is v{head.latest}; "
                    "leave `If-None-Match` out to make another version of it, or choose another name"
                )
            written = await self._writing.write(work, head, draft, ready=ready)
            if written.changed:
                await work.commit()
        if written.changed:
            self._oven.changed(command.tenant, command.name)
        return VersionedPrompt(
            version=written.version,
            prompt=written.prompt,
            created=written.created,
            kept_by=await self._keepers(head) if head is not None and written.created else (),
            warnings=written.warnings,
        )

    async def _keepers(self, before: Prompt) -> tuple[VersionRef, ...]:
        """Outside the transaction, in which others would wait for these dozen reads."""
        try:
            async with self._unit_of_work(before.tenant) as work:
                return await _keepers(work, before)
        except StorageUnavailable:
            # The version is stored: an error would say that it is not. These are a hint.
            return ()


async def _keepers(work: UnitOfWork, before: Prompt) -> tuple[VersionRef, ...]:
    """The newest versions of other prompts that pin one of the versions that there were `before`."""
    labelled = {number for label in before.labels for number, _ in label.weights}
    recent = range(before.latest, max(before.latest - MAX_LOOKED_BACK, 0), -1)
    found: dict[PromptName, VersionRef] = {}
    for number in sorted({*recent, *labelled}, reverse=True):
        for ref in await work.prompts.including(VersionRef(before.name, number), limit=MAX_KEEPERS):
            if ref.name not in found or found[ref.name].number < ref.number:
                found[ref.name] = ref
    heads = {name: await work.prompts.get(name) for name in found}
    return tuple(
        ref
        for name, ref in sorted(found.items())
        if (head := heads[name]) is not None and head.latest == ref.number
    )
