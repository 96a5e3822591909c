"""What is in a folder of prompts: which files count, under which names, within which limits."""

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.prompts.prompt_file import SUFFIXES
from domain.values import frozen

MAX_FILES: Final = 1000
MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 8
"""Of folders inside the folder."""
_MAX_ENTRIES: Final = 20_000
"""Of any kind: somebody may name a folder that is not meant for prompts."""
_IGNORED: Final = "readme.md"
_UNPRINTABLE: Final = "has characters in its name that are no text (shown as �); rename it"


@frozen(kw_only=True)
class Found:
    """A file that counts by its name."""

    relative: str
    """From the folder, with `/`."""
    path: Path

    @property
    def stem(self) -> str:
        return self.path.name[: -len(self.path.suffix)]

    @property
    def suffix(self) -> str:
        return self.path.suffix.lower()


class Refused(Exception):
    """A file or folder that is not read; the message says why and what to do."""

    def __init__(self, relative: str, message: str) -> None:
        super().__init__(message)
        self.relative = relative


@frozen(kw_only=True)
class Listing:
    files: tuple[Found, ...]
    """By path."""
    refused: tuple[Refused, ...] = ()


def list_files(root: Path) -> Listing | None:
    """Everything that counts under `root`; None where there is no such folder.

    Hidden files and folders, `README.md` and whatever has another suffix (editors' copies among them) do not
    count. A link to a folder is not followed, which keeps loops out. What can't be looked into takes nothing else with
    it, and paths are text that can be printed.
    """
    found: list[Found] = []
    refused: list[Refused] = []
    try:
        for each in _walk(root, "", 0, [0]):
            (found if isinstance(each, Found) else refused).append(each)  # type: ignore[arg-type] # each to its own
    except (FileNotFoundError, NotADirectoryError):
        if root.exists():
            return Listing(files=(), refused=(Refused("", "is no folder; set `prompts.directory` to one"),))
        return None
    found.sort(key=lambda each: each.relative)
    if len(found) > MAX_FILES:
        refused.append(
            Refused("", f"holds {len(found):,} prompts; only the first {MAX_FILES:,} are read: remove some")
        )
    return Listing(files=tuple(found[:MAX_FILES]), refused=tuple(refused))


def _walk(folder: Path, above: str, depth: int, seen: list[int]) -> Iterator[Found | Refused]:
    """Raises `OSError` for the root alone."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                seen[0] += 1
                if seen[0] > _MAX_ENTRIES:
                    if seen[0] == _MAX_ENTRIES + 1:
                        yield Refused(
                            above,
                            f"holds more than {_MAX_ENTRIES:,} files; keep prompts in a folder of their own",
                        )
                    return
                if entry.name.startswith("."):
                    continue
                name = _cleaned(entry.name)
                relative = f"{above}/{name}" if above else name
                if _is_folder(entry, follow_symlinks=False):
                    if name != entry.name:
                        yield Refused(relative, _UNPRINTABLE)
                    elif depth < MAX_DEPTH:
                        yield from _walk(Path(entry.path), relative, depth + 1, seen)
                    else:
                        yield Refused(relative, f"is deeper than {MAX_DEPTH} folders; move it up")
                elif entry.name.lower().endswith(SUFFIXES) and entry.name.lower() != _IGNORED:
                    path = Path(entry.path)
                    if path.suffix and not _is_folder(entry, follow_symlinks=True):
                        found = Found(relative=relative, path=path)
                        yield found if name == entry.name else Refused(relative, _UNPRINTABLE)
    except OSError as error:
        if not above and error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise
        if error.errno != errno.ENOENT:
            yield Refused(above, f"can't be read: {error.strerror}; mend its permissions")


def _is_folder(entry: "os.DirEntry[str]", *, follow_symlinks: bool) -> bool:
    """False also where nobody can tell, as of a link whose target is too long a name or out of bounds: who reads it
    is told so."""
    try:
        return entry.is_dir(follow_symlinks=follow_symlinks)
    except OSError:
        return False


def _cleaned(name: str) -> str:
    """`name` as it can be printed and stored: what is no text in it, or would move a cursor, is replaced."""
    if name.isprintable():
        return name
    return "".join(
        character if character.isprintable() or unicodedata.category(character) == "Zs" else "�"
        for character in name
    )


def read_bytes(found: Found, root: Path) -> bytes | None:
    """The content of a file; None where it has gone meanwhile.

    Raises:
        Refused: it is no file, too large, unreadable, or a link that leads out of `root`.
    """
    try:
        real = found.path.resolve(strict=True)
        if not real.is_relative_to(root.resolve()):
            raise Refused(found.relative, "is a link that leads out of the folder; copy the file in")
        # A pipe would let us wait for its writer; and what was resolved is what must be opened.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused(found.relative, "is no regular file; remove it")
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if found.path.is_symlink():
            raise Refused(found.relative, "is a link to nothing; remove it") from None
        return None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = getattr(error, "strerror", None) or "the links go round in a circle"
        raise Refused(found.relative, f"can't be read: {reason}; mend it or remove it") from error
    if len(content) > MAX_BYTES:
        raise Refused(found.relative, "is larger than 1 MiB; make it smaller")
    return content


def fingerprint(root: Path) -> str:
    """Changes whenever a file does; empty where there is no folder.

    From names, sizes, times of change and inodes: nothing is opened. A link counts as what it leads to.
    """
    listing = list_files(root)
    if listing is None:
        return ""
    parts = [f"{refused.relative}: {refused}" for refused in listing.refused]
    for found in listing.files:
        try:
            status = found.path.stat()
        except OSError as error:
            parts.append(f"{found.relative} {error.errno}")
        else:
            parts.append(f"{found.relative} {status.st_size} {status.st_mtime_ns} {status.st_ino}")
    return "\n".join(parts) or "empty"
