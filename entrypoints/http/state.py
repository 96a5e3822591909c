"""What handlers share: the application, and what the server knows of itself."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs
from aiohttp import web

from application.ports.clock import Clock
from domain.access import Caller
from domain.limits.fairness import LOOK_SHARE, Shares
from domain.limits.overload import OverloadGate
from entrypoints.application import Application
from entrypoints.http.caller_demands import CallerDemands
from entrypoints.http.cors import CORSPolicy
from entrypoints.http.problems import shutting_down

if TYPE_CHECKING:
    from entrypoints.http.shedding import Shedding

_LOOK_S: Final = 0.05


@attrs.define
class Generation:
    """The requests that came while one application was served."""

    in_flight: int = 0


@attrs.define(kw_only=True)
class ServerState:
    application: Application
    """The one that new requests are for. Ask for it anew in each request: it changes when the configuration does."""
    cors: CORSPolicy
    generation: Generation = attrs.field(factory=Generation)
    in_flight: int = 0
    """Requests being answered, those of operations aside."""
    shares: Shares = attrs.field(factory=Shares)
    """Whose they are, of routes that ask who calls."""
    demands: CallerDemands = attrs.field(factory=CallerDemands)
    """What their rate limits count them under."""
    ended: int = 0
    """Requests that were under way, ever."""
    refused: int = 0
    """Requests that were refused as too many, ever."""
    coming: int = 0
    """Requests that were read, and whose handlers have not begun: many may come in one turn of the loop."""
    placed: int = 0
    """Those of them that have a place in the shares."""
    shedding: "Shedding | None" = None
    """There while the app runs."""
    overload: OverloadGate = attrs.field(factory=OverloadGate)
    draining: bool = False
    """True from the signal to stop on: readiness fails, what is under way goes on."""
    chats: set["asyncio.Task[object]"] = attrs.field(factory=set)
    """The handlers that read a body or wait for a whole answer: `cut_at_the_end`."""
    is_cut: bool = False
    """True once the drain is over: what ends now is told `shutting_down`."""

    @property
    def load(self) -> int:
        """What is being answered, also for readers who have left, and what is about to be."""
        return self.in_flight + self.coming + self.application.live_answers.unread

    @property
    def capacity(self) -> float:
        """How many requests may be under way now."""
        return min(self.application.settings.server.max_in_flight, self.overload.limit)

    @property
    def is_full(self) -> bool:
        """Whether one more request is one too many."""
        return self.load >= self.capacity

    @property
    def is_pressed(self) -> bool:
        """Whether who comes has to be looked at before anything else."""
        overload, application = self.overload, self.application
        if overload.is_pressed:
            return True
        # `load` and `capacity`, which are calls: this is asked for each piece that comes.
        load = self.in_flight + self.coming + application.live_answers.unread
        return load >= min(application.settings.server.max_in_flight, overload.limit) * LOOK_SHARE

    def install(self, application: Application) -> Coroutine[None, None, None]:
        """From now on serves this one.

        Returns:
            What ends with the last request, answer and background task that began before.
        """
        ending, self.generation = self.generation, Generation()
        # How several processes are scraped is the command's own addition.
        self.application = attrs.evolve(application, scrape=self.application.scrape)
        self.cors = CORSPolicy(application.settings.server.cors_origins)
        tasks = application.live_answers.under_way() | application.background.under_way()
        return _ended(ending, tasks, application.clock)

    def cut(self) -> None:
        """Cancels the chats that were not done in time; they store what they have."""
        self.is_cut = True
        for chat in self.chats:
            chat.cancel()


async def _ended(generation: Generation, tasks: frozenset["asyncio.Task[None]"], clock: Clock) -> None:
    while generation.in_flight:
        await clock.sleep(_LOOK_S)
    if tasks:
        await asyncio.wait(tasks)


@contextmanager
def cancel_when_lost(request: web.Request) -> Iterator[None]:
    """Inside, the handler is cancelled as soon as its client is gone. Elsewhere it runs to its end.

    aiohttp can do this for all handlers or for none; for all, each chat would need a task of its own so as to
    outlive its caller.
    """
    connection: Any = request.protocol
    if not hasattr(connection, "cancels_handler"):  # a server that is not ours, as in aiohttp's test tools
        yield
        return
    connection.cancels_handler = True
    if request.transport is None:  # it went while the body was being read
        raise asyncio.CancelledError
    try:
        yield
    finally:
        connection.cancels_handler = False


class cut_at_the_end:  # noqa: N801 - used as a function; as a generator it would cost every chat twice as much
    """Inside, the end of the drain cancels the handler, whose caller is told `shutting_down`."""

    __slots__ = ("_handler", "_state")

    def __init__(self, state: ServerState) -> None:
        handler = asyncio.current_task()
        assert handler is not None  # noqa: S101 - a handler runs in a task
        self._state, self._handler = state, handler

    def __enter__(self) -> None:
        self._state.chats.add(self._handler)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._state.chats.discard(self._handler)
        if (
            isinstance(error, asyncio.CancelledError) and self._state.is_cut
        ):  # by the drain, not by the caller
            self._handler.uncancel()
            raise shutting_down() from None


STATE: Final = web.AppKey("state", ServerState)
ROUTE: Final = web.RequestKey("route", str)
"""The template that matched; never the path."""
REQUEST_ID: Final = web.RequestKey("request_id", str)
BROKEN_OFF: Final = web.RequestKey("broken_off", int)
"""Set where an answer that had begun was cut: the status that it counts as."""
CALLER: Final = web.RequestKey("caller", Caller)
"""Set on the routes that ask for a key."""
