"""`lor3 serve`: one process and several, started and stopped as an operator would."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest

_LIMIT_S = 30.0
Start: TypeAlias = Callable[..., "tuple[subprocess.Popen[bytes], str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server, waits until it answers, and sees to its end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> "tuple[subprocess.Popen[bytes], str]":
        process = _spawn(tmp_path, *arguments)
        started.append(process)
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        _until(lambda: _answers(url), process)
        return process, url

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _spawn(cwd: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
    return subprocess.Popen(
        [sys.executable, "-m", "lor3", "serve", "--json", "--port", "0", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean,
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as response:  # noqa: S310 - our own
            return bool(response.status == 200)
    except OSError:
        return False


def _until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not condition():
        if process.poll() is not None:
            _, errors = process.communicate()
            pytest.fail(f"the server ended with {process.returncode}: {errors.decode()}")
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _children(process: "subprocess.Popen[bytes]") -> set[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return {int(pid) for pid in listed.split()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_answers_and_stops_cleanly(start: Start, workers: str, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end it with 0 and without a traceback; stdout holds the log, an object a line."""
    process, url = start("--workers", workers)
    body = json.dumps({"prompt": "hi"}).encode()
    request = urllib.request.Request(f"{url}/chat", body, {"Content-Type": "application/json"})  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=_LIMIT_S) as response:  # noqa: S310 - our own
        answer = json.loads(response.read())
    process.send_signal(number)
    logged, errors = process.communicate(timeout=_LIMIT_S)
    lines = [json.loads(line) for line in logged.splitlines()]

    assert answer["model"] == "demo:demo"
    assert [line["message_id"] for line in lines if line["event"] == "chat answered"] == [
        answer["message_id"]
    ]
    assert process.returncode == 0
    assert b"Traceback" not in errors
    assert b"set OPENAI_API_KEY" in errors


@pytest.mark.parametrize("workers", ["1", "2"])
def test_second_signal_cuts_what_is_under_way(start: Start, tmp_path: Path, workers: str) -> None:
    """At once, in order: the client is told, and what was said so far is stored."""
    (tmp_path / "lor3.yaml").write_text("providers: {demo: {delay_s: 2}}")
    process, url = start("--workers", workers)
    body = json.dumps({"prompt": "hi", "stream": True}).encode()
    request = urllib.request.Request(f"{url}/chat", body, {"Content-Type": "application/json"})  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=_LIMIT_S) as response:  # noqa: S310 - our own
        while b"event: delta" not in response.readline():
            pass
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        hurried = time.monotonic()
        process.send_signal(signal.SIGTERM)
        rest = response.read()
    logged, _ = process.communicate(timeout=_LIMIT_S)
    lines = {line["event"]: line for line in map(json.loads, logged.splitlines())}
    with closing(sqlite3.connect(tmp_path / "lor3.db")) as database:
        statuses = database.execute("select status from messages where role = 'assistant'").fetchall()

    assert b"shutting_down" in rest
    assert b"what was said of it is stored" in rest
    assert {"stopping", "chat cut", "stopped"} <= lines.keys()
    assert (lines["chat cut"]["code"], lines["chat cut"]["stored"]) == ("shutting_down", "incomplete")
    assert lines["chat cut"]["request_id"]
    assert process.returncode == 0
    assert [("incomplete",)] == statuses
    assert time.monotonic() - hurried < 15


def test_metrics_are_those_of_all_workers(start: Start) -> None:
    """Whichever answers; each counts for itself, and every request is in one of them."""
    process, url = start("--workers", "2")
    for _ in range(20):
        assert _answers(url)
    _until(lambda: 'lor3_worker_up{worker="0"} 1\nlor3_worker_up{worker="1"} 1\n' in _metrics(url), process)
    counted = re.findall(
        r'lor3_http_requests_total{worker="(\d)",method="GET",route="/healthz",status_class="2xx"} (\S+)',
        _metrics(url),
    )
    served = sum(float(count) for _, count in counted)

    assert served >= 20
    assert _metrics(url).count("# TYPE lor3_http_requests_total counter") == 1


def _metrics(url: str) -> str:
    with urllib.request.urlopen(f"{url}/metrics", timeout=_LIMIT_S) as response:  # noqa: S310 - our own
        text: str = response.read().decode()
        return text


def test_worker_that_dies_is_replaced(start: Start) -> None:
    """The port goes on answering with as many processes as before."""
    process, url = start("--workers", "2")
    before = _children(process)
    os.kill(min(before), signal.SIGKILL)
    _until(lambda: len(_children(process) - before) == 1 and len(_children(process)) == 2, process)
    _until(lambda: _answers(url), process)

    assert len(before) == 2


def test_workers_end_when_their_parent_is_killed(start: Start) -> None:
    """No orphan keeps the port."""
    process, url = start("--workers", "2")
    children = _children(process)
    process.kill()
    process.wait()
    deadline = time.monotonic() + _LIMIT_S
    while any(Path(f"/proc/{pid}").exists() and _state(pid) != "Z" for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert not _answers(url)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_port_in_use_is_one_clear_error(tmp_path: Path, workers: str) -> None:
    """Before anything is announced."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        process = _spawn(tmp_path, "--port", port, "--workers", workers)
        out, errors = process.communicate(timeout=_LIMIT_S)

    assert (process.returncode, out) == (1, b"")
    # Several workers without a Redis are warned about before.
    assert f"port {port} is in use" in json.loads(errors.splitlines()[-1])["detail"]


def test_listening_everywhere_without_keys_is_refused(tmp_path: Path) -> None:
    """At start, with the remedy."""
    process = _spawn(tmp_path, "--host", "0.0.0.0")  # noqa: S104 - refused
    out, errors = process.communicate(timeout=_LIMIT_S)

    assert (process.returncode, out) == (1, b"")
    assert "auth: {disabled: true}" in json.loads(errors)["detail"]


def test_stdout_that_nobody_reads_holds_nothing_up(tmp_path: Path) -> None:
    """Fault 81: the pipe is full before the server has said where it listens."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 65536)
    except BlockingIOError:
        os.set_blocking(writer, True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "lor3", "serve", "--port", str(port)],
        cwd=tmp_path,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    try:
        _until(lambda: _answers(f"http://127.0.0.1:{port}"), process)
        time.sleep(0.3)  # the announcement has been tried by now

        assert _answers(f"http://127.0.0.1:{port}")
        process.terminate()
        assert process.wait(_LIMIT_S) == 0
    finally:
        process.kill()
        process.communicate()
        os.close(reader)
        os.close(writer)


def test_reload_tells_of_each_worker(tmp_path: Path) -> None:
    """What the supervisor stands on is named as what needs a restart; a fault once for each worker."""
    file = tmp_path / "lor3.yaml"
    file.write_text("server: {workers: 2}\nlog: {file: {path: no/lor3.log}}\n")
    process = _spawn(tmp_path, "--pid-file", "lor3.pid")
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["url"]
        _until(
            lambda: 'lor3_worker_up{worker="0"} 1\nlor3_worker_up{worker="1"} 1\n' in _metrics(url), process
        )
        pid = int((tmp_path / "lor3.pid").read_text())
        file.write_text("server: {workers: 3, drain_s: 31}\n")
        os.kill(pid, signal.SIGHUP)
        told = _lines_of(process, "configuration reloaded", 2)
        file.write_text("primary: [\n")
        os.kill(pid, signal.SIGHUP)
        faults = _lines_of(process, "configuration not taken, the old one stays", 2)
        process.terminate()
        _, errors = process.communicate(timeout=_LIMIT_S)
    finally:
        process.kill()
        process.communicate()
    named = [
        (line["worker"], line["path"])
        for line in told
        if line["event"] == "setting counts from the next start on"
    ]
    warned = [line for line in told if line["event"] == "configuration warning"]

    assert pid == process.pid
    assert sorted(named) == [
        (worker, path) for worker in (0, 1) for path in ("log.file", "server.drain_s", "server.workers")
    ]
    assert [line["message"].partition(":")[0] for line in warned if "log" in line["message"]] == [
        "log.file.path"
    ]
    assert "log.file.path: the folder" in " ".join(errors.decode().split())
    assert sorted((line["worker"], line["line"]) for line in faults if "not taken" in line["event"]) == [
        (0, 2),
        (1, 2),
    ]
    assert not (tmp_path / "lor3.pid").exists()


def _lines_of(process: "subprocess.Popen[bytes]", event: str, times: int) -> list[dict[str, Any]]:
    """All lines up to the last one of that event."""
    assert process.stdout is not None
    lines: list[dict[str, Any]] = []
    while sum(line["event"] == event for line in lines) < times:
        read = process.stdout.readline()
        assert read, lines
        lines.append(json.loads(read))
    return lines


def test_workers_that_can_never_start_end_it(tmp_path: Path) -> None:
    """With the reason: starting them again and again would look like a server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "lor3.yaml").write_text(f"telemetry: {{metrics_port: {port}}}\n")
        process = _spawn(tmp_path, "--workers", "2")
        _, errors = process.communicate(timeout=_LIMIT_S)

    assert 1 == process.returncode
    assert "telemetry.metrics_port" in errors.decode()
    assert "no worker could be started" in errors.decode()
