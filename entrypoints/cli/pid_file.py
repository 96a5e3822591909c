"""The file that names the process to send SIGHUP and SIGTERM to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click


@contextmanager
def pid_file(path: Path | None) -> Iterator[None]:
    """While inside, `path` holds this process's id and a line break; None keeps no file.

    A lock tells whether the one who wrote it lives: an id does not, as another process may have it by now, and in a
    container it is often the same one. So what a killed server left behind is replaced.

    Raises:
        click.ClickException: it names a server that runs, is something else, or can't be written.
    """
    if path is None:
        yield
        return
    path = path.absolute()
    try:
        held = _write(path)
    except ImportError as error:
        raise click.ClickException(
            "--pid-file needs file locks, which this system has not; leave it out"
        ) from error
    except OSError as error:
        raise click.ClickException(
            f"the pid file {path} can't be written: {error.strerror or error}; set --pid-file to another path"
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # it is gone, or its folder is
            if os.path.samestat(path.stat(), os.fstat(held)):
                path.unlink()
        os.close(held)


def _write(path: Path) -> int:
    """A descriptor of the file, which is locked as long as it is open."""
    import fcntl

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    made = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        fcntl.flock(made, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(made, f"{os.getpid()}\n".encode())
        while not _placed(beside, path):
            pass
    except BaseException:
        os.close(made)
        raise
    finally:
        beside.unlink(missing_ok=True)
    return made


def _placed(beside: Path, path: Path) -> bool:
    """Whether it has taken its place; False where somebody else was there first, and it is to be looked at again."""
    import fcntl

    try:
        os.link(beside, path)  # fails where there is one: of two that start at a time, one has it
    except FileExistsError:
        pass
    else:
        return True
    with suppress(FileNotFoundError), path.open("rb") as former:
        said = former.read(64).decode(errors="replace").strip()
        if said and not said.isdecimal():
            raise click.ClickException(f"{path} is no pid file; set --pid-file to another path")
        try:
            fcntl.flock(former, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(
                f"{path} names a lor3 that runs (process {said}); stop it, or set --pid-file to another path"
            ) from None
        if os.path.samestat(os.fstat(former.fileno()), path.stat()):
            beside.replace(path)  # while the lock is held, so that nobody else replaces it too
            return True
    return False
