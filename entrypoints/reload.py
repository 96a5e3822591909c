"""A configuration that is read again while the server runs: taken as a whole, or not at all."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

import attrs

from application.ports.telemetry import Telemetry
from domain.errors import ConfigurationError, Fault
from domain.telemetry import ConfigReloaded
from domain.values import frozen
from entrypoints.log_file import WARNING, log_file_warnings
from entrypoints.prompt_reloader import PromptReloader
from entrypoints.reload_refusals import demand_file, demand_sense
from entrypoints.settings import Settings

if TYPE_CHECKING:
    from entrypoints.application import Application

LOCKED: Final = (
    "server.host",
    "server.port",
    "server.workers",
    "database",
    "redis",
    "threads",
    "log.format",
    "log.to",
    "log.file",
    "log.content",
    "telemetry",
    "prompts.watch",
)
"""Settings, and groups of them, that count from the next start on: sockets, connections, and what queues stand on."""

NOT_TAKEN: Final = "configuration not taken, the old one stays"
"""The event of each fault: with `path`, `message` and `line`."""
NEEDS_RESTART: Final = "setting counts from the next start on"
_RESTART: Final = "has changed; restart lor3 for it to count"
_UNEXPECTED: Final = "an unexpected fault; run `lor3 config check`, and if that finds nothing, restart lor3 and report this line"
_log: Final = logging.getLogger("lor3.config")


@frozen(kw_only=True)
class Successor:
    """An application with other settings, on what of the one before it lasts: its store, its log, its answers."""

    application: "Application"
    take_over: Callable[[], None]
    """Points what lasts at what is new. Never raises, and waits for nothing."""
    retire: Callable[[Awaitable[None]], Awaitable[None]]
    """Closes what the one before it alone used, once the awaitable says that its requests are done."""


class Host(Protocol):
    """Whoever serves the application."""

    def install(self, application: "Application") -> Awaitable[None]:
        """From now on serves this one; the awaitable ends with the last request that came before."""


@attrs.define(kw_only=True)
class ConfigReloader:
    """Owns the one task that reloads, so that two reloads never run at a time.

    A configuration that is faulty changes nothing: each fault is logged as an error with its path, and all goes on
    with the one before. A good one counts for all requests that come from then on; those under way end with the
    settings, the providers and the prices that they began with.
    """

    _started_with: Settings
    _succeed: Callable[[Settings], Successor]
    """
    Raises:
        ConfigurationError: the settings name a plugin that is not there, or one refuses them. Nothing has changed.
    """
    _prompts: PromptReloader
    _telemetry: Telemetry
    readings: int = attrs.field(default=0, init=False)
    """How often the configuration was read again, and taken or refused."""
    _read: Callable[[], Settings] | None = attrs.field(default=None, init=False)
    _host: Host | None = attrs.field(default=None, init=False)
    _was_early: bool = attrs.field(default=False, init=False)
    """Whether a reload was asked for while nobody served yet."""
    _asked: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _taken: Settings = attrs.field(init=False)
    """As they were read last, and counted."""
    _worker: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _retiring: set[asyncio.Future[None]] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._taken = self._started_with

    def reads(self, read: Callable[[], Settings]) -> None:
        """
        Args:
            read: gives the settings as they are now, or raises a ConfigurationError; called in a thread. Without
                one only the prompt files are read again.
        """
        self._read = read

    def serves(self, host: Host) -> None:
        """`host` is told of each new application. Without one nothing is reloaded but prompt files."""
        self._host = host
        if self._was_early:
            self.reload()

    def reload(self) -> None:
        """Asks for another reading, of the prompt files too, and returns at once."""
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work(), name="configuration reload")
        self._asked.set()

    async def aclose(self) -> None:
        """Ends what is under way; providers that were still to be closed are closed now."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        for each in self._retiring:
            each.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._attempt()
            self.readings += 1
            self._prompts.reload()

    async def _attempt(self) -> None:
        if self._read is None:
            return
        if self._host is None:
            self._was_early = True
            return
        try:
            await self._take(self._read, self._host)
        except ConfigurationError as error:
            self._refused(error.faults or (Fault(path="", message=error.detail),))
        except Exception as error:  # a plugin may raise anything, and chats must go on
            self._refused((Fault(path="", message=_UNEXPECTED),), cause=error)

    async def _take(self, read: Callable[[], Settings], host: Host) -> None:
        """
        Raises:
            ConfigurationError: as `_succeed`; or the configuration is none that a running server should take.
        """
        demand_file(self._taken)
        settings = await asyncio.to_thread(read)
        demand_sense(self._taken, settings)
        locked = needs_restart(self._started_with, settings)
        warnings = (*settings.warnings, *await asyncio.to_thread(log_file_warnings, settings))
        successor = self._succeed(with_locked(settings, self._started_with))
        successor.take_over()
        ended = host.install(successor.application)
        self._taken = settings
        retiring = asyncio.ensure_future(_retired(successor, ended))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)
        for warning in warnings:
            _log.warning(WARNING, extra={"fields": {"message": warning}})
        for path in locked:
            _log.warning(NEEDS_RESTART, extra={"fields": {"path": path, "message": _RESTART}})
        self._telemetry.emit(ConfigReloaded(ok=True, faults=0, needs_restart=locked))

    def _refused(self, faults: tuple[Fault, ...], *, cause: Exception | None = None) -> None:
        for fault in faults:
            fields = {"path": fault.path or None, "message": fault.message, "line": fault.line}
            _log.error(NOT_TAKEN, exc_info=cause, extra={"fields": fields})
        self._telemetry.emit(ConfigReloaded(ok=False, faults=len(faults)))


async def _retired(successor: Successor, ended: Awaitable[None]) -> None:
    await successor.retire(ended)
    del successor
    gc.collect()  # a server collects rarely, and a wiring is full of cycles


def needs_restart(started_with: Settings, settings: Settings) -> tuple[str, ...]:
    """The paths of `LOCKED` whose value is another one now."""
    changed: list[str] = []
    for path in LOCKED:
        old, new = _at(started_with, path), _at(settings, path)
        if old == new:
            continue
        kind: type = type(old)
        if attrs.has(kind) and type(new) is kind:  # an optional section may be on one side alone
            names = [field.name for field in attrs.fields(kind)]
            changed += [f"{path}.{name}" for name in names if getattr(old, name) != getattr(new, name)]
        else:
            changed.append(path)
    if settings.server.drain_s != started_with.server.drain_s and started_with.server.workers > 1:
        changed.append(
            "server.drain_s"
        )  # the supervisor holds the clock, and has its settings from the start
    return tuple(changed)


def with_locked(settings: Settings, started_with: Settings) -> Settings:
    """`settings`, with what can't change as the process has it."""
    for path in LOCKED:
        group, _, name = path.partition(".")
        value = getattr(started_with, group)
        if name:
            value = attrs.evolve(getattr(settings, group), **{name: getattr(value, name)})
        settings = attrs.evolve(settings, **{group: value})
    return settings


def _at(settings: Settings, path: str) -> object:
    found: object = settings
    for name in path.split("."):
        found = getattr(found, name)
    return found
