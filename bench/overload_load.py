"""Load for the overload scenario, in a process of its own: `python -m bench.overload_load JSON`, prints JSON.

First as many connections as keep the gateway busy, each with its next chat as soon as the last is answered: what is
answered then is the capacity. Then, in turns with the capacity, each of `Crowd`'s kinds: connections that send again when
they are answered, and requests that begin at a fixed rate whether or not others are answered. A probe asks for
`/healthz` on a connection of its own all the while.
"""

import asyncio
import json
import statistics
import sys
import time
from collections import deque
from typing import cast

import attrs

from bench.load import percentile
from bench.payloads import request
from bench.processes import core_busy_s, cpu_s, many_files, rss_mb

_TICK_S = 0.002


@attrs.frozen(kw_only=True)
class Crowd:
    """Who sends how."""

    name: str
    connections: int
    pause_s: float = 0.0
    """Of a connection that was refused, before it sends again."""
    times: float = 0.0
    """Requests that begin a second, as a multiple of the capacity; 0: each connection sends when it was answered."""


@attrs.frozen(kw_only=True)
class OverloadLoad:
    port: int
    gateway_pid: int
    gateway_core: int
    other_core: int
    connections: int
    seconds: float
    rounds: int
    crowds: tuple[Crowd, ...]
    warm_up_s: float = 4.0
    """In which the overload is noticed, and what was let in until then is answered."""


@attrs.define
class _Phase:
    crowd: Crowd
    payload: bytes
    answered_ms: list[float] = attrs.field(factory=list)
    shed_ms: list[float] = attrs.field(factory=list)
    health_ms: list[float] = attrs.field(factory=list)
    odd: dict[str, int] = attrs.field(factory=dict)
    sent: int = 0
    unsent: int = 0
    """Requests that were due while no connection was free."""
    memory_mb: float = 0.0
    took_s: float = 0.0
    gateway_share: float = 0.0
    """Of its core, 0 to 1."""
    foreign: float = 0.0
    """Share of the gateway's core that went to something else."""
    other_busy: float = 0.0
    """Of the core that load, upstream and database share."""
    free: "deque[_Client]" = attrs.field(factory=deque)
    is_counting: bool = False
    is_over: bool = False


class _Client(asyncio.Protocol):
    """One connection: a request at a time, an answer by its Content-Length."""

    def __init__(self, phase: _Phase) -> None:
        self._phase = phase
        self._buffer = b""
        self._sent = 0.0
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by class
        self._rested()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        status = self._buffer[9:12]
        is_shed = status == b"503" and b'"overloaded"' in self._buffer and b"retry-after" in head
        self._buffer = b""
        self._is_busy = False
        phase, took_ms = self._phase, (time.perf_counter() - self._sent) * 1000
        if status == b"200":
            if phase.is_counting:
                phase.answered_ms.append(took_ms)
        elif is_shed:
            if phase.is_counting:
                phase.shed_ms.append(took_ms)
            if phase.crowd.pause_s and not phase.is_over:
                asyncio.get_running_loop().call_later(phase.crowd.pause_s, self._rested)
                return
        else:
            phase.odd[status.decode()] = phase.odd.get(status.decode(), 0) + 1
        self._rested()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._phase.is_over:
            self._phase.odd["cut"] = self._phase.odd.get("cut", 0) + 1

    def _rested(self) -> None:
        if self._phase.is_over:
            self._transport.abort()
        elif self._phase.crowd.times:
            self._phase.free.append(self)
        else:
            self.send()

    def send(self) -> None:
        if not self._transport.is_closing():
            self._phase.sent += self._phase.is_counting
            self._is_busy = True
            self._sent = time.perf_counter()
            self._transport.write(self._phase.payload)

    def end(self) -> None:
        """At once; an answer that is under way is waited for."""
        if not self._is_busy:
            self._transport.abort()


async def _arrivals(phase: _Phase, per_s: float) -> None:
    """Begins requests at a fixed rate on the connections that are free."""
    began, due = time.perf_counter(), 0
    while not phase.is_over:
        now_due = int((time.perf_counter() - began) * per_s)
        for _ in range(now_due - due):
            if phase.free:
                phase.free.popleft().send()
            else:
                phase.unsent += phase.is_counting
        due = now_due
        await asyncio.sleep(_TICK_S)


async def _probe(port: int, phase: _Phase) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not phase.is_over:
        began = time.perf_counter()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"}")
        if phase.is_counting:
            phase.health_ms.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.01)
    writer.close()


async def _phase(load: OverloadLoad, crowd: Crowd, *, capacity_per_s: float = 0.0) -> _Phase:
    phase, loop = _Phase(crowd, request("lor3", stream=False, port=load.port)), asyncio.get_running_loop()
    tasks = [asyncio.ensure_future(_probe(load.port, phase))]
    clients = []
    for _ in range(crowd.connections):
        _, client = await loop.create_connection(lambda: _Client(phase), "127.0.0.1", load.port)
        clients.append(client)
    if crowd.times:
        tasks.append(asyncio.ensure_future(_arrivals(phase, crowd.times * capacity_per_s)))
    await asyncio.sleep(load.warm_up_s)
    before = (
        time.perf_counter(),
        cpu_s(load.gateway_pid),
        core_busy_s(load.gateway_core),
        core_busy_s(load.other_core),
    )
    phase.is_counting = True
    for _ in range(10):
        await asyncio.sleep(load.seconds / 10)
        phase.memory_mb = max(phase.memory_mb, rss_mb(load.gateway_pid))
    phase.is_counting = False
    after = (
        time.perf_counter(),
        cpu_s(load.gateway_pid),
        core_busy_s(load.gateway_core),
        core_busy_s(load.other_core),
    )
    took_s, own_s, core_s, other_s = (late - early for late, early in zip(after, before, strict=True))
    phase.took_s, phase.gateway_share, phase.other_busy = took_s, own_s / took_s, other_s / took_s
    phase.foreign = max(0.0, (core_s - own_s) / took_s)
    phase.is_over = True
    await asyncio.gather(*tasks)
    for client in clients:
        client.end()
    await asyncio.sleep(1.5)  # the rest is answered, and the gateway gets over it
    return phase


def _p99(values: list[float]) -> float:
    return percentile(sorted(values), 99)


def _figures(
    phases: list[_Phase], ratios: list[float], *, by_cpu: float, memory_mb: float
) -> dict[str, object]:
    """The medians of the rounds; of memory and noise the most."""

    def median(values: list[float]) -> float:
        return statistics.median(values)

    return {
        "name": phases[0].crowd.name,
        "ratio": median(ratios),
        "by_cpu": by_cpu,
        "answered_per_s": median([len(each.answered_ms) / each.took_s for each in phases]),
        "sent_per_s": median([each.sent / each.took_s for each in phases]),
        "unsent_per_s": median([each.unsent / each.took_s for each in phases]),
        "shed_per_s": median([len(each.shed_ms) / each.took_s for each in phases]),
        "shed_p99_ms": median([_p99(each.shed_ms) for each in phases]),
        "answered_p50_ms": median([percentile(sorted(each.answered_ms), 50) for each in phases]),
        "answered_p99_ms": median([_p99(each.answered_ms) for each in phases]),
        "health_p99_ms": median([_p99(each.health_ms) for each in phases]),
        "memory_more_mb": max(each.memory_mb for each in phases) - memory_mb,
        "gateway_share": median([each.gateway_share for each in phases]),
        "other_busy": median([each.other_busy for each in phases]),
        "foreign": max(each.foreign for each in phases),
    }


async def _run(load: OverloadLoad) -> dict[str, object]:
    # In turns, for a machine that has slow minutes: a ratio of two phases would compare different ones.
    few = Crowd(name="capacity", connections=load.connections)
    easy = [await _phase(load, few)]
    memory_mb = easy[0].memory_mb
    found: dict[str, list[_Phase]] = {each.name: [] for each in load.crowds}
    ratios: dict[str, list[float]] = {each.name: [] for each in load.crowds}

    def per_cpu_s(phases: list[_Phase]) -> float:
        return statistics.median(len(each.answered_ms) / each.took_s / each.gateway_share for each in phases)

    def per_s(phase: _Phase) -> float:
        return max(1, len(phase.answered_ms)) / phase.took_s

    for _ in range(load.rounds):
        for crowd in load.crowds:
            hard = await _phase(load, crowd, capacity_per_s=per_s(easy[-1]))
            easy.append(await _phase(load, few))
            found[crowd.name].append(hard)
            ratios[crowd.name].append(
                2 * len(hard.answered_ms) / hard.took_s / (per_s(easy[-2]) + per_s(easy[-1]))
            )
    odd: dict[str, int] = {}
    for phase in (*easy, *(each for phases in found.values() for each in phases)):
        for name, count in phase.odd.items():
            odd[name] = odd.get(name, 0) + count
    return {
        "capacity": _figures(easy, [1.0], by_cpu=1.0, memory_mb=memory_mb),
        "memory_mb": memory_mb,
        "crowds": [
            _figures(
                found[each.name],
                ratios[each.name],
                by_cpu=per_cpu_s(found[each.name]) / per_cpu_s(easy),
                memory_mb=memory_mb,
            )
            for each in load.crowds
        ],
        "odd": odd,
        "faults": [],
    }


if __name__ == "__main__":
    many_files()
    import uvloop

    given = json.loads(sys.argv[1])
    given["crowds"] = tuple(Crowd(**each) for each in given["crowds"])
    print(json.dumps(uvloop.run(_run(OverloadLoad(**given)))))
