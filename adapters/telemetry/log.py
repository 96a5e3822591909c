"""The structured log."""

import asyncio
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from adapters.telemetry.drop_count import LOG_DROPS
from adapters.telemetry.log_answered import answered_line
from adapters.telemetry.log_areas import AREAS, LEVELS, Kind, area_of, is_told, kind_of
from adapters.telemetry.log_fields import event_fields, scoped
from adapters.telemetry.log_line import json_line, text_line
from adapters.telemetry.log_sinks import DescriptorSink, RotatingFile
from adapters.telemetry.log_writer import LogWriter
from application.services.request_scope import RequestScope, current
from domain.telemetry import ChatAnswered, ChatSaid, Event

_QUOTES_REQUESTS: Final = ("aiohttp.server", "aiohttp.access", "aiohttp.web")
"""Loggers that quote what a client sent, credentials included: only their message's template is logged."""
_NOT_WRITTEN: Final = "log file not written"
_CLOSE_WITHIN_S: Final = 2.0
_MAX_FRAMES: Final = 20
_EXTRAS: Final = ("request_id", "route", "tenant", "key_id")
"""What our own code may give a record as `extra`, beside `fields`, a mapping of any others."""


class LogTelemetry:
    """One line an event, on a stream, in files, or both: JSON, or text where a person reads along; files hold JSON.

    Holds what the events hold: ids, numbers, names of models; never a key, and a prompt or an answer only where
    contents were switched on, redacted. A line that belongs to a request has its id, and the tenant and the key's id
    where they are known. Making one also sends the standard library's logging through it, in the same shape; of an
    exception there come its type and its frames, not its message, which may quote anything. `aclose` undoes that and
    flushes.
    """

    def __init__(
        self,
        level: Literal["debug", "info", "warning", "error"] = "info",
        format: Literal["auto", "json", "text"] = "auto",  # noqa: A002 - named as in the settings
        *,
        fd: int | None = None,
        to: Literal["stdout", "stderr", "none"] = "stderr",
        areas: Mapping[str, str] | None = None,
        file: RotatingFile | None = None,
        may_write: Callable[[], bool] | None = None,
        worker: int | None = None,
    ) -> None:
        """
        Args:
            fd: in place of the stream that `to` names.
            areas: levels that differ from `level`, by the names of `log_areas.AREAS`.
            may_write: holds the stream's first line back until it says so, half a minute at most.
            worker: the number of this process among several, which each line then has.
        """
        self._stream: LogWriter | None = None
        self._is_json = True
        if fd is not None or to != "none":
            fd = _standard(to) if fd is None else fd
            self._is_json = not is_text(format, fd)
            self._stream = LogWriter(DescriptorSink(fd), may_write)
        self._file = None if file is None else LogWriter(file, on_fault=self._file_failed)
        self._process: Mapping[str, Any] = {} if worker is None else {"worker": worker}
        self._handler = _Handler(self)
        root = logging.getLogger()
        self._level_before = root.level
        root.addHandler(self._handler)
        self.use(level, areas or {})

    def use(self, level: str, areas: Mapping[str, str]) -> None:
        """From now on goes by these levels."""
        self._thresholds = {area: LEVELS[areas.get(area, level)] for area in AREAS}
        # Libraries tell of their every step at `info` (alembic), and quote bodies at `debug`.
        self._library_thresholds = {
            area: logging.INFO if least <= logging.DEBUG else max(least, logging.WARNING)
            for area, least in self._thresholds.items()
        }
        logging.getLogger().setLevel(min(self._library_thresholds.values()))

    def taker(self, kind: type) -> Callable[[Any], None] | None:
        """`emit`, where lines are made of events of that kind."""
        return self.emit if is_told(kind) else None

    def emit(self, event: Event) -> None:
        kind = kind_of(event)
        if kind is None or kind.rank < self._thresholds[kind.area]:
            return
        # All else is done in the thread that writes.
        made_of, is_long = (time.time(), kind, event, current(), self._process), type(event) is ChatSaid
        if self._stream is not None:
            as_it_is = _event_json if self._is_json else _event_text
            self._stream.put(partial(as_it_is, *made_of), is_long=is_long)
        if self._file is not None:
            self._file.put(partial(_event_json, *made_of), is_long=is_long)

    def write(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        """A line that is no event: `fields` name its `logger`."""
        area = area_of(str(fields.get("logger", "")))
        if LEVELS[level] < self._thresholds[area]:
            return
        at, scope, process = time.time(), current(), self._process

        def in_json() -> bytes:
            return json_line(at, level, message, scoped({"area": area, **process, **fields}, scope))

        def in_text() -> bytes:
            return text_line(at, level, message, scoped({**process, **fields}, scope))

        if self._stream is not None:
            self._stream.put(in_json if self._is_json else in_text)
        if self._file is not None:
            self._file.put(in_json)

    def wants(self, record: logging.LogRecord) -> bool:
        return record.levelno >= self._library_thresholds[area_of(record.name)]

    def _file_failed(self, error: OSError) -> None:
        """Tells it in the stream. Called in the file's thread, once each time that it can't go on."""
        if self._stream is not None:
            at, said = time.time(), error.strerror or type(error).__name__
            fields = {**self._process, "path": error.filename, "message": said}
            line = (
                partial(json_line, at, "warning", _NOT_WRITTEN, {"area": "server", **fields})
                if self._is_json
                else partial(text_line, at, "warning", _NOT_WRITTEN, fields)
            )
            self._stream.put(line)

    async def aclose(self) -> None:
        """Writes what is queued, for two seconds at most, and gives the standard library's logging back."""
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level_before)
        writers = [writer for writer in (self._stream, self._file) if writer is not None]
        await asyncio.gather(*(asyncio.to_thread(each.close, _CLOSE_WITHIN_S) for each in writers))


class _Handler(logging.Handler):
    def __init__(self, log: LogTelemetry) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if not self._log.wants(record):
                return
            quotes = record.name.startswith(_QUOTES_REQUESTS)
            message = str(record.msg) if quotes else record.getMessage()
            fields: dict[str, Any] = {"logger": record.name}
            fields.update(record.__dict__.get("fields", {}))
            for name in _EXTRAS:
                if record.__dict__.get(name):
                    fields[name] = record.__dict__[name]
            if record.exc_info and record.exc_info[0] is not None:
                fields["error"] = record.exc_info[0].__name__
                fields["frames"] = _frames(record.exc_info[2])
            self._log.write(_level(record.levelno), message, fields)
        except (
            Exception
        ):  # logging's own rule: a line that can't be made must not reach the code that logged it
            LOG_DROPS.add()


def _standard(to: str) -> int:
    stream, usual = (sys.stdout, 1) if to == "stdout" else (sys.stderr, 2)
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):  # replaced by something without a descriptor
        return usual


def is_text(format: str, fd: int) -> bool:  # noqa: A002 - as above
    """Whether a person reads what is written there."""
    return format == "text" or (format == "auto" and os.isatty(fd))


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


def _frames(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace, limit=-_MAX_FRAMES)
    return " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )


def _event_json(
    at: float, kind: Kind, event: Event, scope: RequestScope | None, process: Mapping[str, Any]
) -> bytes:
    if type(event) is ChatAnswered:
        line = answered_line(at, kind, event, scope, process)
        if line is not None:
            return line
    fields = event_fields(event, scope, {"area": kind.area, **process})
    return json_line(at, kind.level, kind.message, fields)


def _event_text(
    at: float, kind: Kind, event: Event, scope: RequestScope | None, process: Mapping[str, Any]
) -> bytes:
    return text_line(at, kind.level, kind.message, event_fields(event, scope, {**process}))
