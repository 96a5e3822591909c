"""The load generator: N keep-alive connections, each with one request under way, for a fixed time.

`python -m bench.load '{"port": …, …}'` prints what it measured as one line of JSON. Runs as its own process so that
its core can be chosen; costs about 20 µs of CPU a request.
"""

import asyncio
import json
import math
import re
import sys
import time
from array import array
from collections.abc import Sequence
from typing import cast

import attrs
import uvloop

from bench.payloads import ANSWER, Dialect, answer_in, request
from bench.processes import core_busy_s, cpu_s, run_apart

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CHUNK = re.compile(rb"([0-9a-fA-F]+)[^\r\n]*\r\n")
_SAMPLE_EVERY = 50
_SAMPLES = 200


@attrs.frozen(kw_only=True)
class Load:
    """What to send, for how long."""

    port: int
    dialect: Dialect
    stream: bool
    connections: int
    seconds: float
    warm_up_s: float
    gateway_pid: int
    gateway_core: int
    other_core: int
    key: str | None = None


@attrs.frozen(kw_only=True)
class Measured:
    """What came of it. Rates, latencies and CPU are of the time after the warm-up; counts are of all of it."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """CPU of the gateway's processes a request, in microseconds."""
    answers: int
    """All 200s, those of the warm-up too."""
    faults: tuple[str, ...]
    """What went wrong, one entry a kind."""
    other_core_busy: float
    """Share of the time, 0 to 1, in which the load's and the upstream's core had work."""
    gateway_core_foreign: float
    """Share of the gateway's core that went to something else: noise from the machine."""


class Recorder:
    def __init__(self, load: Load) -> None:
        self.load = load
        self.request = request(load.dialect, stream=load.stream, port=load.port, key=load.key)
        self.latencies_s = array("d")
        self.answers = 0
        self.faults: dict[str, int] = {}
        self.samples: list[bytes] = []
        self.measuring = False
        self.stopping = False
        self.open_connections = 0
        self.all_closed = asyncio.get_running_loop().create_future()

    def fault(self, kind: str) -> None:
        self.faults[kind] = self.faults.get(kind, 0) + 1


class Connection(asyncio.Protocol):
    """Sends, waits for the whole response, sends again. The response is framed by Content-Length or chunks."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._pending = b""
        self._end = -1  # where the response ends in `_pending`: -1 the head is not whole, -2 it is chunked
        self._sent_at = 0.0
        self._in_flight = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._recorder.open_connections += 1
        self._send()

    def _send(self) -> None:
        self._in_flight = True
        self._sent_at = time.perf_counter()
        self._transport.write(self._recorder.request)

    def data_received(self, data: bytes) -> None:
        if self._pending:
            data = self._pending + data
        if self._end == -1:
            head_end = data.find(b"\r\n\r\n")
            if head_end < 0:
                self._pending = data
                return
            length = _LENGTH.search(data, 0, head_end + 1)
            self._end = head_end + 4 + int(length[1]) if length else -2
        # Neither dialect's payload can hold this ending: their texts escape line breaks.
        if (len(data) >= self._end) if self._end >= 0 else data.endswith(b"\r\n0\r\n\r\n"):
            self._finished(data)
        else:
            self._pending = data

    def _finished(self, response: bytes) -> None:
        now = time.perf_counter()
        recorder = self._recorder
        if response.startswith(b"HTTP/1.1 200"):
            recorder.answers += 1
            if recorder.measuring:
                recorder.latencies_s.append(now - self._sent_at)
            if recorder.answers % _SAMPLE_EVERY == 1 and len(recorder.samples) < _SAMPLES:
                recorder.samples.append(response)
        else:
            recorder.fault(f"status {response[9:12].decode(errors='replace')}: {response[-300:]!r}")
            recorder.stopping = True
        self._pending = b""
        self._end = -1
        self._in_flight = False
        if recorder.stopping:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        recorder = self._recorder
        if self._in_flight:
            recorder.fault(f"connection lost before the answer: {exc!r}")
        elif not recorder.stopping:
            recorder.fault("connection closed between requests")
        recorder.open_connections -= 1
        if not recorder.open_connections and not recorder.all_closed.done():
            recorder.all_closed.set_result(None)


def body_of(response: bytes) -> bytes:
    """The payload of a whole HTTP/1.1 response, chunks joined."""
    head, _, body = response.partition(b"\r\n\r\n")
    if not _CHUNKED.search(head):
        return body
    joined, at = b"", 0
    while (size := _CHUNK.match(body, at)) and int(size[1], 16):
        joined += body[size.end() : size.end() + int(size[1], 16)]
        at = size.end() + int(size[1], 16) + 2
    return joined


def _check(recorder: Recorder) -> None:
    for sample in recorder.samples:
        try:
            text = answer_in(recorder.load.dialect, body_of(sample), stream=recorder.load.stream)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            recorder.fault(f"unreadable answer ({error!r}): {sample[-300:]!r}")
        else:
            if text != ANSWER:
                recorder.fault(f"wrong answer: {text[:200]!r}")


async def _run(load: Load) -> Measured:
    loop = asyncio.get_running_loop()
    recorder = Recorder(load)
    for _ in range(load.connections):
        await loop.create_connection(lambda: Connection(recorder), "127.0.0.1", load.port)
    await asyncio.wait({recorder.all_closed}, timeout=load.warm_up_s)

    recorder.measuring = True
    begin, cpu, other, gateway = (
        time.perf_counter(),
        cpu_s(load.gateway_pid),
        core_busy_s(load.other_core),
        core_busy_s(load.gateway_core),
    )
    await asyncio.wait({recorder.all_closed}, timeout=load.seconds)
    recorder.measuring = False
    took_s = time.perf_counter() - begin
    cpu, other, gateway = (
        cpu_s(load.gateway_pid) - cpu,
        core_busy_s(load.other_core) - other,
        core_busy_s(load.gateway_core) - gateway,
    )

    recorder.stopping = True
    await asyncio.wait({recorder.all_closed}, timeout=10)
    if recorder.open_connections:
        recorder.fault(f"{recorder.open_connections} requests without an answer for 10 s")
    _check(recorder)
    latencies = sorted(recorder.latencies_s)
    if not latencies:
        recorder.fault("no request was answered in the time measured")
    return Measured(
        requests_per_s=len(latencies) / took_s,
        p50_ms=percentile(latencies, 50) * 1e3,
        p99_ms=percentile(latencies, 99) * 1e3,
        cpu_us=cpu / len(latencies) * 1e6 if latencies else 0.0,
        answers=recorder.answers,
        faults=tuple(f"{count} × {kind}" for kind, count in recorder.faults.items()),
        other_core_busy=min(1.0, other / took_s),
        gateway_core_foreign=min(1.0, max(0.0, (gateway - cpu) / took_s)),
    )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0


def put(load: Load, *, core: int) -> Measured:
    """Runs the load in a process of its own on `core`.

    Raises:
        BenchFailure: any request failed or was answered wrongly.
    """
    return Measured(**run_apart("bench.load", attrs.asdict(load), core=core, what="the load generator"))


if __name__ == "__main__":
    print(json.dumps(attrs.asdict(uvloop.run(_run(Load(**json.loads(sys.argv[1])))))))
