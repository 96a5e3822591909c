"""Prompt files of a server that runs: read at the start, at SIGHUP and with --watch, and never fatal."""

import fcntl
import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
import termios
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest

from tests.support.forked_lor3 import Printed, run_lor3

_LIMIT_S = 30.0
GOOD = "template: |\n  You are {word}.\n"
BROKEN = "template: |\n  You are {{word}}.\n  {{#open}}\n"


@attrs.define
class Served:
    """A server in a folder of its own."""

    process: "subprocess.Popen[bytes]"
    url: str
    log: Path

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=_LIMIT_S) as response:  # noqa: S310 - our own
            return json.loads(response.read())

    def version(self) -> str | None:
        """The newest version of the prompt `a`."""
        for item in self.get("/prompts")["items"]:
            if item["name"] == "a":
                latest: str = item["latest"]
                return latest
        return None

    def chat(self) -> str:
        """The version that answers."""
        body = json.dumps({"prompt": "hi", "system_prompt": "a"}).encode()
        request = urllib.request.Request(f"{self.url}/chat", body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=_LIMIT_S) as response:  # noqa: S310 - our own
            version: str = json.loads(response.read())["prompt_version"]
            return version

    def logged(self) -> str:
        return self.log.read_text()

    def until(self, condition: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + _LIMIT_S
        while not condition():
            assert self.process.poll() is None, f"the server ended: {self.logged()}"
            assert time.monotonic() < ends_at, self.logged()
            time.sleep(0.05)


Start: TypeAlias = Callable[..., Served]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "config/prompts"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, environ: dict[str, str] | None = None) -> Served:
        clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
        log = tmp_path / "log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "lor3", "serve", "--json", "--port", "0", *arguments],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=clean | {"LOR3_LOG__TO": "stderr"} | (environ or {}),
            )
        started.append(process)
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        return Served(process, url, log)

    yield start
    for process in started:
        process.terminate()
        try:
            process.communicate(timeout=_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def test_watched_folder_is_read_when_a_file_changes(start: Start, folder: Path) -> None:
    """A new version without a word to the server; a broken file is named with its line, and chats go on with the old one."""
    file = folder / "a.yaml"
    file.write_text(GOOD.replace("{word}", "one"))
    server = start("--watch")
    first = (server.version(), server.chat())
    file.write_text(GOOD.replace("{word}", "two"))
    server.until(lambda: server.version() == "v2")
    file.write_text(BROKEN)
    server.until(lambda: "config/prompts/a.yaml, line 3, column 3: " in server.logged())
    kept = (server.version(), server.chat())
    warned = [each for each in server.get("/config")["warnings"] if each.startswith("prompts: ")]
    file.write_text(GOOD.replace("{word}", "three"))
    server.until(lambda: server.version() == "v3")
    mended = server.get("/config")["warnings"]

    assert first == ("v1", "a:v1")
    assert kept == ("v2", "a:v2")
    assert len(warned) == 1
    assert "config/prompts/a.yaml, line " in warned[0]
    assert not [each for each in mended if each.startswith("prompts: ")]
    assert server.chat() == "a:v3"
    assert '"level":"error"' in server.logged()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sighup_reads_the_folder_again(start: Start, folder: Path, workers: str) -> None:
    """In every worker, whichever of them answers."""
    file = folder / "a.yaml"
    file.write_text(GOOD.replace("{word}", "one"))
    server = start("--workers", workers)
    server.until(lambda: server.version() == "v1")
    file.write_text(GOOD.replace("{word}", "two"))
    server.process.send_signal(signal.SIGHUP)
    server.until(lambda: server.version() == "v2")
    server.until(lambda: {server.chat() for _ in range(8)} == {"a:v2"})
    file.write_text("template: [\n")
    server.process.send_signal(signal.SIGHUP)
    server.until(lambda: server.logged().count("a.yaml is broken") >= int(workers))

    assert {server.chat() for _ in range(8)} == {"a:v2"}
    assert {server.version() for _ in range(8)} == {"v2"}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sighup_with_nothing_to_read_ends_nothing(start: Start, workers: str) -> None:
    """No folder, nor a setting that names one; also while the server is about to start."""
    server = start("--workers", workers, environ={"LOR3_PROMPTS__DIRECTORY": "null"})
    for _ in range(5):
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.02)

    assert server.get("/healthz") == {"status": "ok"}
    assert server.process.poll() is None


def test_signal_that_comes_before_a_worker_serves_is_not_lost(start: Start, folder: Path) -> None:
    """A worker that is started again is asked again."""
    server = start("--workers", "2")
    (folder / "a.yaml").write_text(GOOD.replace("{word}", "one"))
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    time.sleep(0.6)  # they start again after half a second
    server.process.send_signal(signal.SIGHUP)
    server.until(lambda: _served(server) == "v1")

    assert "ended with -1;" not in server.logged()


def _served(server: Served) -> str | None:
    try:
        return server.version()
    except OSError:
        return None


def test_second_start_makes_nothing(start: Start, folder: Path, tmp_path: Path) -> None:
    """Importing is idempotent, also by two workers at once."""
    (folder / "a.yaml").write_text("template: '{{> tone}}'\n")
    (folder / "tone.md").write_text("Be kind.\n")
    for _ in range(2):
        server = start("--workers", "2")
        server.until(lambda server=server: server.version() is not None)  # type: ignore[misc] # bound now
        server.process.terminate()
        server.process.communicate(timeout=_LIMIT_S)
    with closing(sqlite3.connect(tmp_path / "lor3.db")) as database:
        rows = database.execute(
            "select name, count(*) from prompt_versions group by name order by name"
        ).fetchall()

    assert rows == [("a", 1), ("tone", 1)]


@pytest.mark.parametrize("nohup", [False, True])
def test_closing_the_terminal_ends_the_server(tmp_path: Path, folder: Path, nohup: bool) -> None:
    """SIGHUP means two things: a server must not outlive its window and hold on to the port, but under nohup."""
    (folder / "a.yaml").write_text(GOOD)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "lor3", "serve", "--json", "--port", "0"],
        cwd=tmp_path,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        preexec_fn=_own_the_terminal_under_nohup if nohup else _own_the_terminal,
    )
    os.close(follower)
    try:
        seen = b""
        while b"url" not in seen:
            ready, _, _ = select.select([leader], [], [], _LIMIT_S)
            assert ready, seen
            seen += os.read(leader, 4096)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        lives = process.poll() is None
        os.close(leader)
        if nohup:
            time.sleep(0.5)
            assert process.poll() is None
            process.terminate()
        code = process.wait(_LIMIT_S)
    finally:
        process.kill()
        process.wait()

    assert lives, "SIGHUP while the terminal is there asks for a reload"
    assert code == 0


def _own_the_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever the tests themselves run under
    _take_the_terminal()


def _take_the_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _own_the_terminal_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _take_the_terminal()


def test_folder_that_is_configured_and_absent_is_told(start: Start, tmp_path: Path) -> None:
    """In the log and by GET /config; and it is taken up when it comes."""
    server = start("--watch", environ={"LOR3_PROMPTS__DIRECTORY": "promts"})
    warned = [each for each in server.get("/config")["warnings"] if "promts" in each]
    logged = server.logged()
    (tmp_path / "promts").mkdir()
    (tmp_path / "promts/a.md").write_text("Hi.\n")
    server.until(lambda: server.version() == "v1")
    after = [each for each in server.get("/config")["warnings"] if "promts" in each]

    assert warned == [
        "prompts: promts: there is no such folder; make it, or set `prompts.directory` to the one you mean"
    ]
    assert "promts: there is no such folder" in logged
    assert after == []


def test_one_command_reads_the_folder_too(tmp_path: Path, folder: Path) -> None:
    """`lor3 run` needs no server; where the prompt's file is broken it says so, and goes on with what there was."""
    (folder / "a.yaml").write_text("template: Hi\n")
    first = _run(tmp_path)
    (folder / "a.yaml").write_text("templat: Hi\n")
    second = _run(tmp_path)

    for done in (first, second):
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["prompt_version"] == "a:v1"
    assert "a.yaml" not in first.stderr
    assert "config/prompts/a.yaml, line 1, column 1: templat: is unknown here" in second.stderr


def _run(folder: Path) -> Printed:
    return Printed.of(run_lor3(folder, "run", "--system", "a", "--prompt", "hi", "--json"))
