"""Bring a prompt and its copy elsewhere, a file or an assistant, to the same text."""

from typing import Literal, TypeAlias

from application.services.sync_text import sync_command
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName, VersionRef
from domain.values import frozen

SyncOutcome: TypeAlias = Literal["unchanged", "pulled", "pushed", "created"]
"""`pulled` made a new version of the copy's text, `pushed` wrote the prompt's text there, `created` made a copy."""


@frozen(kw_only=True)
class SyncPromptCommand:
    tenant: Tenant = DEFAULT_TENANT
    name: PromptName
    prefer: Literal["local", "remote"] | None = None
    """Which side counts where both changed; `local` is lor3's database."""
    author: str | None = None
    message: str | None = None
    """Why, for a version that is pulled."""
    dry_run: bool = False
    """True: says what would be done, and does nothing."""


@frozen(kw_only=True)
class SyncedPrompt:
    outcome: SyncOutcome
    ref: VersionRef
    """The version that both sides hold now."""
    where: str
    """The file's path or the assistant's id."""
    notes: tuple[str, ...] = ()
    """What else was done or has to be known, a sentence each."""


@frozen(kw_only=True)
class SyncPromptWithAssistantCommand(SyncPromptCommand):
    assistant_id: str | None = None
    """The assistant to link the prompt to, in place of the one that it is linked to."""
    model: str | None = None
    """For an assistant that has to be made."""
    base_url: str | None = None
    """Of the server, as it was given; for the commands that errors name."""

    def again(self, *options: str, assistant_id: str | None = None) -> str:
        """This command with `options`, for a person to run: about the same assistant on the same server.

        Args:
            assistant_id: in place of the one that was given.
        """
        return sync_command(
            self.name, *options, assistant_id=assistant_id or self.assistant_id, base_url=self.base_url
        )
