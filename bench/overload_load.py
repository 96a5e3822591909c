"""Load for the overload scenario, in a process of its own: `python -m bench.overload_load JSON`, prints JSON.

First as many connections as keep the gateway busy, each with its next chat as soon as the last is answered: what is
answered then is the capacity. Then ten times as many; one that is refused comes again after a pause, whatever
`Retry-After` says. A probe asks for `/healthz` on a connection of its own all the while.
"""

import asyncio
import json
import statistics
import sys
import time
from typing import cast

import attrs

from bench.payloads import request
from bench.processes import many_files, rss_mb


@attrs.frozen(kw_only=True)
class OverloadLoad:
    port: int
    gateway_pid: int
    connections: int
    times: int = 10
    seconds: float = 4.0
    warm_up_s: float = 1.0
    rounds: int = 5
    pause_s: float = 0.1
    """Of a client that was refused."""


@attrs.define
class _Phase:
    answered: int = 0
    shed_ms: list[float] = attrs.field(factory=list)
    odd: dict[str, int] = attrs.field(factory=dict)
    health_ms: list[float] = attrs.field(factory=list)
    is_counting: bool = False
    is_over: bool = False


class _Client(asyncio.Protocol):
    """One connection: a request at a time, an answer by its Content-Length."""

    def __init__(self, payload: bytes, phase: _Phase, load: OverloadLoad) -> None:
        self._payload, self._phase, self._load = payload, phase, load
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by class
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        status = self._buffer[9:12].decode()
        if status == "503" and b'"overloaded"' not in self._buffer:
            status = "503 for another reason"
        self._buffer = b""
        self._answered(status, is_told=b"retry-after" in head)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._phase.is_over:
            self._phase.odd["cut"] = self._phase.odd.get("cut", 0) + 1

    def _answered(self, status: str, *, is_told: bool) -> None:
        phase, took_ms = self._phase, (time.perf_counter() - self._sent) * 1000
        wait_s = 0.0
        if status == "200":
            phase.answered += phase.is_counting
        elif status == "503" and is_told:
            if phase.is_counting:
                phase.shed_ms.append(took_ms)
            wait_s = self._load.pause_s
        else:
            phase.odd[status] = phase.odd.get(status, 0) + 1
            wait_s = self._load.pause_s
        if phase.is_over:
            self._transport.abort()
        elif wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._send)
        else:
            self._send()

    def _send(self) -> None:
        if not self._phase.is_over and not self._transport.is_closing():
            self._sent = time.perf_counter()
            self._transport.write(self._payload)


async def _probe(port: int, phase: _Phase) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not phase.is_over:
        began = time.perf_counter()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"}")
        if phase.is_counting:
            phase.health_ms.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.02)
    writer.close()


async def _phase(load: OverloadLoad, connections: int) -> tuple[_Phase, float]:
    """What happened, and the most memory meanwhile."""
    phase, loop = _Phase(), asyncio.get_running_loop()
    payload = request("lor3", stream=False, port=load.port)
    probe = asyncio.ensure_future(_probe(load.port, phase))
    for _ in range(connections):
        await loop.create_connection(lambda: _Client(payload, phase, load), "127.0.0.1", load.port)
    await asyncio.sleep(load.warm_up_s)
    phase.is_counting = True
    most = 0.0
    for _ in range(10):
        await asyncio.sleep(load.seconds / 10)
        most = max(most, rss_mb(load.gateway_pid))
    phase.is_counting = False
    phase.is_over = True
    await probe
    await asyncio.sleep(0.5)
    return phase, most


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else 0.0


async def _run(load: OverloadLoad) -> dict[str, object]:
    # In turns, for a machine that has slow minutes: a ratio of two phases would compare different ones.
    easy = [await _phase(load, load.connections)]
    hard: list[_Phase] = []
    ratios: list[float] = []
    most = 0.0
    memory = easy[0][1]
    for _ in range(load.rounds):
        overload, peak = await _phase(load, load.connections * load.times)
        easy.append(await _phase(load, load.connections))
        hard.append(overload)
        most = max(most, peak)
        ratios.append(2 * overload.answered / max(1, easy[-2][0].answered + easy[-1][0].answered))
    odd: dict[str, int] = {}
    for phase in (*hard, *(each for each, _ in easy)):
        for name, count in phase.odd.items():
            odd[name] = odd.get(name, 0) + count
    return {
        "capacity_per_s": statistics.median(each.answered for each, _ in easy) / load.seconds,
        "goodput_per_s": statistics.median(each.answered for each in hard) / load.seconds,
        "ratio": statistics.median(ratios),
        "shed_per_s": statistics.median(len(each.shed_ms) for each in hard) / load.seconds,
        "shed_p99_ms": statistics.median(_p99(each.shed_ms) for each in hard),
        "health_p99_ms": statistics.median(_p99(each.health_ms) for each in hard),
        "health_at_capacity_p99_ms": statistics.median(_p99(each.health_ms) for each, _ in easy),
        "memory_mb": memory,
        "memory_more_mb": most - memory,
        "odd": odd,
        "faults": [],
    }


if __name__ == "__main__":
    many_files()
    import uvloop

    uvloop.install()
    print(json.dumps(asyncio.run(_run(OverloadLoad(**json.loads(sys.argv[1]))))))
