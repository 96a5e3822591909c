"""Read the folder of prompts, and make versions of what changed in it."""

import attrs

from application.ports.prompt_files import BrokenFile
from domain.prompt.reference import PromptName, VersionRef


@attrs.frozen(kw_only=True)
class DivergedFile:
    """A file that changed while its prompt was changed otherwise too; the prompt stays as it is."""

    name: PromptName
    path: str


@attrs.frozen(kw_only=True)
class ImportReport:
    made: tuple[VersionRef, ...] = ()
    unchanged: int = 0
    diverged: tuple[DivergedFile, ...] = ()
    broken: tuple[BrokenFile, ...] = ()
    """Their prompts stay as they are."""


@attrs.define(kw_only=True)
class ImportPromptFiles:
    """Idempotent: a second run over the same files makes nothing.

    A file whose content differs from what was last read from it makes a new version, unless the prompt was
    changed in the database since: then the two have diverged, and the database's stays until somebody says
    which one counts. A file that includes a fragment of the folder pins what is in the folder now, so a changed
    fragment makes new versions of the files that include it. No label is ever moved.
    """

    async def execute(self) -> ImportReport:
        """
        Raises:
            StorageUnavailable: nothing was stored, or not all; run it again.
        """
        raise NotImplementedError
