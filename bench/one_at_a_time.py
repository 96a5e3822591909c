"""A client with one request under way, and the CPU that each costs on the other side."""

import contextlib
import http.client
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Self

import attrs
import psycopg

from bench.payloads import PROMPT
from bench.processes import BenchFailure, tree

_HEADERS: Final = {"content-type": "application/json"}


@attrs.frozen(kw_only=True)
class Round:
    """Requests of one kind, one after another."""

    p50_ms: float
    lor3_us: float
    """CPU of lor3 a request."""
    database_us: float
    """CPU of PostgreSQL a request; 0 where it runs elsewhere."""


@attrs.frozen
class Client:
    """Keeps its connection; anything but a 200 ends the run."""

    _connection: http.client.HTTPConnection

    @classmethod
    @contextlib.contextmanager
    def of(cls, port: int) -> Iterator[Self]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            yield cls(connection)

    def chat(self, thread: str | None, depth: int) -> dict[str, Any]:
        body: dict[str, object] = {"prompt": PROMPT}
        if thread is not None:
            body |= {"thread_id": thread, "context_depth": depth}
        return self._ask("POST", "/chat", json.dumps(body).encode())

    def page(self, thread: str, cursor: str | None, *, limit: int) -> list[dict[str, Any]]:
        more = f"&cursor={cursor}" if cursor else ""
        items: list[dict[str, Any]] = self._ask(
            "GET", f"/threads/{thread}/messages?limit={limit}{more}", None
        )["items"]
        return items

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        self._connection.request(method, path, body=body, headers=_HEADERS)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise BenchFailure(f"{method} {path} was answered {response.status} {answer[:300]!r}")
        parsed: dict[str, Any] = json.loads(answer)
        return parsed


@attrs.frozen(kw_only=True)
class Meter:
    """Reads what two trees of processes have computed, to the nanosecond."""

    lor3_pid: int
    database_pid: int | None
    """Of the postmaster; None where it runs on another machine."""

    @classmethod
    def of(cls, lor3_pid: int, database_url: str) -> Self:
        with psycopg.connect(database_url) as connection:
            backend = Path(f"/proc/{connection.info.backend_pid}/stat")
            try:
                name, parent = backend.read_text().rpartition(")")[::2]
            except FileNotFoundError:
                return cls(lor3_pid=lor3_pid, database_pid=None)
        is_ours = "(postgres" in name
        return cls(lor3_pid=lor3_pid, database_pid=int(parent.split()[1]) if is_ours else None)

    def measure(self, request: Callable[[], object], count: int) -> Round:
        took: list[float] = []
        lor3, database = self._read()
        for _ in range(count):
            begin = time.perf_counter()
            request()
            took.append(time.perf_counter() - begin)
        lor3_after, database_after = self._read()
        return Round(
            p50_ms=statistics.median(took) * 1e3,
            lor3_us=(lor3_after - lor3) / count / 1e3,
            database_us=(database_after - database) / count / 1e3,
        )

    def _read(self) -> tuple[int, int]:
        return _cpu_ns(self.lor3_pid), 0 if self.database_pid is None else _cpu_ns(self.database_pid)


@contextlib.contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """This thread computes there and nowhere else, until it leaves."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _cpu_ns(pid: int) -> int:
    """Of the process and its descendants that live: their first field is the time on a CPU, in ns (sched-stats)."""
    total = 0
    for process in tree(pid):
        for task in Path(f"/proc/{process}/task").glob("*/schedstat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                total += int(task.read_text().split()[0])
    return total
