"""The structured log."""

import asyncio
import json
import logging
import os
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

from adapters.telemetry import log_areas
from adapters.telemetry.drop_count import LOG_DROPS
from adapters.telemetry.log import LogTelemetry
from adapters.telemetry.log_line import json_line, text_line
from adapters.telemetry.log_sinks import RotatingFile
from application.services.request_scope import RequestScope, enter
from domain.model import ModelRef
from domain.telemetry import (
    AttemptEnded,
    BreakerMoved,
    ChatAnswered,
    ChatReplayed,
    ChatSaid,
    CommitEnded,
    Event,
    PassRan,
    RequestServed,
)
from domain.usage import Usage
from entrypoints.configuration.document import LogAreasDocument
from tests.support.waiting import HANGS_S

MODEL = ModelRef("openai", "gpt-4")
ANSWERED = ChatAnswered(
    request_id="req-1", tenant="default", message_id="m", thread_id="h", model=MODEL, prompt_version=None,
    usage=Usage(input_tokens=100, output_tokens=20), cost_usd=Decimal("1E-7"), duration_s=1.5, overhead_s=0.002,
    attempts=2, stream=True,
)  # fmt: skip
NASTY = 'a\nb\rc\x1b[2Jd\u2028e\u2029f\x85g\u202eh"i=\\n\ud800\x00'


@contextmanager
def _log(path: Path, *arguments: Any) -> Iterator[LogTelemetry]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        yield LogTelemetry(*arguments, fd=fd)
    finally:
        os.close(fd)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().decode().split("\n")[:-1]]


async def test_events_become_one_json_object_a_line(tmp_path: Path) -> None:
    """With times in UTC, money without an exponent and no empty field."""
    with _log(tmp_path / "log", "info", "json") as log:
        log.emit(ANSWERED)
        await log.aclose()
    [line] = _lines(tmp_path / "log")

    assert line["event"] == "chat answered"
    assert line["level"] == "info"
    assert line["time"].endswith("Z")
    assert line["model"] == "openai:gpt-4"
    assert line["cost_usd"] == "0.0000001"
    assert line["input_tokens"] == 100
    assert "prompt_version" not in line


async def test_a_replay_has_a_line_of_its_own(tmp_path: Path) -> None:
    """With what was given again, and without the key."""
    replayed = ChatReplayed(request_id="req-2", tenant="default", message_id="m", thread_id="h", model=MODEL)
    with _log(tmp_path / "log", "info", "json") as log:
        log.emit(replayed)
        await log.aclose()
    [line] = _lines(tmp_path / "log")
    del line["time"]

    assert line == {
        "level": "info",
        "event": "chat replayed",
        "area": "chats",
        "request_id": "req-2",
        "tenant": "default",
        "message_id": "m",
        "thread_id": "h",
        "model": "openai:gpt-4",
    }


async def test_levels_are_kept_to(tmp_path: Path) -> None:
    """A failed attempt is a warning, a good one a detail."""
    good = AttemptEnded(request_id="r", model=MODEL, outcome="ok", duration_s=1)
    with _log(tmp_path / "log", "warning", "json") as log:
        log.emit(ANSWERED)
        log.emit(good)
        log.emit(attrs.evolve(good, outcome="timeout"))
        await log.aclose()

    assert [line["outcome"] for line in _lines(tmp_path / "log")] == ["timeout"]


async def test_text_is_for_people(tmp_path: Path) -> None:
    """One line, names and values."""
    with _log(tmp_path / "log", "info", "text") as log:
        log.emit(BreakerMoved(model=MODEL, state="open"))
        await log.aclose()

    assert (tmp_path / "log").read_text().endswith("WARNING breaker moved model=openai:gpt-4 state=open\n")


@pytest.mark.parametrize("make", [json_line, text_line])
def test_nothing_injects_a_line_or_moves_the_cursor(make: Any) -> None:
    """In message and values alike."""
    line = make(0.0, "info", NASTY, {"field": NASTY, "number": 1}).decode()

    assert line.endswith("\n")
    for forbidden in "\r\x1b\x00\x85\u2028\u2029\u202e":
        assert forbidden not in line[:-1]
    first, *further = line[:-1].split("\n")
    if make is json_line:
        assert json.loads(first)["field"] == NASTY
        assert further == []
    else:
        assert first.startswith("00:00:00.000 INFO    a field=")
        assert [each[:5] for each in further] == ["    b"]


def test_lines_of_a_message_stay_lines_as_text() -> None:
    """A broken file's with its caret in place, each indented: what stands at the first column is an entry's own."""
    text = "x.yaml, line 1, column 3: no\nab{{c\n  ^\n00:00:00.000 ERROR   not from here"

    assert text_line(0.0, "error", text, {"logger": "lor3.prompts"}).decode() == (
        "00:00:00.000 ERROR   x.yaml, line 1, column 3: no logger=lor3.prompts\n"
        "    ab{{c\n"
        "      ^\n"
        "    00:00:00.000 ERROR   not from here\n"
    )
    assert json_line(0.0, "error", text, {}).count(b"\n") == 1


def test_long_values_are_cut() -> None:
    """A line is no place for a book."""
    assert len(json_line(0.0, "info", "x" * 10**6, {"field": "y" * 10**6})) < 5000


async def test_the_standard_librarys_logging_comes_in_the_same_shape(tmp_path: Path) -> None:
    """Libraries' warnings included; what an exception says is left out, because it may quote anything."""
    with _log(tmp_path / "log", "info", "json") as log:
        logging.getLogger("some.library").warning("pool of %d is full\n", 5)
        try:
            raise ValueError("CANARY")
        except ValueError:
            logging.getLogger("lor3.http").exception("unexpected")
        logging.getLogger("aiohttp.server").warning("bad header %s", "CANARY")
        logging.getLogger("some.library").debug("CANARY")
        logging.getLogger("alembic.runtime").info("setup plugin")
        await log.aclose()
        logging.getLogger("some.library").warning("after the end")
    first, second, third = _lines(tmp_path / "log")

    assert (
        first["level"],
        first["event"],
        first["logger"],
    ) == ("warning", "pool of 5 is full\n", "some.library")
    assert second["error"] == "ValueError"
    assert "test_log.py" in second["frames"]
    assert third["event"] == "bad header %s"
    assert b"CANARY" not in (tmp_path / "log").read_bytes()


async def test_a_blocked_sink_drops_and_counts_and_never_blocks() -> None:
    """Fault 81: a pipe that nobody reads."""
    reader, writer = os.pipe()
    log = LogTelemetry("info", "json", fd=writer)
    before = LOG_DROPS.lines
    for _ in range(15_000):  # if it blocked, it would do so for ever
        log.emit(ANSWERED)

    assert LOG_DROPS.lines > before
    await asyncio.wait_for(log.aclose(), HANGS_S)
    os.close(reader)  # ends the thread's write
    assert log._stream is not None
    log._stream.close(5)
    os.close(writer)


async def test_a_full_disk_is_counted() -> None:
    """Fault 81: /dev/full takes nothing."""
    fd = os.open("/dev/full", os.O_WRONLY)
    before = LOG_DROPS.lines
    log = LogTelemetry("info", "json", fd=fd)
    log.emit(ANSWERED)
    await log.aclose()
    os.close(fd)

    assert before + 1 == LOG_DROPS.lines


async def test_a_closed_descriptor_is_no_exception() -> None:
    """Nor is anything else that os.write says."""
    reader, writer = os.pipe()
    os.close(reader)
    log = LogTelemetry("info", "json", fd=writer)
    log.emit(ANSWERED)
    await asyncio.sleep(0.05)
    await log.aclose()
    os.close(writer)


async def test_emit_costs_microseconds(tmp_path: Path) -> None:
    """The line is made in the thread."""
    served = RequestServed(request_id="r", route="/chat", method="POST", status=200, duration_s=1)
    with _log(tmp_path / "log", "info", "json") as log:
        best = min(timeit.repeat(lambda: log.emit(served), number=500, repeat=5)) / 500
        await log.aclose()

    assert best < 500e-6


async def test_levels_are_set_by_area(tmp_path: Path) -> None:
    """Of events and of loggers alike; libraries' bodies stay out whatever is said."""
    served = RequestServed(request_id="r", route="/threads", method="GET", status=200, duration_s=1)
    attempt = AttemptEnded(request_id="r", model=MODEL, outcome="ok", duration_s=1)
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    log = LogTelemetry(
        "info", "json", fd=fd, areas={"providers": "debug", "http": "warning", "storage": "error"}
    )
    log.emit(served)
    log.emit(attempt)
    logging.getLogger("lor3.store").warning("hidden")
    logging.getLogger("lor3.store").error("shown")
    logging.getLogger("adapters.providers.http_provider").info("shown")
    logging.getLogger("openai").debug("CANARY")
    logging.getLogger("lor3.http").info("hidden")
    logging.getLogger("some.library").info("hidden")
    await log.aclose()
    os.close(fd)

    assert [(line["area"], line["event"]) for line in _lines(tmp_path / "log")] == [
        ("providers", "attempt ended"),
        ("storage", "shown"),
        ("providers", "shown"),
    ]


async def test_every_line_of_a_request_has_its_id(tmp_path: Path) -> None:
    """From deep inside too, with tenant and key; another request's event is not made this one's, and a scope that has
    ended counts for nothing."""
    scope = RequestScope(request_id="req-7", tenant="acme", key_id="k")
    enter(scope)
    with _log(tmp_path / "log", "debug", "json") as log:
        logging.getLogger("adapters.providers.http_provider").warning("slow")
        log.emit(BreakerMoved(model=MODEL, state="open"))
        log.emit(AttemptEnded(request_id="req-7", model=MODEL, outcome="ok", duration_s=1))
        log.emit(AttemptEnded(request_id="other", model=MODEL, outcome="ok", duration_s=1))
        scope.ended = True
        logging.getLogger("lor3.redis").warning("later")
        await log.aclose()
    told = [
        (line.get("request_id"), line.get("tenant"), line.get("key_id")) for line in _lines(tmp_path / "log")
    ]

    assert told == [("req-7", "acme", "k")] * 3 + [("other", None, None), (None, None, None)]


async def test_contents_are_redacted(tmp_path: Path) -> None:
    """Prompts and answers, where they are switched on; a line break in them begins no line."""
    said = ChatSaid(
        request_id="r", tenant="t", key_id=None, message_id="m", model=MODEL,
        prompt=(("system", "be kind"), ("user", "my key is sk-proj-abcdefgh12345678\nand mail a.b@c.example")),
        answer="card 4111 1111 1111 1111 " + "x" * 3000,
    )  # fmt: skip
    with _log(tmp_path / "log", "info", "json") as log:
        log.emit(said)
        await log.aclose()
    [line] = _lines(tmp_path / "log")

    assert line["prompt"] == "system: be kind\n\nuser: my key is [redacted key]\nand mail [redacted e-mail]"
    assert line["answer"] == "card [redacted card] " + "x" * 3000
    assert "sk-proj" not in repr(said)
    assert "4111" not in repr(said)


async def test_stream_and_files_get_the_same_lines(tmp_path: Path) -> None:
    """Files hold JSON, whoever reads the stream."""
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    log = LogTelemetry("info", "text", fd=fd, file=RotatingFile(tmp_path / "file", 10_000, 1))
    log.emit(ANSWERED)
    await log.aclose()
    os.close(fd)

    assert "chat answered" in (tmp_path / "log").read_text()
    assert [line["event"] for line in _lines(tmp_path / "file")] == ["chat answered"]


async def test_a_log_that_goes_nowhere_takes_everything() -> None:
    """`to: none`."""
    log = LogTelemetry("debug", "json", to="none")
    log.emit(ANSWERED)
    await log.aclose()


@pytest.mark.parametrize("event", get_args(Event))
def test_every_event_is_told_or_left_to_spans(event: type) -> None:
    """A new one is not forgotten."""
    kind = log_areas._KINDS.get(event)

    assert (kind is None) == (event in (PassRan, CommitEnded))
    assert kind is None or kind.area in log_areas.AREAS


def test_areas_are_those_of_the_settings() -> None:
    """The document names each."""
    assert {field.name for field in attrs.fields(LogAreasDocument)} == set(log_areas.AREAS)


async def test_every_line_of_one_of_several_has_its_number(tmp_path: Path) -> None:
    """Workers share a stream; fields that a record brings come too."""
    path = tmp_path / "log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    log = LogTelemetry("info", "json", fd=fd, worker=1)
    log.emit(ANSWERED)
    logging.getLogger("lor3.config").warning("constant", extra={"fields": {"path": "a.b", "line": 3}})
    await log.aclose()
    os.close(fd)
    answered, said = _lines(path)

    assert answered["worker"] == 1
    assert {name: said[name] for name in ("event", "worker", "path", "line")} == {
        "event": "constant",
        "worker": 1,
        "path": "a.b",
        "line": 3,
    }


async def test_file_that_cannot_be_opened_is_told_in_the_stream_once(tmp_path: Path) -> None:
    """A line for each that is lost would be a flood."""
    path, missing = tmp_path / "log", tmp_path / "no" / "lor3.log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    log = LogTelemetry("info", "json", fd=fd, file=RotatingFile(missing, 1000, 1))
    for _ in range(3):
        log.emit(ANSWERED)
        await asyncio.sleep(0.06)
    await log.aclose()
    os.close(fd)
    told = [line for line in _lines(path) if line["event"] == "log file not written"]

    assert [(line["path"], line["message"]) for line in told] == [(str(missing), "No such file or directory")]
