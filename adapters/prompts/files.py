"""The folder of prompt files."""

import asyncio
import json
import os
import secrets
from pathlib import Path
from typing import Final

import attrs

from adapters.prompts.folder import Found, Listing, Refused, fingerprint, list_files, read_bytes
from adapters.prompts.prompt_file import JSON_SUFFIX, TEXT_SUFFIXES, Broken, parse_prompt
from adapters.prompts.yaml_writer import write_yaml
from application.ports.prompt_files import BrokenFile, FolderReading, PromptFile
from domain.errors import ConfigurationError, Fault, InvalidRequest
from domain.prompt.document import write_source
from domain.prompt.nodes import Include, Open, Value
from domain.prompt.nodes import Path as NamePath
from domain.prompt.reference import PromptName, prompt_name
from domain.prompt.source import PromptSource
from domain.prompt.template import parse
from domain.values import frozen

_NEW_FILE_MODE: Final = 0o666
"""Less the umask, as of any file that is made."""


@frozen
class FolderPromptFiles:
    """One folder, read from the disk each time; a file is known by its name, in whichever subfolder it is.

    Args:
        directory: from the working directory; None for no files at all.
        is_expected: whether somebody named it, so that its absence is a mistake. Nobody need have a default one.
    """

    directory: str | None
    is_expected: bool = False

    async def read(self) -> FolderReading:
        if self.directory is None:
            return FolderReading()
        return await asyncio.to_thread(self._read, self.directory)

    async def write(self, name: PromptName, source: PromptSource) -> str:
        """As the port says, in the format of the file there is.

        The comments of a YAML file are lost: it is written anew. A plain text stays one while the prompt
        declares nothing.
        """
        if self.directory is None:
            raise _refused("there is no folder for prompts; set `prompts.directory`")
        return await asyncio.to_thread(self._write, self.directory, name, source)

    async def fingerprint(self) -> str:
        """Empty where there is no folder and none is expected."""
        if self.directory is None:
            return ""
        seen = await asyncio.to_thread(fingerprint, Path(self.directory))
        return seen or ("absent" if self.is_expected else "")

    def _read(self, directory: str) -> FolderReading:
        root = Path(directory)
        identity = _Identity(root)
        listing = list_files(root)
        if listing is None:
            absent = Refused(
                "", "there is no such folder; make it, or set `prompts.directory` to the one you mean"
            )
            return FolderReading(broken=(_broken(None, identity, absent),) if self.is_expected else ())
        files: list[PromptFile] = []
        broken = [_broken(None, identity, each) for each in listing.refused]
        named: dict[str, list[Found]] = {}
        for found in listing.files:
            named.setdefault(found.stem, []).append(found)
        for stem, same in named.items():
            try:
                name = prompt_name(stem)
            except InvalidRequest as error:
                reason = "; ".join(fault.message for fault in error.faults)
                broken += [_broken(None, identity, Refused(each.relative, reason)) for each in same]
                continue
            if len(same) > 1:
                broken += [_broken(name, identity, _twice(name, each, same, identity)) for each in same]
                continue
            file = _read_one(same[0], name, root, identity)
            if isinstance(file, BrokenFile):
                broken.append(file)
            elif file is not None:
                files.append(file)
        files.sort(key=lambda file: file.name)
        return FolderReading(files=tuple(files), broken=tuple(broken))

    def _write(self, directory: str, name: PromptName, source: PromptSource) -> str:
        root = Path(directory)
        identity = _Identity(root)
        same = [found for found in (list_files(root) or Listing(files=())).files if found.stem == name]
        if len(same) > 1:
            both = " and ".join(identity.of(found.relative) for found in same)
            raise _refused(f"{name} is in {both}; remove all but one")
        # A YAML file would let the prompt declare; a plain text is what one is that does not.
        made = f"{name}.yaml" if source.declares else f"{name}{'.txt' if name.lower() == 'readme' else '.md'}"
        found = same[0] if same else Found(relative=made, path=root / made)
        if found.path.is_symlink() and not found.path.resolve().is_relative_to(root.resolve()):
            raise _refused(
                f"{identity.shown(found.relative)} is a link that leads out of the folder; remove it"
            )
        content = _content(found, source, identity).encode()
        _check(content, found, source, identity)
        try:
            _replace(found.path, content)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise _refused(f"{identity.shown(found.relative)} can't be written: {reason}") from error
        return identity.of(found.relative)


@frozen
class _Identity:
    """How a file of the folder is called."""

    root: Path

    def of(self, relative: str) -> str:
        """As configured, `config/prompts/x.yaml`; of a folder that is not below the working one, from the folder that
        holds it: the same wherever the two are."""
        if self.root.parts and not self.root.is_absolute() and ".." not in self.root.parts:
            return self.shown(relative)
        name = Path(os.path.abspath(self.root)).name  # noqa: PTH100 - resolve() would follow a link of another name
        return f"{name}/{relative}" if relative else name

    def shown(self, relative: str) -> str:
        """As a person finds it: with the root as it is configured."""
        return (self.root / relative).as_posix()


def _read_one(
    found: Found, name: PromptName, root: Path, identity: _Identity
) -> PromptFile | BrokenFile | None:
    try:
        content = read_bytes(found, root)
        if content is None:
            return None
        source = parse_prompt(content, suffix=found.suffix, shown=identity.shown(found.relative))
    except Refused as error:
        return _broken(name, identity, error)
    except Broken as error:
        return BrokenFile(name=name, path=identity.of(found.relative), faults=error.faults)
    return PromptFile(name=name, path=identity.of(found.relative), source=source)


def _broken(name: PromptName | None, identity: _Identity, refused: Refused) -> BrokenFile:
    fault = Fault(path="", message=f"{identity.shown(refused.relative)}: {refused}")
    return BrokenFile(name=name, path=identity.of(refused.relative), faults=(fault,))


def _twice(name: PromptName, each: Found, same: list[Found], identity: _Identity) -> Refused:
    others = " and ".join(identity.shown(other.relative) for other in same if other is not each)
    return Refused(each.relative, f"`{name}` is in {others} too; rename or remove all but one")


def _content(found: Found, source: PromptSource, identity: _Identity) -> str:
    """
    Raises:
        ConfigurationError: the file's format can't hold the prompt.
    """
    if found.suffix in TEXT_SUFFIXES:
        is_plain = len(source.turns) == 1 and source.turns[0].role == "system" and not source.is_chat
        if not is_plain or source.variables or source.description:
            raise _refused(
                f"{identity.shown(found.relative)} is a plain text, which holds neither variables, a description"
                f" nor several turns; rename it to {found.stem}.yaml with its text under `template:`, or remove it"
            )
        return source.turns[0].template
    if not source.declares and _uses_names(source):
        raise _refused(
            f"{identity.shown(found.relative)} declares variables and the prompt is a plain text;"
            f" remove the file to have {found.stem}.md written"
        )
    document = write_source(source)
    if found.suffix == JSON_SUFFIX:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    return write_yaml(document)


def _uses_names(source: PromptSource) -> bool:
    """Whether a document would have to declare something: a text that names nothing is the same in any format."""
    return any(
        any(isinstance(each.value, NamePath) for each in node.parameters)
        if isinstance(node, Include)
        else isinstance(node, Value | Open)
        for turn in source.turns
        for node in parse(turn.template).nodes
    )


def _check(content: bytes, found: Found, source: PromptSource, identity: _Identity) -> None:
    """
    Raises:
        ConfigurationError: what would be written does not read as `source`, such as a plain text with a CR.
    """
    try:
        reads_as = parse_prompt(content, suffix=found.suffix, shown=identity.shown(found.relative))
    except Broken as error:
        raise _refused(f"{identity.shown(found.relative)} can't hold this prompt: {error}") from error
    if attrs.evolve(reads_as, declares=source.declares) != source:
        raise _refused(
            f"{identity.shown(found.relative)} can't hold this prompt: some of its characters would be lost"
        )


def _replace(path: Path, content: bytes) -> None:
    """Atomically: whoever reads sees the old file or the new one, also after a crash."""
    target = path.resolve() if path.is_symlink() else path
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode & 0o7777 if target.exists() else None
    # A hidden name: readers of the folder pass it over.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _NEW_FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if mode is not None:
                os.fchmod(descriptor, mode)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refused(message: str) -> ConfigurationError:
    return ConfigurationError.of(Fault(path="", message=message))
