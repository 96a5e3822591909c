"""The structured log."""

import asyncio
import logging
import os
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

import attrs

from adapters.telemetry.drop_count import LOG_DROPS
from adapters.telemetry.log_line import json_line, text_line
from adapters.telemetry.log_writer import LogWriter
from domain.telemetry import (
    AttemptEnded,
    BreakerMoved,
    ChatAnswered,
    ChatLost,
    ChatRefused,
    ChatReplayed,
    Event,
    FallbackTaken,
    ModelMisconfigured,
    PromptFilesRead,
    RequestServed,
    StorePruned,
)

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_EVENTS: Final[Mapping[type, tuple[str, str]]] = {
    AttemptEnded: ("debug", "attempt ended"),
    FallbackTaken: ("warning", "fell back"),
    ChatAnswered: ("info", "chat answered"),
    ChatReplayed: ("info", "chat replayed"),
    ChatRefused: ("warning", "chat refused"),
    ChatLost: ("error", "paid chat not stored"),
    BreakerMoved: ("warning", "breaker moved"),
    ModelMisconfigured: ("error", "provider needs attention"),
    PromptFilesRead: ("info", "prompt files read"),
    StorePruned: ("info", "store pruned"),
    RequestServed: ("info", "request served"),
}
_QUOTES_REQUESTS: Final = ("aiohttp.server", "aiohttp.access", "aiohttp.web")
"""Loggers that quote what a client sent, credentials included: only their message's template is logged."""
_NAMES: Final[dict[type, tuple[str, ...]]] = {}
"""Of each event's fields."""
_CLOSE_WITHIN_S: Final = 2.0
_MAX_FRAMES: Final = 20


class LogTelemetry:
    """One line an event on standard error: JSON, or text where a person reads along.

    Holds what the events hold: ids, numbers, names of models; never a prompt, an answer or a key. Making one also
    sends the standard library's logging through it, in the same shape; of an exception there come its type and
    its frames, not its message, which may quote anything. `aclose` undoes that and flushes.
    """

    def __init__(
        self,
        level: Literal["debug", "info", "warning", "error"] = "info",
        format: Literal["auto", "json", "text"] = "auto",  # noqa: A002 - named as in the settings
        *,
        fd: int | None = None,
    ) -> None:
        fd = _standard_error() if fd is None else fd
        self._threshold = _LEVELS[level]
        self._line = text_line if format == "text" or (format == "auto" and os.isatty(fd)) else json_line
        self._writer = LogWriter(fd)
        self._handler = _Handler(self)
        root = logging.getLogger()
        self._level_before = root.level
        root.addHandler(self._handler)
        # Libraries tell of their every step at `info` (alembic), and quote bodies at `debug`.
        root.setLevel(logging.INFO if level == "debug" else max(self._threshold, logging.WARNING))

    def emit(self, event: Event) -> None:
        level, message = _EVENTS.get(type(event), ("info", type(event).__name__))
        if isinstance(event, AttemptEnded) and event.outcome != "ok":
            level = "warning"
        elif isinstance(event, RequestServed) and event.route == "/chat" and event.status < 400:
            level = "debug"  # "chat answered" has said it, with more
        elif isinstance(event, PromptFilesRead) and (event.broken or event.diverged):
            level = "warning"
        if _LEVELS[level] >= self._threshold:
            at = time.time()
            self._writer.put(lambda: self._line(at, level, message, _fields(event)))

    def write(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        """A line that is no event."""
        if _LEVELS[level] >= self._threshold:
            at = time.time()
            self._writer.put(lambda: self._line(at, level, message, fields))

    async def aclose(self) -> None:
        """Writes what is queued, for two seconds at most, and gives the standard library's logging back."""
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level_before)
        await asyncio.to_thread(self._writer.close, _CLOSE_WITHIN_S)


class _Handler(logging.Handler):
    def __init__(self, log: LogTelemetry) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            quotes = record.name.startswith(_QUOTES_REQUESTS)
            message = str(record.msg) if quotes else record.getMessage()
            fields: dict[str, Any] = {"logger": record.name}
            if record.exc_info and record.exc_info[0] is not None:
                fields["error"] = record.exc_info[0].__name__
                fields["frames"] = _frames(record.exc_info[2])
            self._log.write(_level(record.levelno), message, fields)
        except (
            Exception
        ):  # logging's own rule: a line that can't be made must not reach the code that logged it
            LOG_DROPS.add()


def _standard_error() -> int:
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # replaced by something without a descriptor
        return 2


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


def _fields(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    kind = type(event)
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(field.name for field in attrs.fields(kind))
    for name in names:
        value = getattr(event, name)
        if name == "usage":
            fields["input_tokens"] = value.input_tokens
            fields["output_tokens"] = value.output_tokens
            fields["estimated"] = value.estimated or None
        else:
            fields[name] = value
    return fields
