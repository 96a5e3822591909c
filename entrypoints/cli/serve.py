"""`lor3 serve`: the HTTP API, in one process or several that share a port."""

import asyncio
import datetime
import errno
import gc
import json
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from entrypoints.cli.options import common, settings_from
from entrypoints.cli.output import say, warn
from entrypoints.cli.pid_file import pid_file
from entrypoints.cli.reloading import HangUp, reloading
from entrypoints.cli.worker_metrics import WorkerMetrics
from entrypoints.cli.worker_start import ParentLine, as_started, worker_arguments
from entrypoints.log_file import WARNING, log_file_warnings
from entrypoints.serving import Serving

if TYPE_CHECKING:
    from entrypoints.application import Application
    from entrypoints.settings import Settings

_log: Final = logging.getLogger("lor3.config")
_POLL_S: Final = 0.02
_ANNOUNCED: Final = "announced"
"""A file in the workers' folder: the supervisor has said where lor3 listens."""


@click.command(
    help="""Serve the HTTP API until SIGTERM or Ctrl-C, then finish what is under way.

Without API keys (`lor3 key create`) lor3 listens to this machine only. SIGHUP reads the configuration and the
prompt files again.

\b
Examples:
  lor3 serve
  lor3 serve --watch
  lor3 serve --port 8080 --workers 4 --config lor3.yaml
  lor3 serve --pid-file /run/lor3.pid
"""
)
@click.option("--host", help="The address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes a free one. [default: 3000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that share the port. [default: 1]")
@click.option("--watch", is_flag=True, help="Read the prompt files again when one of them changes.")
@click.option(
    "--pid-file",
    "pid_path",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where to write the process to send signals to, while it runs.",
)
@click.option(
    "--worker", type=int, hidden=True, help="The number of this one of several; its parent holds stdin open."
)
@click.option(
    "--meeting-place",
    type=click.Path(path_type=Path),
    hidden=True,
    help="The folder where workers find one another.",
)
@click.option(
    "--started-as",
    type=(str, int, int, int),
    hidden=True,
    help="Of a worker: host, port and workers as the supervisor was started with them, and the port it claimed.",
)
@common
def serve(
    host: str | None,
    port: int | None,
    workers: int | None,
    watch: bool,
    pid_path: Path | None,
    worker: int | None,
    meeting_place: Path | None,
    started_as: tuple[str, int, int, int] | None,
    config_path: Path | None,
    as_json: bool,
) -> int:
    hang_up = HangUp()
    _collect_rarely()
    flags = {
        "server.host": host,
        "server.port": port,
        "server.workers": workers,
        "prompts.watch": watch or None,
        "log.format": "json" if as_json else None,
    }
    read = partial(settings_from, config_path, flags)
    settings = read()
    options = {"--host": host, "--port": port, "--workers": workers}
    given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
    given += [*(["--watch"] if watch else []), *(["--json"] if as_json else [])]
    if worker is not None and started_as is not None:
        settings, port = as_started(settings, started_as)
        return _run(_serve_while_parent_lives(settings, read, worker, port, meeting_place, hang_up))
    warn((*settings.warnings, *log_file_warnings(settings)))
    with pid_file(pid_path):
        return _serve(settings, read, given, hang_up, as_json=as_json)


def _serve(
    settings: "Settings",
    read: "Callable[[], Settings]",
    given: list[str],
    hang_up: HangUp,
    *,
    as_json: bool,
) -> int:
    """
    Args:
        given: the options as they were written, for workers: what was not, their configuration may change.
    """
    if settings.server.workers > 1 and not settings.opens_without_keys:
        # Here, once: a worker that refuses would be started again and again.
        asyncio.run(_demand_keys(settings))
    with _claim(settings.server.host, settings.server.port) as claimed:
        port = claimed.getsockname()[1]
        if settings.server.workers > 1:
            from entrypoints.cli.supervisor import supervise

            with _meeting_place() as folder:
                return supervise(
                    arguments=worker_arguments(settings, port, given, folder),
                    workers=settings.server.workers,
                    grace_s=settings.server.drain_s + 15.0,
                    announce=_announce_when_up(
                        settings, port, partial(_note_announced, folder), as_json=as_json
                    ),
                    hang_up=hang_up,
                )
    return _run(_serve_announced(settings, read, port, hang_up, as_json=as_json))


async def _demand_keys(settings: "Settings") -> None:
    from entrypoints.bootstrap import open_store
    from entrypoints.exposure import demand_keys

    store = open_store(settings)
    try:
        await demand_keys(settings, store.keys, host=settings.server.host)
    finally:
        await store.aclose()


def _collect_rarely() -> None:
    """Lets garbage in cycles wait longer: a chat leaves next to none, and looking for it took a fifth of its CPU.

    The default looks after every 700 objects that stay, and then now and again at all 140,000 that a running
    server holds. Before the imports, because these hit the default hardest: 70 ms of a start.
    """
    gc.set_threshold(50_000, 20, 50)


def _claim(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not listening: proves that it is free, and keeps it ours.

    SO_REUSEPORT lets the workers bind beside it; the kernel gives connections to listening sockets only.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise click.ClickException(f"there is no address `{host}` on this machine; set --host") from error
    if port and _answers(family, address):
        raise click.ClickException(f"port {port} is in use; stop the other program or set --port")
    claimed = socket.socket(family, socket.SOCK_STREAM)
    try:
        claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            claimed.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        claimed.bind(address)
    except OSError as error:
        claimed.close()
        raise click.ClickException(
            f"can't listen on {host}:{port}: {error.strerror}; set --host or --port"
        ) from error
    return claimed


def _answers(family: int, address: object) -> bool:
    """Whether the port can't be had alone: binding without SO_REUSEPORT fails beside any listener."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)  # type: ignore[arg-type] # as getaddrinfo gave it
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


async def _announce_when_up(
    settings: "Settings", port: int, announced: Callable[[], object], *, as_json: bool
) -> None:
    """Once the port answers, one line with the URL on stdout; on stderr how to get more than the demo.

    Where the log is JSON on stdout too, the line is an object like the log's.

    Args:
        announced: called once the line is written, from a thread.
    """
    host = settings.server.host.strip("[]")
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    while True:
        try:
            _, writer = await asyncio.open_connection(reachable, port)
        except OSError:
            await asyncio.sleep(_POLL_S)
        else:
            writer.close()
            break
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    workers = settings.server.workers
    log = settings.log
    if as_json or (
        log.to == "stdout" and (log.format == "json" or (log.format == "auto" and not os.isatty(1)))
    ):
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = {"time": now, "level": "info", "event": "listening", "area": "server"}
        line = json.dumps({**said, "url": url, "workers": workers}, separators=(",", ":"))
    else:
        line = f"lor3 listens on {url}" + (f" with {workers} workers" if workers > 1 else "")
    _write_aside(f"{line}\n".encode(), announced)
    if set(settings.providers) == {"demo"}:
        say("only the demo answers; set OPENAI_API_KEY or ANTHROPIC_API_KEY for real answers")


def _write_aside(line: bytes, written: Callable[[], object]) -> None:
    """Writes to stdout without waiting: a pipe that nobody empties must not hold up the server (fault 81).

    A daemon thread, which nothing waits for at the end, and `os.write`, which takes no lock of a stream.
    """

    def write() -> None:
        try:
            os.write(1, line)
        except OSError as error:
            say(f"the address can't be written to stdout: {error.strerror or error}")
        finally:
            written()

    threading.Thread(target=write, name="lor3-announce", daemon=True).start()


def _note_announced(folder: str | None) -> None:
    """Lets the workers log."""
    if folder is not None:
        with suppress(
            OSError
        ):  # the folder is gone with the supervisor's end; workers wait half a minute at most
            (Path(folder) / _ANNOUNCED).touch()


@contextmanager
def _meeting_place() -> Iterator[str | None]:
    """A folder that only this user can enter; None where none can be made, such as on a read-only disk."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(TemporaryDirectory(prefix="lor3-", ignore_cleanup_errors=True))
        except OSError:
            say("there is no folder for temporary files, so /metrics shows one worker at a time; set TMPDIR")
            folder = None
        yield folder


def _log_warnings(settings: "Settings") -> None:
    """What was told on stderr, for whoever reads the log alone; not where both are one terminal."""
    log = settings.log
    if log.file is None and (log.to == "none" or os.isatty(1 if log.to == "stdout" else 2)):
        return
    for warning in (*settings.warnings, *log_file_warnings(settings)):
        _log.warning(WARNING, extra={"fields": {"message": warning}})


async def _serve_announced(
    settings: "Settings", read: "Callable[[], Settings]", port: int, hang_up: HangUp, *, as_json: bool
) -> None:
    announced = threading.Event()
    announcing = asyncio.create_task(_announce_when_up(settings, port, announced.set, as_json=as_json))
    try:
        async with _started(settings, Serving(may_log=announced.is_set)) as application:
            _log_warnings(settings)
            application.config_reloader.reads(read)
            with reloading(application, hang_up, watch=settings.prompts.watch):
                await _listen(application, port, reuse_port=False)
    finally:
        announcing.cancel()
        await asyncio.gather(announcing, return_exceptions=True)


async def _serve_while_parent_lives(
    settings: "Settings",
    read: "Callable[[], Settings]",
    number: int,
    port: int,
    folder: Path | None,
    hang_up: HangUp,
) -> None:
    """Serves; where the parent dies without a word, its end of our stdin closes and we drain and stop."""
    line = ParentLine()
    asyncio.get_running_loop().add_reader(0, line.read)
    may_log = None if folder is None else (folder / _ANNOUNCED).exists
    serving = Serving(worker=number, may_log=may_log)
    async with _started(settings, serving) as application, AsyncExitStack() as stack:
        if number == 0:
            _log_warnings(settings)
        if folder is not None:
            metrics = WorkerMetrics(
                folder=folder,
                slot=number,
                workers=settings.server.workers,
                own=application.metrics,
            )
            await stack.enter_async_context(metrics.shared())
            application = attrs.evolve(application, scrape=metrics.scrape)
        application.config_reloader.reads(read)
        line.listen(application.config_reloader.reload)
        with reloading(application, hang_up, watch=settings.prompts.watch):
            await _listen(application, port, reuse_port=True)


@asynccontextmanager
async def _started(settings: "Settings", serving: Serving) -> "AsyncIterator[Application]":
    from entrypoints.bootstrap import running

    async with running(settings, serving=serving) as application:
        # What start-up made stays as long as the process: no collection needs to look at it again.
        gc.collect()
        gc.freeze()
        application.housekeeper.start()
        yield application


async def _listen(application: "Application", port: int, *, reuse_port: bool) -> None:
    from entrypoints.http.server import serve as serve_http

    host = application.settings.server.host
    await serve_http(application, host=host, port=port, reuse_port=reuse_port)


def _run(serving: Coroutine[Any, Any, None]) -> int:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serving)
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop  # uvloop is not to be had everywhere; asyncio's own loop serves as well
    return uvloop.new_event_loop
