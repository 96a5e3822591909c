"""The load of streamed answers with a plan (`bench/play.py`): many at a time, each piece's lateness recorded.

`python -m bench.stream_load '{"port": …, …}'` prints what it measured as one line of JSON. Either it keeps streams coming
for a fixed time, or it opens all of them, lets them wait and looks at the gateway's memory meanwhile.
"""

import asyncio
import json
import re
import socket
import statistics
import sys
import time
from array import array
from typing import Final, cast

import attrs
import uvloop

from bench.load import body_of, percentile
from bench.payloads import Dialect, answer_in, request
from bench.play import STAMP, Plan, now_us
from bench.processes import core_busy_s, cpu_s, rss_mb, run_apart

_HEAD_END: Final = b"\r\n\r\n"
_BODY_END: Final = b"\r\n0\r\n\r\n"
_FRAMING: Final = re.compile(rb"\r\n[0-9a-fA-F]+\r\n")
"""Of HTTP, between two chunks."""
_LAST_EVENT: Final = b"event: done"
_SAMPLE_EVERY: Final = 25
_SMALL_BUFFER: Final = 4096
"""Of the kernel, for a reader that stops: what it holds is no cost of the gateway's process."""
_WARM: Final = 16
"""Streams before the memory of others is measured: what is made once for all is not theirs."""
_SHORT: Final = Plan(pieces=1, held=True)
"""Theirs: what they leave free is next to nothing."""
_END_S: Final = 120.0
"""For all streams to end, once they may."""


@attrs.frozen(kw_only=True)
class StreamLoad:
    """What to ask for, how often, and whether to read it."""

    port: int
    dialect: Dialect
    plan: Plan
    streams: int
    """At a time."""
    ramp_s: float
    """Over which their starts are spread."""
    seconds: float
    """That are measured; where the plan is held, how long they wait."""
    stops_reading: bool = False
    """After the first bytes of the body, until the streams may end."""
    upstream_port: int
    gateway_pid: int
    gateway_core: int
    other_core: int
    key: str | None = None


@attrs.frozen(kw_only=True)
class StreamsMeasured:
    """What came of it. All but `answers` is of the time measured."""

    answers: int
    """Whole streams, those outside of the time measured too."""
    faults: tuple[str, ...]
    streams_per_s: float
    """Of pieces that came, divided by those of one stream."""
    cpu_us: float
    """CPU of the gateway's processes a stream, in microseconds."""
    gateway_busy: float
    """Share of the gateway's core that the gateway had, 0 to 1."""
    first_byte_ms: float
    """p50, from the request to the first byte of the body."""
    late_p50_ms: float
    late_p99_ms: float
    """Of all pieces, against the upstream's schedule."""
    worst_stream_ms: float
    """The p99 of the stream whose p99 is the highest."""
    memory_kib: float
    """By which the gateway grew, a stream; 0 where the plan is not held."""
    other_core_busy: float
    gateway_core_foreign: float


class Recorder:
    def __init__(self, load: StreamLoad) -> None:
        self.load = load
        self.request = request(load.dialect, stream=True, port=load.port, ask=load.plan.asked(), key=load.key)
        self.first_bytes_s = array("d")
        self.late_us: list[array[int]] = []
        self.pieces = 0
        self.answers = 0
        self.begun = 0
        self.faults: dict[str, int] = {}
        self.samples: list[bytes] = []
        self.measuring = False
        self.stopping = load.plan.held
        self.open_streams: set[Stream] = set()

    def fault(self, kind: str) -> None:
        self.faults[kind] = self.faults.get(kind, 0) + 1


class Stream(asyncio.Protocol):
    """One connection: a stream after the other on it."""

    def __init__(self, recorder: Recorder, late_us: "array[int]") -> None:
        self._recorder = recorder
        self._late_us = late_us
        self._transport: asyncio.Transport | None = None
        self._tail = b""
        """What came after the last event's end."""
        self._end = b""
        """The last bytes that came."""
        self._in_body = False
        self._is_repeated = False
        self._pieces = 0
        self._sent_at = 0.0
        self._kept: list[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._recorder.open_streams.add(self)
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        self._tail = self._end = b""
        self._in_body = self._is_repeated = False
        self._pieces = 0
        self._kept = [] if self._recorder.begun % _SAMPLE_EVERY == 0 else None
        self._recorder.begun += 1
        self._sent_at = time.perf_counter()
        self._transport.write(self._recorder.request)

    def go_on(self) -> None:
        if self._recorder.load.stops_reading and self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        now = now_us()
        if self._kept is not None:
            self._kept.append(data)
        self._end = (self._end + data[-7:])[-7:]
        if self._tail:
            data = self._tail + data
        if not self._in_body and not self._begun(data):
            self._tail = data
            return
        if b"\r\n" in data:  # a proxy that looks at nothing cuts events wherever its reads end
            data = _FRAMING.sub(b"", data)
        cut = data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
        self._tail = data[cut:]
        stamps = STAMP.findall(data, 0, self._said_until(data, cut))
        self._pieces += len(stamps)
        if stamps and self._recorder.measuring:
            self._recorder.pieces += len(stamps)
            self._late_us.extend([now - int(stamp) for stamp in stamps])
        if self._end == _BODY_END:
            self._finished()

    def _said_until(self, data: bytes, cut: int) -> int:
        """Where lor3 begins to repeat the whole answer, in its last event."""
        if self._is_repeated:
            return 0
        last = data.find(_LAST_EVENT, 0, cut)
        if last < 0:
            return cut
        self._is_repeated = True
        return last

    def _begun(self, data: bytes) -> bool:
        """Whether something of the body is there."""
        head_end = data.find(_HEAD_END)
        recorder = self._recorder
        if head_end >= 0 and not data.startswith(b"HTTP/1.1 200"):
            recorder.fault(f"status {data[9:12].decode(errors='replace')}: {data[-300:]!r}")
        if head_end < 0 or len(data) == head_end + len(_HEAD_END):
            return False
        self._in_body = True
        if recorder.measuring:
            recorder.first_bytes_s.append(time.perf_counter() - self._sent_at)
        if recorder.load.stops_reading and self._transport is not None:
            self._transport.pause_reading()
        return True

    def _finished(self) -> None:
        recorder = self._recorder
        asked = recorder.load.plan.pieces
        if self._pieces != asked:
            recorder.fault(f"a stream of {self._pieces} pieces instead of {asked}")
        recorder.answers += 1
        if self._kept is not None:
            recorder.samples.append(b"".join(self._kept))
        if recorder.stopping:
            self._in_body = False
            self._close()
        else:
            self._send()

    def _close(self) -> None:
        transport, self._transport = self._transport, None
        self._recorder.open_streams.discard(self)
        if transport is not None:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._recorder.fault(f"connection lost before the answer's end: {exc!r}")
            self._close()

    @property
    def has_begun(self) -> bool:
        return self._in_body

    @property
    def has_all(self) -> bool:
        return self._pieces >= self._recorder.load.plan.pieces


@attrs.define
class _Look:
    """At the processes, at one moment."""

    at: float
    cpu_s: float
    other_s: float
    gateway_s: float

    @classmethod
    def now(cls, load: StreamLoad) -> "_Look":
        return cls(
            time.perf_counter(),
            cpu_s(load.gateway_pid),
            core_busy_s(load.other_core),
            core_busy_s(load.gateway_core),
        )


async def _open(recorder: Recorder, streams: int) -> None:
    """Opens that many, spread over the ramp."""
    loop, load = asyncio.get_running_loop(), recorder.load
    began = loop.time()
    for number in range(streams):
        await asyncio.sleep(max(0.0, began + load.ramp_s * number / streams - loop.time()))
        late_us = array("q")
        recorder.late_us.append(late_us)
        connection = socket.socket()
        if load.stops_reading:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", load.port))
        stream = Stream(recorder, late_us)
        await loop.create_connection(lambda stream=stream: stream, sock=connection)  # type: ignore[misc]


async def _all_ended(recorder: Recorder) -> None:
    give_up = time.monotonic() + _END_S
    while recorder.open_streams and not recorder.faults:
        if time.monotonic() > give_up:
            recorder.fault(f"{len(recorder.open_streams)} streams without an end for {_END_S:.0f} s")
            return
        await asyncio.sleep(0.05)


async def _released(recorder: Recorder) -> None:
    """Lets the streams that wait come to their end, and reads them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", recorder.load.upstream_port)
    for stream in tuple(recorder.open_streams):
        stream.go_on()
    while recorder.open_streams and not recorder.faults:
        # Again and again: where nobody read, the upstream may not have been asked for all of it yet.
        writer.write(b"GET /release HTTP/1.1\r\n\r\n")
        await reader.readuntil(_HEAD_END)
        await reader.read(1024)
        await asyncio.sleep(0.1)
    writer.close()
    await _all_ended(recorder)


async def _waiting(recorder: Recorder) -> float:
    """Memory in KiB that each of the streams costs while it waits."""
    load = recorder.load
    warm = Recorder(attrs.evolve(load, plan=_SHORT))
    await _open(warm, min(_WARM, load.streams))
    await _settled(warm)
    await _released(warm)
    recorder.answers, recorder.faults = warm.answers, warm.faults
    before = rss_mb(load.gateway_pid)
    await _open(recorder, load.streams)
    await _settled(recorder)
    await asyncio.sleep(load.seconds)
    grown = rss_mb(load.gateway_pid) - before
    await _released(recorder)
    return grown * 1e6 / 1024 / load.streams


async def _settled(recorder: Recorder) -> None:
    """Every stream has begun, and those that are read have all but their end."""
    give_up = time.monotonic() + _END_S
    while not recorder.faults:
        streams = tuple(recorder.open_streams)
        if all(each.has_begun if recorder.load.stops_reading else each.has_all for each in streams):
            return
        if time.monotonic() > give_up:
            recorder.fault(f"not all of {len(streams)} streams have come as far as they should")
        await asyncio.sleep(0.05)


async def _run(load: StreamLoad) -> StreamsMeasured:
    recorder = Recorder(load)
    memory_kib = 0.0
    if load.plan.held:
        recorder.measuring = True
        begin = _Look.now(load)
        memory_kib = await _waiting(recorder)
        end = _Look.now(load)
    else:
        await _open(recorder, load.streams)
        recorder.measuring = True
        begin = _Look.now(load)
        await asyncio.sleep(load.seconds)
        recorder.measuring = False
        end = _Look.now(load)
        recorder.stopping = True
        await _all_ended(recorder)
    _check(recorder)
    took_s, used_s = end.at - begin.at, end.cpu_s - begin.cpu_s
    late_us = sorted(value for each in recorder.late_us for value in each)
    worst = max((percentile(sorted(each), 99) for each in recorder.late_us if each), default=0.0)
    streams = recorder.pieces / load.plan.pieces
    if not streams:
        recorder.fault("nothing came in the time measured")
    return StreamsMeasured(
        answers=recorder.answers,
        faults=tuple(f"{count} × {kind}" for kind, count in recorder.faults.items()),
        streams_per_s=streams / took_s,
        cpu_us=used_s / streams * 1e6 if streams else 0.0,
        gateway_busy=min(1.0, used_s / took_s),
        first_byte_ms=statistics.median(recorder.first_bytes_s) * 1e3 if recorder.first_bytes_s else 0.0,
        late_p50_ms=percentile(late_us, 50) / 1e3,
        late_p99_ms=percentile(late_us, 99) / 1e3,
        worst_stream_ms=worst / 1e3,
        memory_kib=memory_kib,
        other_core_busy=min(1.0, (end.other_s - begin.other_s) / took_s),
        gateway_core_foreign=min(1.0, max(0.0, (end.gateway_s - begin.gateway_s - used_s) / took_s)),
    )


def _check(recorder: Recorder) -> None:
    plan = recorder.load.plan
    for sample in recorder.samples:
        try:
            text = answer_in(recorder.load.dialect, body_of(sample), stream=True)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            recorder.fault(f"unreadable answer ({error!r}): {sample[-300:]!r}")
        else:
            piece = rf"@\d{{15}}\.{{{plan.characters - 16}}}"
            if re.fullmatch(f"(?:{piece}){{{plan.pieces}}}", text) is None:
                recorder.fault(f"wrong answer: {text[:200]!r}")


def put(load: StreamLoad, *, core: int) -> StreamsMeasured:
    """Runs the load in a process of its own on `core`.

    Raises:
        BenchFailure: any stream failed or was wrong.
    """
    return StreamsMeasured(
        **run_apart("bench.stream_load", attrs.asdict(load), core=core, what="the load of streams")
    )


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(attrs.asdict(uvloop.run(_run(StreamLoad(**{**given, "plan": Plan(**given["plan"])}))))))
