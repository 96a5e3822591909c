"""A proxy before PostgreSQL that counts round trips: how often a client speaks after the server did."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import attrs
from psycopg.conninfo import conninfo_to_dict

_DEFAULT_PORT: Final = 5432


@attrs.define
class TripCounter:
    """Trips of all connections since the start."""

    url: str
    """Where the database is reached through the proxy."""
    trips: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def count(self) -> None:
        with self._lock:
            self.trips += 1


@contextlib.contextmanager
def counting(url: str) -> Iterator[TripCounter]:
    """A proxy to the database at `url`, over TCP or a Unix socket. Connections end with it."""
    target = conninfo_to_dict(url)
    host, port = str(target.get("host") or "127.0.0.1"), int(target.get("port") or _DEFAULT_PORT)
    user = f"{target['user']}:{target['password']}" if target.get("password") else str(target.get("user", ""))
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        own_port = listener.getsockname()[1]
        counter = TripCounter(
            url=f"postgresql://{user}@127.0.0.1:{own_port}/{target['dbname']}?sslmode=disable&gssencmode=disable"
        )
        proxy = _Proxy(listener=listener, dial=partial(_dial, host, port), counter=counter)
        accepting = threading.Thread(target=proxy.accept, name="bench-trips")
        accepting.start()
        try:
            yield counter
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # closing it would not wake whoever accepts
            accepting.join()
            proxy.close()


@attrs.define(kw_only=True)
class _Proxy:
    listener: socket.socket
    dial: Callable[[], socket.socket]
    counter: TripCounter
    _sockets: list[socket.socket] = attrs.field(factory=list)
    _pumps: list[threading.Thread] = attrs.field(factory=list)

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # the run is over
            server = self.dial()
            self._sockets += [client, server]
            spoke_last = threading.Event()  # set: the client did
            for source, sink, is_client in ((client, server, True), (server, client, False)):
                pump = threading.Thread(
                    target=_pump, args=(source, sink, self.counter, spoke_last, is_client)
                )
                pump.start()
                self._pumps.append(pump)

    def close(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for pump in self._pumps:
            pump.join()
        for each in self._sockets:
            each.close()


def _dial(host: str, port: int) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(str(Path(host) / f".s.PGSQL.{port}"))
    return server


def _pump(
    source: socket.socket,
    sink: socket.socket,
    counter: TripCounter,
    spoke_last: threading.Event,
    is_client: bool,
) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if not is_client:
                spoke_last.clear()
            elif not spoke_last.is_set():
                spoke_last.set()
                counter.count()
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
