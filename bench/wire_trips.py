"""A proxy before PostgreSQL that counts round trips: how often a client speaks after the server did."""

import contextlib
import socket
import threading
from collections.abc import Iterator
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
    with socket.create_server(("127.0.0.1", 0)) as listener:
        own_port = listener.getsockname()[1]
        counter = TripCounter(
            url=f"postgresql://{user}@127.0.0.1:{own_port}/{target['dbname']}?sslmode=disable&gssencmode=disable"
        )
        threading.Thread(
            target=_accept, args=(listener, host, port, counter), name="bench-trips", daemon=True
        ).start()
        yield counter


def _accept(listener: socket.socket, host: str, port: int, counter: TripCounter) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # the run is over
        server = _dial(host, port)
        spoke_last = threading.Event()  # set: the client did
        for source, sink, is_client in ((client, server, True), (server, client, False)):
            threading.Thread(
                target=_pump, args=(source, sink, counter, spoke_last, is_client), daemon=True
            ).start()


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
