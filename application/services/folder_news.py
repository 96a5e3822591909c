"""What is said in the log about a folder of prompts: each thing once, not with every reload."""

import logging
from collections.abc import Collection, Hashable
from typing import Final

import attrs

from application.ports.prompt_files import BrokenFile
from domain.prompt.reference import PromptName, VersionRef

_log: Final = logging.getLogger("lor3.prompts")


@attrs.define
class FolderNews:
    """Of a prompt's text it says no more than the one line that a fault shows."""

    _said: dict[str, Hashable] = attrs.field(factory=dict, init=False)
    """What was last said about a path."""

    def made(self, path: str, ref: VersionRef, warnings: tuple[str, ...]) -> None:
        """
        Args:
            warnings: as `CompiledPrompt.warnings` has them.
        """
        _log.info("%s: made %s", path, ref)
        for warning in warnings:
            _log.warning("%s", warning)

    def broken(self, file: BrokenFile) -> None:
        if self._is_new(file.path, file.faults):
            faults = (f"{each.path}: {each.message}" if each.path else each.message for each in file.faults)
            what = "its prompt stays as it is" if file.has_prompt else "nothing is made of it"
            is_wrong = "is broken" if file.name is not None else "can't be used"  # a folder among them
            _log.error("%s %s, and %s:\n%s", file.path, is_wrong, what, "\n".join(faults))

    def diverged(self, path: str, name: PromptName, content_hash: str) -> None:
        """
        Args:
            content_hash: of what the file holds: another change of it is news.
        """
        if self._is_new(path, content_hash):
            _log.error(
                "%s and the prompt `%s` in the database have diverged: both changed since they last agreed, and "
                "the prompt stays as it is; say which one counts, `lor3 prompt sync %s --prefer local` for the "
                "database's or `--prefer remote` for the file's",
                path,
                name,
                name,
            )

    def keep(self, troubled: Collection[str]) -> None:
        """Forgets all other paths: trouble that comes back is news again."""
        self._said = {path: said for path, said in self._said.items() if path in troubled}

    def _is_new(self, path: str, said: Hashable) -> bool:
        if self._said.get(path) == said:
            return False
        self._said[path] = said
        return True
