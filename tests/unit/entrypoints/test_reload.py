"""What a reload takes, what it leaves, and how it tells."""

import asyncio
import logging
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from domain.errors import ConfigurationError, Fault
from domain.secret import Secret
from domain.telemetry import ConfigReloaded, Event
from entrypoints.configuration.load import load_settings
from entrypoints.log_file import WARNING
from entrypoints.reload import NEEDS_RESTART, NOT_TAKEN, ConfigReloader, Successor, needs_restart
from entrypoints.settings import (
    LogFileSettings,
    LogSettings,
    OTLPSettings,
    RedisSettings,
    Settings,
    TelemetrySettings,
)

OPTIONAL: dict[str, dict[str, Any]] = {
    "log.file": {"log": LogSettings(file=LogFileSettings(path="lor3.log"))},
    "telemetry.otlp": {"telemetry": TelemetrySettings(otlp=OTLPSettings(endpoint="http://127.0.0.1:4318"))},
    "telemetry.metrics_port": {"telemetry": TelemetrySettings(metrics_port=9464)},
    "redis.url": {"redis": RedisSettings(url=Secret("redis://127.0.0.1"))},
}


@pytest.fixture
def plain(tmp_path: Any) -> Settings:
    return load_settings(config_path=None, environ={}, cwd=tmp_path)


@pytest.mark.parametrize("path", OPTIONAL)
def test_optional_section_may_come_and_go(plain: Settings, path: str) -> None:
    """It is named as one that needs a restart, whichever side has it."""
    with_it = attrs.evolve(plain, **OPTIONAL[path])

    assert needs_restart(plain, with_it) == (path,)
    assert needs_restart(with_it, plain) == (path,)
    assert needs_restart(with_it, with_it) == ()


class Told:
    """A telemetry that keeps what it is told, and a host that takes what it gets."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.installed = 0

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def install(self, application: Any) -> Awaitable[None]:
        self.installed += 1
        return asyncio.sleep(0)

    def reload(self) -> None:
        """Of prompts."""


async def reloaded(plain: Settings, read: Any, *, take_over: Any = lambda: None) -> Told:
    told = Told()

    async def retire(ended: Awaitable[None]) -> None:
        await ended

    def succeed(settings: Settings) -> Successor:
        return Successor(application=SimpleNamespace(), take_over=take_over, retire=retire)  # type: ignore[arg-type] # nobody looks

    reloader = ConfigReloader(started_with=plain, succeed=succeed, prompts=told, telemetry=told)  # type: ignore[arg-type] # as above
    reloader.reads(read)
    reloader.serves(told)
    reloader.reload()
    async with asyncio.timeout(30):
        while not reloader.readings:  # noqa: ASYNC110 - a server has no need of an event
            await asyncio.sleep(0.001)
    await reloader.aclose()
    return told


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    return [
        (each.getMessage(), each.__dict__["fields"]) for each in caplog.records if each.name == "lor3.config"
    ]


async def test_each_fault_is_one_line_with_fields(plain: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """The event is constant, so that it can be searched for and alerted on."""

    def read() -> Settings:
        raise ConfigurationError.of(
            Fault(path="prices.x", message="is wrong (lor3.yaml, line 3)", line=3),
            Fault(path="", message="so"),
        )

    told = await reloaded(plain, read)

    assert lines(caplog) == [
        (NOT_TAKEN, {"path": "prices.x", "message": "is wrong (lor3.yaml, line 3)", "line": 3}),
        (NOT_TAKEN, {"path": None, "message": "so", "line": None}),
    ]
    assert told.events == [ConfigReloaded(ok=False, faults=2)]
    assert told.installed == 0


@pytest.mark.parametrize("where", ["read", "take_over"])
async def test_unexpected_fault_says_what_to_do(
    where: str, plain: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A plugin may raise anything; the next reload is tried all the same."""

    def fails() -> Any:
        raise AttributeError("secret")

    told = await reloaded(
        plain, fails if where == "read" else lambda: plain, take_over=fails if where == "take_over" else print
    )
    [(event, fields)] = lines(caplog)

    assert event == NOT_TAKEN
    assert "lor3 config check" in fields["message"]
    assert "secret" not in fields["message"]
    assert told.events == [ConfigReloaded(ok=False, faults=1)]
    assert told.installed == 0


async def test_warnings_and_what_needs_a_restart_are_told_alike(
    plain: Settings, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    """A log file whose folder is not there is among them."""
    caplog.set_level(logging.WARNING)
    changed = attrs.evolve(
        plain,
        warnings=("mind",),
        log=LogSettings(file=LogFileSettings(path=str(tmp_path / "no" / "lor3.log"))),
    )
    told = await reloaded(plain, lambda: changed)
    first, second, third = lines(caplog)

    assert first == (WARNING, {"message": "mind"})
    assert (second[0], f"the folder `{tmp_path / 'no'}` is not there" in second[1]["message"]) == (
        WARNING,
        True,
    )
    assert (third[0], third[1]["path"]) == (NEEDS_RESTART, "log.file")
    assert told.installed == 1
