"""Listens, and stops in order."""

import asyncio
import signal

from aiohttp import http_parser

from domain.errors import ConfigurationError, Fault
from domain.telemetry import ServerStopping
from entrypoints.application import Application
from entrypoints.exposure import demand_keys
from entrypoints.http.app import create_app
from entrypoints.http.listening import listening
from entrypoints.http.metrics_port import metrics_served
from entrypoints.http.problems import cut_short, shutting_down
from entrypoints.http.runner import Runner
from entrypoints.http.state import STATE, ServerState


async def serve(application: Application, *, host: str, port: int, reuse_port: bool = False) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way within `server.drain_s`.

    From the signal on readiness fails and new chats get 503 `shutting_down`; a second signal ends the wait.

    Raises:
        ConfigurationError: aiohttp lacks its C parser, or the host is not loopback while there are no keys.
        OSError: the address can't be listened on.
    """
    settings = application.settings
    check_parser()
    await demand_keys(settings, application.store.keys, host=host)
    await application.key_ring.start()
    app = create_app(application)
    state = app[STATE]
    application.config_reloader.serves(state)
    stop, hurry = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    loop = asyncio.get_running_loop()
    runner = Runner(app)
    await runner.setup()
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, signalled)
        async with (
            metrics_served(state, reuse_port=reuse_port),
            listening(runner, host, port, reuse_port=reuse_port),
        ):
            await stop.wait()
            state.draining = True
            drain_s = state.application.settings.server.drain_s
            application.telemetry.emit(
                ServerStopping(under_way=state.load + runner.writing(), drain_s=drain_s)
            )
            runner.stop_lingering()
            await _drained(state, runner, hurry, within_s=drain_s)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await runner.cleanup()


def check_parser() -> None:
    """Refuses the parser in Python, which is slow and more lenient, and so open to request smuggling.

    Raises:
        ConfigurationError: it is the one that aiohttp would use.
    """
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise ConfigurationError.of(
            Fault(
                path="",
                message="aiohttp runs without its C parser; install its binary wheel and unset AIOHTTP_NO_EXTENSIONS",
            )
        )


async def _drained(state: ServerState, runner: Runner, hurry: asyncio.Event, *, within_s: float) -> None:
    """Waits until nothing is under way, nor on its way to a reader; what is not done then is cut.

    With `shutting_down`, unless the answer itself was there and is not read.
    """
    clock, answers = state.application.clock, state.application.live_answers
    end = clock.monotonic() + within_s
    while state.in_flight or not answers.is_idle or runner.writing():
        if hurry.is_set() or clock.monotonic() >= end:
            runner.cut_writing()
            state.cut()
            state.application.follow_answer.cut(shutting_down())
            await answers.drain(within_s=0, because=cut_short())
            return
        await clock.sleep(0.02)
