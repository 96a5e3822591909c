"""Child processes of the benchmark: started on one core, measured through /proc, ended by their own handle. Linux only."""

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Nothing of the caller's environment may change the outcome: no proxies, keys, configuration or debug switches.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


class BenchFailure(RuntimeError):
    """The run can't be trusted: a server did not start or answer, or answered wrongly."""


def cores() -> tuple[int, int]:
    """The core of the gateway and that of everything else; the same one twice on a machine with a single core."""
    if not hasattr(os, "sched_getaffinity"):
        raise BenchFailure("the benchmark pins processes to cores and reads /proc: run it on Linux")
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return (
        kept
        | {"PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "sk-bench", "ANTHROPIC_API_KEY": "sk-ant-bench"}
        | dict(extra)
    )


def many_files() -> None:
    """Lets this process, and those it starts, open as many files and sockets as the system allows it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def pinned(core: int) -> Callable[[], None]:
    """For `preexec_fn`: set between fork and exec, so that start-up too runs on that core. We have no other threads."""
    return lambda: os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def running(
    arguments: Sequence[str],
    *,
    core: int,
    log: Path,
    extra: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Iterator["subprocess.Popen[bytes]"]:
    """`python ARGUMENTS` pinned to `core`, its output in the file `log`; terminated at the end."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=environment(extra or {}),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=pinned(core),
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_200(
    process: "subprocess.Popen[bytes]", request: bytes, *, port: int, log: Path, within_s: float = 120.0
) -> float:
    """Sends `request` until it is answered 200; returns the moment (`time.perf_counter`) of that answer.

    Raises:
        BenchFailure: the process ended, answered otherwise, or took too long; the message holds the end of its log.
    """
    give_up = time.perf_counter() + within_s
    while time.perf_counter() < give_up:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=within_s) as connection:
                connection.sendall(request)
                answer = connection.recv(65536)
        except ConnectionError:
            time.sleep(0.005)
            continue
        if answer.startswith(b"HTTP/1.1 200"):
            return time.perf_counter()
        if not answer.startswith(b"HTTP/1.1 503"):  # 503 is "not ready yet"
            raise BenchFailure(f"a server answered {answer[:400]!r}\n{tail(log)}")
        time.sleep(0.005)
    state = "is still running" if process.poll() is None else f"ended with {process.returncode}"
    raise BenchFailure(f"no 200 from port {port} within {within_s:.0f} s; the process {state}\n{tail(log)}")


def run_apart(module: str, given: object, *, core: int, what: str) -> dict[str, Any]:
    """What `python -m MODULE GIVEN`, in a process of its own on `core`, prints as JSON.

    Raises:
        BenchFailure: it failed, or names faults.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(given)],
        env=environment({}),
        cwd=ROOT,
        capture_output=True,
        check=False,
        preexec_fn=pinned(core),
    )
    if done.returncode != 0:
        raise BenchFailure(f"{what} ended with {done.returncode}:\n{done.stderr.decode()}")
    fields: dict[str, Any] = json.loads(done.stdout)
    fields["faults"] = tuple(fields["faults"])
    if fields["faults"]:
        raise BenchFailure("; ".join(fields["faults"]))
    return fields


def tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-25:] if log.exists() else []
    return "\n".join(f"    {line}" for line in lines)


def tree(pid: int) -> list[int]:
    """The process and all its descendants that live."""
    found = [pid]
    for task in _children_files(pid):
        try:
            found += [each for child in task.read_text().split() for each in tree(int(child))]
        except FileNotFoundError:
            continue  # the thread ended since
    return found


def _children_files(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").glob("*/children"))


def cpu_s(pid: int) -> float:
    """CPU time of the process and its descendants, user and system, in seconds; resolution 10 ms."""
    ticks = 0
    for each in tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        ticks += int(fields[11]) + int(fields[12])  # utime, stime: fields 14 and 15 of proc(5)
    return ticks / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory of the process and its descendants, in 10^6 bytes; pages they share count for each."""
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def core_busy_s(core: int) -> float:
    """Seconds that the core was not idle since boot, time stolen by the hypervisor included."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S
    raise BenchFailure(f"/proc/stat does not list core {core}")
