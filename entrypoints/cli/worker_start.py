"""How a supervisor starts a worker, and what it tells it afterwards."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from entrypoints.settings import Settings


def worker_arguments(settings: "Settings", port: int, given: list[str], folder: str | None) -> list[str]:
    """What a worker is started with; its number follows.

    The file is named, also where it was found: a worker that starts while it is gone must not go by defaults.
    """
    server = settings.server
    config = ["--config", settings.source] if settings.source else []
    place = ["--meeting-place", folder] if folder else []
    started_as = ["--started-as", server.host, str(server.port), str(server.workers), str(port)]
    return ["serve", *given, *config, *place, *started_as, "--worker"]


def as_started(settings: "Settings", started_as: tuple[str, int, int, int]) -> "tuple[Settings, int]":
    """A worker's settings with what its supervisor can't change, and the port that it claimed.

    What the worker reads may say something else, at a reload and when it replaces another one: then a restart is
    needed, and the reload says so.
    """
    host, port, workers, claimed = started_as
    server = attrs.evolve(settings.server, host=host, port=port, workers=workers)
    return attrs.evolve(settings, server=server), claimed


@attrs.define
class ParentLine:
    """What comes over stdin from the supervisor: any byte asks for a reload, its end for our own.

    Bytes rather than SIGHUP, which would end a worker that is still about to start.
    """

    _asked: bool = False
    _reload: Callable[[], None] | None = None

    def listen(self, reload: Callable[[], None]) -> None:
        """From now on calls `reload`, once at once where it was asked for already."""
        self._reload = reload
        if self._asked:
            reload()

    def read(self) -> None:
        if os.read(0, 1024) == b"":
            asyncio.get_running_loop().remove_reader(0)
            os.kill(os.getpid(), signal.SIGTERM)
        elif self._reload is not None:
            self._reload()
        else:
            self._asked = True
