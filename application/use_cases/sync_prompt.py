"""Bring a prompt and its copy elsewhere, a file or an assistant, to the same text."""

from typing import Literal, TypeAlias

import attrs

from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName, VersionRef

SyncOutcome: TypeAlias = Literal["unchanged", "pulled", "pushed", "created"]
"""`pulled` made a new version of the copy's text, `pushed` wrote the prompt's text there, `created` made a copy."""


@attrs.frozen(kw_only=True)
class SyncPromptCommand:
    tenant: Tenant = DEFAULT_TENANT
    name: PromptName
    prefer: Literal["local", "remote"] | None = None
    """Which side counts where both changed; `local` is lor3's database."""
    author: str | None = None


@attrs.frozen(kw_only=True)
class SyncedPrompt:
    outcome: SyncOutcome
    ref: VersionRef
    """The version that both sides hold now."""
    where: str
    """The file's path or the assistant's id."""
