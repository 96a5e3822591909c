"""Look at prompts, their versions and their labels."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import attrs

from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.prompt_closure import load_closure
from application.services.prompt_lookup import (
    existing_outline,
    existing_prompt,
    existing_version,
    no_label,
)
from domain.errors import NotFound, UnreadableVersion
from domain.ids import Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt
from domain.prompt.reference import PromptName, PromptReference, VersionRef
from domain.prompt.rollout import heaviest_version
from domain.prompt.version import LabelMove, Prompt, PromptVersion, VersionOutline
from domain.values import frozen

MAX_PAGE_BYTES: Final = 2 * 1024 * 1024
"""Of versions that are listed whole."""

_log: Final = logging.getLogger("lor3.prompts")


@frozen(kw_only=True)
class PromptView:
    """A prompt and the version that was asked for."""

    prompt: Prompt
    version: PromptVersion


@frozen(kw_only=True)
class PromptEntry:
    """A prompt in a list."""

    prompt: Prompt
    version: VersionOutline
    """What its bare name means."""


@frozen(kw_only=True)
class Page:
    """Some of a list; `next_after` begins the next page, None on the last one."""

    items: tuple[PromptEntry, ...]
    next_after: PromptName | None = None


@frozen(kw_only=True)
class VersionPage:
    prompt: Prompt
    items: tuple[PromptVersion, ...]
    """Newest first, without those that this lor3 does not read."""
    next_below: int | None = None


@attrs.define(kw_only=True)
class ReadPrompts:
    """Reads past the caches: an editor must see what is stored."""

    _unit_of_work: UnitOfWorkFactory

    async def page(self, tenant: Tenant, *, after: PromptName | None = None, limit: int = 100) -> Page:
        """By name, those behind `after`."""
        async with self._unit_of_work(tenant) as work:
            heads = await work.prompts.list(after=after, limit=limit + 1)
            entries = await _entries(work, heads[:limit])
        return Page(items=entries, next_after=heads[limit - 1].name if len(heads) > limit else None)

    async def one(self, tenant: Tenant, reference: PromptReference) -> PromptView:
        """The version that `reference` means; of a rollout, the one with most weight.

        Raises:
            NotFound: there is no such prompt, version or label; says what there is.
            UnreadableVersion: this lor3 does not read it.
        """
        async with self._unit_of_work(tenant) as work:
            prompt = await existing_prompt(work, reference.name)
            return PromptView(prompt=prompt, version=await existing_version(work, prompt, reference))

    async def entry(self, tenant: Tenant, reference: PromptReference) -> PromptEntry:
        """The same without its text, also where that can't be read. Raises as `one` does."""
        async with self._unit_of_work(tenant) as work:
            prompt = await existing_prompt(work, reference.name)
            return PromptEntry(prompt=prompt, version=await existing_outline(work, prompt, reference))

    async def hashes(self, tenant: Tenant, refs: Sequence[VersionRef]) -> dict[VersionRef, str]:
        """Of those versions that there are."""
        if not refs:
            return {}
        async with self._unit_of_work(tenant) as work:
            return {version.ref: version.hash for version in await work.prompts.outlines(tuple(refs))}

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
        """A page also ends before it holds more than `MAX_PAGE_BYTES`, with one version at least.

        Raises as `one` does.
        """
        async with self._unit_of_work(tenant) as work:
            prompt = await existing_prompt(work, name)
            outlines = await work.prompts.history(name, below=below, limit=limit + 1)
            shown = _that_fit(outlines[:limit])
            found = await _readable(work, tuple(outline.ref for outline in shown))
        return VersionPage(
            prompt=prompt,
            items=tuple(sorted(found, key=lambda version: -version.number)),
            next_below=shown[-1].number if len(shown) < len(outlines) else None,
        )

    async def history(
        self, tenant: Tenant, name: PromptName, *, below: int | None = None, limit: int = 100
    ) -> tuple[VersionOutline, ...]:
        """Newest first, those that can't be read too. Raises as `one` does."""
        async with self._unit_of_work(tenant) as work:
            await existing_prompt(work, name)
            return await work.prompts.history(name, below=below, limit=limit)

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


async def _entries(work: UnitOfWork, heads: tuple[Prompt, ...]) -> tuple[PromptEntry, ...]:
    refs = {head.name: _meant(head) for head in heads}
    found = {outline.ref: outline for outline in await work.prompts.outlines(tuple(refs.values()))}
    entries: list[PromptEntry] = []
    for head in heads:
        outline = found.get(refs[head.name])
        if outline is not None:
            entries.append(PromptEntry(prompt=head, version=outline))
        elif (again := await work.prompts.get(head.name)) is not None:
            # Its newest version was deleted between the two reads.
            entries += [
                PromptEntry(prompt=again, version=each)
                for each in await work.prompts.outlines((_meant(again),))
            ]
    return tuple(entries)


def _that_fit(outlines: tuple[VersionOutline, ...]) -> tuple[VersionOutline, ...]:
    total = 0
    for count, outline in enumerate(outlines):
        total += outline.size_bytes
        if count and total > MAX_PAGE_BYTES:
            return outlines[:count]
    return outlines


async def _readable(work: UnitOfWork, refs: tuple[VersionRef, ...]) -> tuple[PromptVersion, ...]:
    try:
        return await work.prompts.find(refs)
    except UnreadableVersion as error:
        # A list must not be lost with one of them; asked for by itself, it says what is wrong.
        _log.warning("left out of a list: %s", error.detail)
        return await work.prompts.find(tuple(ref for ref in refs if str(ref) not in error.refs))


def _meant(head: Prompt) -> VersionRef:
    number = heaviest_version(head, PromptReference(name=head.name))
    return VersionRef(head.name, head.latest if number is None else number)
