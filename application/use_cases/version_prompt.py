"""Make a new version of a prompt."""

import attrs

from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource
from domain.prompt.version import MadeBy, Prompt, PromptVersion


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
class VersionedPrompt:
    version: PromptVersion
    prompt: Prompt
    created: bool
    """False where the newest version has this very content: then that is `version`."""
    kept_by: tuple[VersionRef, ...] = ()
    """The newest versions of other prompts that pin an older version of this one, and keep it."""


@attrs.define(kw_only=True)
class VersionPrompt:
    """Checks, compiles, pins the fragments and stores an immutable snapshot."""

    async def execute(self, command: VersionPromptCommand) -> VersionedPrompt:
        """
        Raises:
            InvalidRequest: naming every fault of the source, its templates and its fragments.
            PreconditionFailed: somebody else changed the prompt first.
            StorageUnavailable: nothing was stored.
        """
        raise NotImplementedError
