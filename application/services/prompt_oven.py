"""Prompts ready to be rendered: the newest word on which version a name means, and its compiled form."""

import asyncio
from functools import lru_cache
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.prompt_cache import PromptCache
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.prompt_closure import load_closure
from application.services.prompt_lookup import no_label, no_prompt, no_version
from domain.errors import NotFound, StorageUnavailable
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt
from domain.prompt.reference import PromptName, PromptReference, VersionRef
from domain.prompt.rollout import choose_version, label_meant
from domain.prompt.version import Prompt, PromptVersion

HEAD_TTL_S: Final = 0.8
"""How long a moved label can go unnoticed where no word of it arrives; with the read itself, less than a second."""
MAX_NAMES: Final = 2_000
"""Kept at a time, absent ones included, so that made-up names can't fill the memory."""
MAX_COMPILED: Final = 64
"""Versions of one prompt kept at a time."""

parse_reference = lru_cache(maxsize=1024)(PromptReference.parse)
"""`PromptReference.parse`, for texts that come with every request. Refusals are not kept."""


@attrs.define
class _Shelf:
    """What this process knows of one name."""

    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    """Held by whoever reads the store, so that a burst of requests reads it once."""
    prompt: Prompt | None = None
    good_until: float = float("-inf")
    """On the monotonic clock."""
    compiled: dict[int, CompiledPrompt] = attrs.field(factory=dict)
    used: set[int] = attrs.field(factory=set)
    """Versions that are noted in the store as used."""


@attrs.define(kw_only=True)
class PromptOven:
    """In-process layer over the shared cache over the store.

    Which version a name means is read again within a second, or as soon as another replica says that it changed.
    Compiled versions never change, so they stay. While the store is away, what was known goes on being used.

    A tenant that has no prompt of a name uses the one that the operator keeps as a file, if there is one.
    """

    _unit_of_work: UnitOfWorkFactory
    _cache: PromptCache
    _clock: Clock
    _shelves: dict[tuple[Tenant, PromptName], _Shelf] = attrs.field(factory=dict, init=False)
    _changes: int = attrs.field(default=0, init=False)
    """Counts words of change: what was being read when one came may be old."""
    reads: dict[str, int] = attrs.field(factory=lambda: {"memory": 0, "shared": 0, "store": 0}, init=False)
    """Of compiled prompts since the start, by what had them."""

    def __attrs_post_init__(self) -> None:
        self._cache.listen(self._forget)

    async def bake(
        self, reference: PromptReference, *, tenant: Tenant, key: str, use: bool = False
    ) -> CompiledPrompt:
        """As `bake_labelled`, without the label."""
        return (await self.bake_labelled(reference, tenant=tenant, key=key, use=use))[0]

    async def bake_labelled(
        self, reference: PromptReference, *, tenant: Tenant, key: str, use: bool = False
    ) -> tuple[CompiledPrompt, str | None]:
        """The version that `reference` means, and the label by which it was chosen, if by one.

        Args:
            key: whoever must see the same version of a rollout each time.
            use: True for a chat: the version can't be deleted from then on.

        Raises:
            NotFound: there is no such prompt, version or label.
            StorageUnavailable: it is not at hand, and the database is away.
        """
        shelf = self._shelves.get((tenant, reference.name))
        if shelf is None or shelf.good_until <= self._clock.monotonic():
            shelf = await self._fresh(tenant, reference.name)
        if shelf.prompt is None:
            if await self._is_shared(tenant, reference.name):
                return await self.bake_labelled(reference, tenant=DEFAULT_TENANT, key=key, use=use)
            raise await self._nothing(tenant, reference.name)
        try:
            return await self._choose(shelf, shelf.prompt, reference, key=key, use=use)
        except NotFound:
            if reference.version is not None:
                raise
        # The head may be older than a label that was made, or a version that was deleted, elsewhere.
        shelf.good_until = float("-inf")
        shelf = await self._fresh(tenant, reference.name)
        if shelf.prompt is None:
            raise await self._nothing(tenant, reference.name)
        return await self._choose(shelf, shelf.prompt, reference, key=key, use=use)

    async def _choose(
        self, shelf: _Shelf, prompt: Prompt, reference: PromptReference, *, key: str, use: bool
    ) -> tuple[CompiledPrompt, str | None]:
        number = choose_version(prompt, reference, key=key)
        if number is None:
            raise NotFound(no_label(prompt, str(reference.label)))
        compiled = shelf.compiled.get(number)
        if compiled is None or (use and number not in shelf.used):
            compiled = await self._load(shelf, prompt, number, use=use)
        else:
            self.reads["memory"] += 1
        return compiled, label_meant(prompt, reference)

    async def compiled(self, ref: VersionRef, *, tenant: Tenant) -> CompiledPrompt:
        """Raises as `bake` does."""
        return await self.bake(PromptReference(name=ref.name, version=ref.number), tenant=tenant, key="")

    def changed(self, tenant: Tenant, name: PromptName) -> None:
        """Call it after each commit that changed a head: forgets it here, and tells the other replicas."""
        self._forget(tenant, name)
        self._cache.announce(tenant, name)

    def _forget(self, tenant: Tenant, name: PromptName | None) -> None:
        self._changes += 1
        if name is None:
            for shelf in self._shelves.values():
                shelf.good_until = float("-inf")
        elif (tenant, name) in self._shelves:
            self._shelves[tenant, name].good_until = float("-inf")

    async def _fresh(self, tenant: Tenant, name: PromptName) -> _Shelf:
        """The name's shelf with a head that was read within `HEAD_TTL_S`."""
        shelf = self._shelves.get((tenant, name))
        if shelf is None:
            while len(self._shelves) >= MAX_NAMES:
                del self._shelves[next(iter(self._shelves))]
            shelf = self._shelves[tenant, name] = _Shelf()
        async with shelf.lock:
            if shelf.good_until > self._clock.monotonic():
                return shelf
            changes, asked_at = self._changes, self._clock.monotonic()
            try:
                async with self._unit_of_work(tenant) as work:
                    prompt = await work.prompts.get(name)
            except StorageUnavailable:
                if shelf.prompt is None:
                    raise
                shelf.good_until = self._clock.monotonic() + HEAD_TTL_S
                return shelf
            before = shelf.prompt
            if before is None or prompt is None or before.created_at != prompt.created_at:
                # Another prompt of the same name. Its numbers are others too, unless somebody restored a backup.
                shelf.compiled, shelf.used = {}, set()
            elif before.revision != prompt.revision:
                # What no chat has used may have been deleted.
                shelf.compiled = {n: each for n, each in shelf.compiled.items() if n in shelf.used}
            shelf.prompt = prompt
            # A word that came meanwhile may speak of what this read did not see yet.
            shelf.good_until = asked_at + HEAD_TTL_S if changes == self._changes else asked_at
            return shelf

    async def _load(self, shelf: _Shelf, prompt: Prompt, number: int, *, use: bool) -> CompiledPrompt:
        ref = VersionRef(prompt.name, number)
        async with shelf.lock:
            compiled = shelf.compiled.get(number)
            if compiled is None:
                async with self._unit_of_work(prompt.tenant) as work:
                    found = await work.prompts.find((ref,))
                if not found:
                    raise NotFound(no_version(prompt, number))
                compiled = await self._compile(found[0])
                while len(shelf.compiled) >= MAX_COMPILED:
                    del shelf.compiled[next(iter(shelf.compiled))]
                shelf.compiled[number] = compiled
            if use and number not in shelf.used:
                async with self._unit_of_work(prompt.tenant) as work:
                    marked = await work.prompts.mark_used((ref,), at=self._clock.now())
                    await work.commit()
                if ref not in marked:
                    del shelf.compiled[number]
                    raise NotFound(no_version(prompt, number))
                shelf.used.add(number)
        return compiled

    async def _compile(self, version: PromptVersion) -> CompiledPrompt:
        # No connection to the database is held meanwhile: the cache may take its time to fail.
        cached = await self._cache.get(version.hash)
        # Two versions may have the same content, and each has its own name to show.
        if cached is not None and cached.ref == version.ref and cached.hash == version.hash:
            self.reads["shared"] += 1
            return cached
        self.reads["store"] += 1
        library: dict[VersionRef, PromptVersion] = {}
        if version.pins:
            async with self._unit_of_work(version.tenant) as work:
                library = await load_closure(work, version)
        # Milliseconds for a long one.
        compiled = await asyncio.to_thread(compile_prompt, version, library)
        self._cache.put(compiled)
        return compiled

    async def _is_shared(self, tenant: Tenant, name: PromptName) -> bool:
        """Whether a tenant that has no such prompt gets the one that the operator keeps as a file.

        Files are read into the default tenant. What is made there by other means is that tenant's alone.
        """
        if tenant == DEFAULT_TENANT:
            return False
        shelf = self._shelves.get((DEFAULT_TENANT, name))
        if shelf is None or shelf.good_until <= self._clock.monotonic():
            shelf = await self._fresh(DEFAULT_TENANT, name)
        return shelf.prompt is not None and shelf.prompt.file is not None

    async def _nothing(self, tenant: Tenant, name: PromptName) -> NotFound:
        async with self._unit_of_work(tenant) as work:
            return NotFound(await no_prompt(work, name))
