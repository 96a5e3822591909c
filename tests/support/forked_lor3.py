"""`lor3 …` in a process of its own, forked from one that has imported it: a tenth of what starting one costs.

For what a process prints and how it ends. What is about how it starts, or about its signals, starts one itself.
"""

import io
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final, NoReturn, Self

import attrs

from tests.support import lor3_on_path as lor3_on_path_program
from tests.support.command_line import VARIABLES

_LIMIT_S: Final = 60.0
_SERVER: Final = multiprocessing.get_context("forkserver")
# This module too: each process looks it up for what it is to run.
_SERVER.set_forkserver_preload(["tests.support.forked_lor3_imports", __name__])


@attrs.frozen
class Printed:
    """How a command ended, in text."""

    returncode: int
    stdout: str
    stderr: str

    @classmethod
    def of(cls, done: "subprocess.CompletedProcess[bytes]") -> Self:
        return cls(done.returncode, done.stdout.decode(), done.stderr.decode())


def run_lor3(
    cwd: Path, *arguments: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """With pipes on all three streams, and with no setting of whoever runs the tests.

    Raises:
        AssertionError: it did not end within a minute.
    """
    pipes = [_SERVER.Pipe(duplex=False) for _ in range(3)]
    (its_input, our_input), (our_output, its_output), (our_errors, its_errors) = pipes
    process = _start(str(cwd), arguments, environment(environ), its_input, its_output, its_errors)
    for each in (its_input, its_output, its_errors):
        each.close()
    read: dict[str, bytes] = {}

    def drain(name: str, end: "Connection[bytes, bytes]") -> None:
        with os.fdopen(os.dup(end.fileno()), "rb") as stream:
            read[name] = stream.read()
        end.close()

    def feed() -> None:
        try:
            with os.fdopen(os.dup(our_input.fileno()), "wb") as stream:
                stream.write(stdin)
        except BrokenPipeError:
            pass  # a command need not read what it is given
        our_input.close()

    threads = [
        threading.Thread(target=drain, args=("output", our_output)),
        threading.Thread(target=drain, args=("errors", our_errors)),
        threading.Thread(target=feed),
    ]
    for thread in threads:
        thread.start()
    code = _end_of(process, arguments)
    for thread in threads:
        thread.join()
    return subprocess.CompletedProcess(["lor3", *arguments], code, read["output"], read["errors"])


@contextmanager
def lor3_on(
    terminal: int, *arguments: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[Callable[[], int]]:
    """Runs it with all three streams on an open terminal; gives what waits for its end and says its code.

    Raises:
        AssertionError: it did not end within a minute of being waited for.
    """
    ends = [Connection(os.dup(terminal)) for _ in range(3)]
    process = _start(str(cwd or Path.cwd()), arguments, environment(environ), *ends)
    for end in ends:
        end.close()
    try:
        yield lambda: _end_of(process, arguments)
    finally:
        process.kill()
        process.join()
        process.close()


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's, less what whoever runs the tests has set for a lor3."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in VARIABLES and not name.startswith("LOR3_")
    }
    return {**kept, **(more or {})}


def _start(
    cwd: str, arguments: tuple[str, ...], environ: Mapping[str, str], *streams: "Connection[bytes, bytes]"
) -> ForkServerProcess:
    process = _SERVER.Process(target=_become_lor3, args=(cwd, arguments, environ, *streams))
    process.start()
    return process


def _end_of(process: ForkServerProcess, arguments: tuple[str, ...]) -> int:
    process.join(_LIMIT_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"`lor3 {' '.join(arguments)}` did not end within {_LIMIT_S:.0f} s")
    return process.exitcode


@contextmanager
def lor3_on_path(folder: Path) -> Iterator[dict[str, str]]:
    """Puts a `lor3` into a folder, for shells whose PATH has it and whose environment has these variables too."""
    forkserver.ensure_running()  # now: its socket would be among the temporary files that a test looks at
    program = folder / "lor3"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{lor3_on_path_program.__file__}" "$@"\n')
    program.chmod(0o755)
    path = str(folder / "socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        thread = threading.Thread(target=_answer_calls, args=(listening,))
        thread.start()
        try:
            yield {lor3_on_path_program.SOCKET: path}
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _answer_calls(listening: socket.socket) -> None:
    while True:
        try:
            calling, _ = listening.accept()
        except OSError:  # it was shut down
            return
        threading.Thread(target=_answer_call, args=(calling,), daemon=True).start()


def _answer_call(calling: socket.socket) -> None:
    with calling:
        _, descriptors, _, _ = socket.recv_fds(calling, 1, 3)
        with calling.makefile("rb") as stream:
            cwd, arguments, environ = json.loads(stream.read())
        ends = [Connection(descriptor) for descriptor in descriptors]
        process = _start(cwd, tuple(arguments), environ, *ends)
        for end in ends:
            end.close()
        process.join()
        calling.sendall(str(process.exitcode).encode())
        process.close()


def _become_lor3(
    cwd: str,
    arguments: tuple[str, ...],
    environ: Mapping[str, str],
    stdin: "Connection[bytes, bytes]",
    stdout: "Connection[bytes, bytes]",
    stderr: "Connection[bytes, bytes]",
) -> NoReturn:
    """What `python -m lor3` does from there on, on streams as Python opens them on pipes, or on a terminal."""
    for number, end in enumerate((stdin, stdout, stderr)):
        os.dup2(end.fileno(), number)
        end.close()
    sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False), "utf-8")  # noqa: SIM115 - open until the end
    sys.stdout = io.TextIOWrapper(  # as above
        open(1, "wb", closefd=False),  # noqa: SIM115
        "utf-8",
        line_buffering=os.isatty(1),
    )
    sys.stderr = io.TextIOWrapper(  # as above
        open(2, "wb", closefd=False),  # noqa: SIM115
        "utf-8",
        "backslashreplace",
        line_buffering=True,
    )
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    sys.argv = ["lor3", *arguments]
    from entrypoints.cli.main import main

    main()
