"""The token ranks that tiktoken would download, laid where it looks for them.

tiktoken fetches its ranks from a web server at first use and keeps them in a directory. `bpe-openai` ships the
very same files, compressed. They are unpacked into a directory of lor3's own and checked, so that tiktoken finds
what it wants and never opens a connection.
"""

import gzip
import hashlib
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Final

from domain.values import frozen


@frozen(kw_only=True)
class RankFile:
    url: str
    """What tiktoken asks for: `tiktoken_ext/openai_public.py`."""
    sha256: str
    """What tiktoken wants it to be; on anything else it would download."""

    @property
    def cached_name(self) -> str:
        """As `tiktoken.load.read_file_cached` names it."""
        return hashlib.sha1(self.url.encode(), usedforsecurity=False).hexdigest()


RANK_FILES: Final = {
    "cl100k_base": RankFile(
        url="https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken",
        sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": RankFile(
        url="https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken",
        sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
}


class RanksUnavailable(Exception):
    """The files can't be had; the message says why."""


def provide(encoding: str, preferred: Path | None = None) -> Path:
    """A directory that holds the ranks of `encoding`, one of `RANK_FILES`, for TIKTOKEN_CACHE_DIR.

    Tries `preferred`, then the user's cache directory, then the temporary one, then a new temporary directory.
    Safe with several processes at once: a file appears whole or not at all.

    Raises:
        RanksUnavailable: bpe-openai is damaged, or nothing is writable.
    """
    file = RANK_FILES[encoding]
    directories = _directories() if preferred is None else (preferred, *_directories())
    content = b""
    for directory in directories:
        if _holds(directory, file):
            return directory
        content = content or _unpacked(encoding, file)
        if _write(directory / file.cached_name, content):
            return directory
    try:
        last = Path(tempfile.mkdtemp(prefix="lor3-tiktoken-"))
    except OSError as error:
        raise RanksUnavailable(
            "no directory is writable for tiktoken's ranks; set XDG_CACHE_HOME to one that is"
        ) from error
    if _write(last / file.cached_name, content):
        return last
    raise RanksUnavailable("the disk is full: tiktoken's ranks need 6 MB")


def _directories() -> tuple[Path, ...]:
    cache = os.environ.get("XDG_CACHE_HOME")
    try:
        home = Path(cache) if cache else Path.home() / ".cache"
    except RuntimeError:  # no home at all, as in a bare container
        return (_temporary(),)
    return (home / "lor3" / "tiktoken", _temporary())


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / f"lor3-tiktoken-{os.getuid()}"


def _holds(directory: Path, file: RankFile) -> bool:
    # Others may write to a shared temporary directory, so the content is checked every time: 3 ms.
    try:
        content = (directory / file.cached_name).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(content).hexdigest() == file.sha256


def _unpacked(encoding: str, file: RankFile) -> bytes:
    # Importing bpe_openai would map its 74 MB library; only its data is wanted.
    spec = importlib.util.find_spec("bpe_openai")
    if spec is None or spec.origin is None:
        raise RanksUnavailable("the package bpe-openai is missing; reinstall lor3")
    packed = Path(spec.origin).parent / "data" / f"{encoding}.tiktoken.gz"
    try:
        content = gzip.decompress(packed.read_bytes())
    except (OSError, EOFError) as error:
        raise RanksUnavailable(f"bpe-openai's `{packed.name}` can't be read; reinstall bpe-openai") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise RanksUnavailable(
            f"bpe-openai's `{packed.name}` is not what tiktoken expects; reinstall bpe-openai"
        )
    return content


def _write(path: Path, content: bytes) -> bool:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as partial:
            try:
                partial.write(content)
                partial.flush()
                Path(partial.name).replace(path)
            except OSError:
                Path(partial.name).unlink(missing_ok=True)
                raise
    except OSError:
        return False
    return True
