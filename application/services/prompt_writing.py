"""From what an author wrote to the next version of a prompt: pinned, checked, hashed and stored."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

import attrs

from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.editor_turns import EditorTurns
from application.services.prompt_closure import load_closure
from application.services.prompt_includes import (
    SHORT_SOURCE,
    includes,
    length,
    read_includes,
    resolve_includes,
)
from domain.clean_text import clean_value
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt
from domain.prompt.content_hash import content_hash
from domain.prompt.document import read_source, write_source
from domain.prompt.reference import PromptName, PromptReference, VersionRef
from domain.prompt.source import PromptSource
from domain.prompt.version import (
    FileLink,
    MadeBy,
    Pin,
    Prompt,
    PromptVersion,
    RemoteLink,
    VersionOutline,
)
from domain.values import frozen


@frozen(kw_only=True)
class Draft:
    """A version that is not made yet."""

    tenant: Tenant = DEFAULT_TENANT
    name: PromptName
    source: PromptSource
    made_by: MadeBy
    author: str | None = None
    message: str | None = None


@frozen(kw_only=True)
class Ready:
    """A draft with the long work done, as far as that can be without a lock."""

    draft: Draft
    """As the store will have it."""
    named: Mapping[str, PromptReference]
    """The fragments that it includes, by what is written."""
    pins: tuple[Pin, ...] = ()
    """What they meant when it was compiled."""
    compiled: CompiledPrompt | None = None
    """None for a short text without fragments, which is compiled in no time."""


@frozen(kw_only=True)
class Checked:
    """A draft as the next version, whole and sound."""

    version: PromptVersion
    compiled: CompiledPrompt
    newest: VersionOutline | None
    """The version before it."""
    removed: Prompt | None = None
    """What is left of a prompt that had the name before, where there is none of that name now."""

    @property
    def is_new(self) -> bool:
        """False where the newest version has this very content."""
        return self.newest is None or self.newest.hash != self.version.hash


@frozen(kw_only=True)
class Written:
    version: PromptVersion
    """The newest version now."""
    prompt: Prompt
    """The head now."""
    created: bool
    """False where the newest version had this very content already."""
    changed: bool
    """True where the head was written: tell the oven after the commit."""
    warnings: tuple[str, ...] = ()
    """As `CompiledPrompt.warnings` has them."""


@attrs.define(kw_only=True)
class PromptWriting:
    """The steps that every maker of versions shares, inside the unit of work of the caller.

    `lock`, then `write`, then the caller's `commit`, then `PromptOven.changed` if `Written.changed`. Where others
    are served at the same time, inside `prepared`: compiling takes up to a second, in which nobody should hold a lock.
    """

    _clock: Clock
    _turns: EditorTurns = attrs.field(factory=EditorTurns, init=False)

    @asynccontextmanager
    async def prepared(self, unit_of_work: UnitOfWorkFactory, draft: Draft) -> AsyncIterator[Ready]:
        """Compiles what takes long, while nothing is locked and no connection is held; one at a time.

        The next one begins when the context is left: a transaction inside it is not slowed down by another's
        compiling.

        Raises:
            InvalidRequest: as `check` does.
            NotFound: as `check` does.
            Overloaded: too many do so already.
            StorageUnavailable: what it includes can't be read.
        """
        draft = _sound(draft)
        if length(draft.source) <= SHORT_SOURCE and not includes(draft.source):
            yield Ready(draft=draft, named={})
            return
        async with self._turns.turn():
            yield await self._ready(unit_of_work, draft)

    async def _ready(self, unit_of_work: UnitOfWorkFactory, draft: Draft) -> Ready:
        named = await read_includes(draft.source)
        async with unit_of_work(draft.tenant) as work:
            head = await work.prompts.get(draft.name)
            number = 1 if head is None else head.next_number
            pins, _ = await resolve_includes(
                work, draft.name, draft.source, named=named, pinned={}, beside=(), apart=(), also=None
            )
            version = self._version(draft, pins, number)
            library = await load_closure(work, version)
        compiled = await _compile(version, library)
        return Ready(draft=draft, named=named, pins=pins, compiled=compiled)

    async def lock(
        self, work: UnitOfWork, name: PromptName, source: PromptSource, *, ready: Ready | None = None
    ) -> Prompt | None:
        """The head of `name`, which nobody else can change until `work` ends.

        The fragments that `source` names are locked too, so that no version of theirs is deleted while it is
        being pinned. Lock nothing else in this unit of work.

        Args:
            ready: what `prepared` made of the draft with this source.

        Raises:
            InvalidRequest: with every fault of the templates' syntax.
        """
        named = await read_includes(source) if ready is None else ready.named
        names = {name, *(reference.name for reference in named.values())}
        heads = {each: await work.prompts.lock(each) for each in sorted(names)}
        return heads[name]

    async def check(
        self,
        work: UnitOfWork,
        head: Prompt | None,
        draft: Draft,
        *,
        pinned: Mapping[str, VersionRef] | None = None,
        beside: Collection[PromptName] = (),
        apart: Collection[PromptName] = (),
        ready: Ready | None = None,
    ) -> Checked:
        """Stores nothing and needs no lock.

        Args:
            head: of `draft.name`.
            pinned: for includes, as written, that mean another version than the store says.
            beside: names that an unknown one may have been meant to be, besides those in the store.
            apart: names that it can't have been meant to be, though the store may have them.
            ready: what `prepared` made of `draft`; it is compiled again where a fragment means another version since.

        Raises:
            InvalidRequest: naming every fault: of the document, else of syntax, else of what is included and of the
                text around, else of the whole.
            NotFound: a fragment of a fragment is gone.
            UnreadableVersion: this lor3 does not read a fragment.
        """
        draft = _sound(draft) if ready is None else ready.draft
        newest_ref = None if head is None else VersionRef(head.name, head.latest)
        before = head or await work.prompts.removed(draft.name)
        pins, newest = await resolve_includes(
            work,
            draft.name,
            draft.source,
            named=await read_includes(draft.source) if ready is None else ready.named,
            pinned=pinned or {},
            beside=beside,
            apart=apart,
            also=newest_ref,
        )
        version = self._version(draft, pins, 1 if before is None else before.next_number)
        if ready is None or ready.compiled is None or ready.pins != pins:
            compiled = await _compile(version, await load_closure(work, version))
        elif ready.compiled.ref == version.ref:
            compiled = ready.compiled
        else:
            compiled = attrs.evolve(ready.compiled, ref=version.ref)
        return Checked(
            version=version, compiled=compiled, newest=newest, removed=before if head is None else None
        )

    async def write(
        self,
        work: UnitOfWork,
        head: Prompt | None,
        draft: Draft,
        *,
        pinned: Mapping[str, VersionRef] | None = None,
        file_path: str | None = None,
        assistant: RemoteLink | None = None,
        ready: Ready | None = None,
    ) -> Written:
        """Checks the draft and stores it.

        Args:
            head: what `lock` returned.
            pinned, ready: as for `check`.
            file_path, assistant: as for `store`.

        Raises:
            InvalidRequest: as `check` does; nothing was written.
        """
        checked = await self.check(work, head, draft, pinned=pinned, ready=ready)
        return await self.store(work, head, checked, file_path=file_path, assistant=assistant)

    async def store(
        self,
        work: UnitOfWork,
        head: Prompt | None,
        checked: Checked,
        *,
        file_path: str | None = None,
        assistant: RemoteLink | None = None,
    ) -> Written:
        """Adds the version, unless the newest one has this very content, and writes the head with it.

        Args:
            head: what `lock` returned, and `check` was given.
            file_path: sets `Prompt.file`, with the hash of this content; None leaves it as it is.
            assistant: sets `Prompt.assistant`; None leaves it as it is.
        """
        version = checked.version
        now = version.created_at
        if checked.newest is None or checked.is_new:
            await work.prompts.add_version(version)
        else:
            (version,) = await work.prompts.find((checked.newest.ref,))
        prompt = head or Prompt(
            tenant=version.tenant,
            name=version.name,
            latest=version.number,
            next_number=version.number + 1,
            # An ETag of the prompt that was removed must not be one of this.
            revision=0 if checked.removed is None else checked.removed.revision,
            created_at=now,
            updated_at=now,
        )
        prompt = attrs.evolve(
            prompt,
            latest=version.number,
            next_number=max(prompt.next_number, version.number + 1),
            file=prompt.file if file_path is None else FileLink(path=file_path, hash=version.hash),
            assistant=prompt.assistant if assistant is None else assistant,
        )
        if prompt == head:
            return Written(
                version=version,
                prompt=head,
                created=False,
                changed=False,
                warnings=checked.compiled.warnings,
            )
        prompt = attrs.evolve(prompt, revision=prompt.revision + 1, updated_at=now)
        await work.prompts.put(prompt)
        return Written(
            version=version,
            prompt=prompt,
            created=version is checked.version,
            changed=True,
            warnings=checked.compiled.warnings,
        )

    def _version(self, draft: Draft, pins: tuple[Pin, ...], number: int) -> PromptVersion:
        return PromptVersion(
            tenant=draft.tenant,
            name=draft.name,
            number=number,
            hash=content_hash(draft.source, pins),
            source=draft.source,
            pins=pins,
            made_by=draft.made_by,
            author=draft.author,
            message=draft.message,
            created_at=self._clock.now(),
        )


def _sound(draft: Draft) -> Draft:
    """The draft as the store will give it back, whoever made it.

    Raises:
        InvalidRequest: it would not be read again.
    """
    # What the store would change is changed before it is hashed, or the same text would be another version; and
    # before it is measured, for what stands in for a character takes more bytes, and may make two texts the same.
    draft = clean_value(draft)
    read_source(write_source(draft.source))
    return draft


async def _compile(version: PromptVersion, library: Mapping[VersionRef, PromptVersion]) -> CompiledPrompt:
    if length(version.source, *(each.source for each in library.values())) <= SHORT_SOURCE:
        return compile_prompt(version, library)
    return await asyncio.to_thread(compile_prompt, version, library)
