"""Compiled prompts that replicas share, and the word that one has changed."""

from collections.abc import Callable
from typing import Protocol

from domain.ids import Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.reference import PromptName

Listener = Callable[[Tenant, PromptName | None], None]
"""Called on the event loop with what changed; None means that any may have, such as after a lost connection: of any
tenant, whichever is given."""


class PromptCache(Protocol):
    """A caller may always go on without it: nothing here raises, and nothing waits longer than `redis.timeout_s`.

    Compiled prompts are kept by content hash, so an entry is never stale, only absent. Garbage, an entry of
    another schema and an unreachable cache are all a miss.
    """

    async def get(self, content_hash: str) -> CompiledPrompt | None: ...

    def put(self, prompt: CompiledPrompt) -> None:
        """Returns at once; written behind, or not at all."""

    def announce(self, tenant: Tenant, name: PromptName) -> None:
        """Tells the other replicas that the head of a prompt changed. Returns at once; a word can be lost."""

    def listen(self, listener: Listener) -> None:
        """Adds a listener. Call it before `start`."""

    async def start(self) -> None: ...

    async def aclose(self) -> None: ...
