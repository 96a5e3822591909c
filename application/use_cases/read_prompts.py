"""Look at prompts, their versions and their labels."""

import asyncio

import attrs

from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.prompt_closure import load_closure
from application.services.prompt_lookup import (
    existing_prompt,
    existing_version,
    no_label,
)
from domain.errors import NotFound
from domain.ids import Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt
from domain.prompt.reference import PromptName, PromptReference, VersionRef
from domain.prompt.rollout import heaviest_version
from domain.prompt.version import LabelMove, Prompt, PromptVersion


@attrs.frozen(kw_only=True)
class PromptView:
    """A prompt and the version that was asked for."""

    prompt: Prompt
    version: PromptVersion


@attrs.frozen(kw_only=True)
class Page:
    """Some of a list; `next_after` begins the next page, None on the last one."""

    items: tuple[PromptView, ...]
    """Each with the version that its bare name means."""
    next_after: PromptName | None = None


@attrs.frozen(kw_only=True)
class VersionPage:
    prompt: Prompt
    items: tuple[PromptVersion, ...]
    """Newest first."""
    next_below: int | None = None


@attrs.define(kw_only=True)
class ReadPrompts:
    """Reads past the caches: an editor must see what is stored."""

    _unit_of_work: UnitOfWorkFactory

    async def page(self, tenant: Tenant, *, after: PromptName | None = None, limit: int = 100) -> Page:
        """By name, those behind `after`."""
        async with self._unit_of_work(tenant) as work:
            heads = await work.prompts.list(after=after, limit=limit + 1)
            views = await _views(work, heads[:limit])
        return Page(items=views, next_after=heads[limit - 1].name if len(heads) > limit else None)

    async def one(self, tenant: Tenant, reference: PromptReference) -> PromptView:
        """The version that `reference` means; of a rollout, the one with most weight.

        Raises:
            NotFound: there is no such prompt, version or label; says what there is.
        """
        async with self._unit_of_work(tenant) as work:
            prompt = await existing_prompt(work, reference.name)
            return PromptView(prompt=prompt, version=await existing_version(work, prompt, reference))

    async def compiled(self, tenant: Tenant, reference: PromptReference) -> CompiledPrompt:
        """That version, compiled. Raises as `one` does."""
        async with self._unit_of_work(tenant) as work:
            prompt = await existing_prompt(work, reference.name)
            version = await existing_version(work, prompt, reference)
            library = await load_closure(work, version)
        # Milliseconds for a long one.
        return await asyncio.to_thread(compile_prompt, version, library)

    async def versions(
        self, tenant: Tenant, name: PromptName, *, below: int | None = None, limit: int = 100
    ) -> VersionPage:
        """Raises as `one` does."""
        async with self._unit_of_work(tenant) as work:
            prompt = await existing_prompt(work, name)
            found = await work.prompts.versions(name, below=below, limit=limit + 1)
        return VersionPage(
            prompt=prompt,
            items=found[:limit],
            next_below=found[limit - 1].number if len(found) > limit else None,
        )

    async def moves(
        self, tenant: Tenant, name: PromptName, label: str, *, limit: int = 100
    ) -> tuple[LabelMove, ...]:
        """The history of a label, newest first. Raises as `one` does."""
        async with self._unit_of_work(tenant) as work:
            prompt = await existing_prompt(work, name)
            found = await work.prompts.moves(name, label, limit=limit)
        if not found and prompt.label(label) is None:
            raise NotFound(no_label(prompt, label))
        return found


async def _views(work: UnitOfWork, heads: tuple[Prompt, ...]) -> tuple[PromptView, ...]:
    refs = {head.name: _meant(head) for head in heads}
    found = {version.ref: version for version in await work.prompts.find(tuple(refs.values()))}
    views: list[PromptView] = []
    for head in heads:
        version = found.get(refs[head.name])
        if version is not None:
            views.append(PromptView(prompt=head, version=version))
        elif (again := await work.prompts.get(head.name)) is not None:
            # Its newest version was deleted between the two reads.
            version = await existing_version(work, again, PromptReference(name=head.name))
            views.append(PromptView(prompt=again, version=version))
    return tuple(views)


def _meant(head: Prompt) -> VersionRef:
    number = heaviest_version(head, PromptReference(name=head.name))
    return VersionRef(head.name, head.latest if number is None else number)
