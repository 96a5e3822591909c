"""The prompt cache of a single process."""

from typing import Final

import attrs

from application.ports.prompt_cache import Listener
from domain.ids import Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.reference import PromptName

_MAX_PROMPTS: Final = 256
"""Compiled prompts go up to 256 KiB of text each."""


@attrs.define
class PromptExchange:
    """What stands between the replicas of a test: one for all of them, as Redis is in production."""

    prompts: dict[str, CompiledPrompt] = attrs.field(factory=dict)
    """By content hash, the oldest first."""
    caches: "list[LocalPromptCache]" = attrs.field(factory=list)
    """Those started and not closed."""


@attrs.define(kw_only=True, eq=False)
class LocalPromptCache:
    """Shared with nobody: what lor3 uses where no Redis is configured.

    Several on one `exchange` behave as replicas do, only that a word arrives before `announce` returns.
    """

    _exchange: PromptExchange = attrs.field(factory=PromptExchange)
    _listeners: list[Listener] = attrs.field(factory=list, init=False)

    async def get(self, content_hash: str) -> CompiledPrompt | None:
        return self._exchange.prompts.get(content_hash)

    def put(self, prompt: CompiledPrompt) -> None:
        prompts = self._exchange.prompts
        prompts.pop(prompt.hash, None)  # so that it counts as the newest
        prompts[prompt.hash] = prompt
        if len(prompts) > _MAX_PROMPTS:
            del prompts[next(iter(prompts))]

    def announce(self, tenant: Tenant, name: PromptName) -> None:
        for cache in tuple(self._exchange.caches):
            if cache is not self:
                cache.hear(tenant, name)

    def hear(self, tenant: Tenant, name: PromptName | None) -> None:
        """Passes on a word as though another replica had said it."""
        for listener in tuple(self._listeners):
            listener(tenant, name)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def start(self) -> None:
        """Hears the others from here on."""
        if self not in self._exchange.caches:
            self._exchange.caches.append(self)

    async def aclose(self) -> None:
        if self in self._exchange.caches:
            self._exchange.caches.remove(self)
