"""Streams that are paced, many, silent or not read: lor3 beside the bare proxy, on servers of their own.

Servers that no other load has warmed: what a stream holds would otherwise come from memory that is there already.
"""

import contextlib
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import attrs

from bench.play import Plan
from bench.report import LOR3, Target
from bench.servers import Server
from bench.stream_load import StreamLoad, StreamsMeasured, put

Start = Callable[[], AbstractContextManager[Server]]
PASS_THROUGH: Final = "bare proxy uvloop"


@attrs.frozen(kw_only=True)
class StreamScenario:
    """One way in which streams are asked for and read."""

    name: str
    title: str
    plan: Plan
    streams: int
    ramp_s: float
    seconds: float
    rounds: int
    stops_reading: bool = False

    def scaled(self, share: float) -> "StreamScenario":
        """With fewer streams."""
        return attrs.evolve(
            self,
            streams=max(2, round(self.streams * share)),
            ramp_s=self.ramp_s * min(1.0, share),
            seconds=self.seconds if share >= 1 else max(0.2, self.seconds * share),
        )


_FLOOD: Final = Plan(pieces=3072, characters=1024, held=True)
"""Three mebibytes of text: on loopback the kernel alone takes two and more for a reader that has stopped."""
_LONG_FOR: Final = 6.5
"""Seconds in which lor3 has given up waiting for readers that take nothing, and has read all of the answer."""


def stream_scenarios(share: float) -> tuple[StreamScenario, ...]:
    """
    Args:
        share: of the streams that are meant, for a machine that can't have as many.
    """
    paced, crowd = Plan(pieces=50, every_us=20_000), Plan(pieces=140, every_us=50_000)
    return tuple(
        each.scaled(share)
        for each in (
            StreamScenario(
                name="paced",
                title="50 chunks, one every 20 ms, 40 streams at a time",
                plan=paced,
                streams=40,
                ramp_s=1.0,
                seconds=4.0,
                rounds=3,
            ),
            StreamScenario(
                name="crowd",
                title="1,000 streams at a time, 20 chunks/s each",
                plan=crowd,
                streams=1000,
                ramp_s=1.0,
                seconds=5.0,
                rounds=2,
            ),
            StreamScenario(
                name="idle",
                title="2,000 streams that have begun and are silent",
                plan=Plan(pieces=1, held=True),
                streams=2000,
                ramp_s=4.0,
                seconds=1.0,
                rounds=1,
            ),
            StreamScenario(
                name="reading",
                title="20 answers of 3 MiB, read as they come",
                plan=_FLOOD,
                streams=20,
                ramp_s=2.0,
                seconds=1.0,
                rounds=1,
            ),
            StreamScenario(
                name="stalled",
                title="20 answers of 3 MiB, whose readers stop after the first bytes",
                plan=_FLOOD,
                streams=20,
                ramp_s=2.0,
                seconds=_LONG_FOR,
                rounds=1,
                stops_reading=True,
            ),
        )
    )


@attrs.frozen(kw_only=True)
class StreamOutcome:
    """One server under one scenario."""

    server: str
    rounds: tuple[StreamsMeasured, ...]

    def median(self, figure: Callable[[StreamsMeasured], float]) -> float:
        return statistics.median(figure(each) for each in self.rounds)

    def multiple_of(self, other: "StreamOutcome", figure: Callable[[StreamsMeasured], float]) -> float:
        """The median of the rounds' own ratios."""
        return statistics.median(
            figure(mine) / (figure(theirs) or 1e-9)
            for mine, theirs in zip(self.rounds, other.rounds, strict=True)
        )

    @property
    def answers(self) -> int:
        return sum(each.answers for each in self.rounds)


@attrs.frozen(kw_only=True)
class StreamBench:
    """Where the load and the servers run."""

    upstream: Server
    gateway_core: int
    other_core: int
    progress: Callable[[str], None]

    def compare(self, scenario: StreamScenario, starts: Sequence[Start]) -> dict[str, StreamOutcome]:
        """Each server in turn, `rounds` times over, all of them up at the same time.

        Raises:
            BenchFailure: a stream failed or was wrong.
        """
        measured: dict[str, list[StreamsMeasured]] = {}
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(start()) for start in starts]
            for number in range(scenario.rounds):
                for server in servers:
                    once = self._measure(scenario, server)
                    measured.setdefault(server.name, []).append(once)
                    self.progress(
                        f"{scenario.name} {number + 1}/{scenario.rounds}  {server.name:<20} {figures(once)}"
                    )
        return {name: StreamOutcome(server=name, rounds=tuple(rounds)) for name, rounds in measured.items()}

    def _measure(self, scenario: StreamScenario, server: Server) -> StreamsMeasured:
        load = StreamLoad(
            port=server.port,
            dialect=server.dialect,
            key=server.key,
            plan=scenario.plan,
            streams=scenario.streams,
            ramp_s=scenario.ramp_s,
            seconds=scenario.seconds,
            stops_reading=scenario.stops_reading,
            upstream_port=self.upstream.port,
            gateway_pid=server.pid,
            gateway_core=self.gateway_core,
            other_core=self.other_core,
        )
        return put(load, core=self.other_core)


def figures(once: StreamsMeasured) -> str:
    """What there is to see of one round, in a line."""
    if once.memory_kib:
        return f"{once.memory_kib:.1f} KiB a stream"
    return (
        f"{once.cpu_us / 1000:.2f} ms of CPU a stream, first byte {once.first_byte_ms:.1f} ms,"
        f" late p99 {once.late_p99_ms:.0f} ms, core {once.gateway_busy:.0%}"
    )


def stream_table(scenario: StreamScenario, outcomes: dict[str, StreamOutcome]) -> str:
    """One block: a line a server."""
    lines = [f"{scenario.title} ({scenario.name})"]
    if scenario.plan.held:
        lines.append(f"  {'':<20}{'KiB a stream':>13}")
        lines += [
            f"  {each.server:<20}{each.median(lambda one: one.memory_kib):>13.1f}"
            for each in outcomes.values()
        ]
        return "\n".join(lines)
    lines.append(
        f"  {'':<20}{'streams/s':>10}{'CPU ms':>8}{'core':>6}{'first byte ms':>15}"
        f"{'late p50':>10}{'p99':>7}{'worst':>7} ms{'noise':>7}"
    )
    for each in outcomes.values():
        lines.append(
            f"  {each.server:<20}{each.median(lambda one: one.streams_per_s):>10.1f}"
            f"{each.median(lambda one: one.cpu_us) / 1000:>8.2f}{each.median(lambda one: one.gateway_busy):>6.0%}"
            f"{each.median(lambda one: one.first_byte_ms):>15.1f}{each.median(lambda one: one.late_p50_ms):>10.1f}"
            f"{each.median(lambda one: one.late_p99_ms):>7.0f}{each.median(lambda one: one.worst_stream_ms):>7.0f}   "
            f"{each.median(lambda one: one.gateway_core_foreign):>7.0%}"
        )
    busiest = max(each.median(lambda one: one.other_core_busy) for each in outcomes.values())
    lines.append(f"  the core of the load and the upstream was busy {busiest:.0%} at most")
    if busiest > 0.9:
        lines.append("  WARNING: it is nearly full: pieces come late by the harness too")
    return "\n".join(lines)


def stream_targets(outcomes: dict[str, dict[str, StreamOutcome]]) -> list[Target]:
    """The figures of which this run knows enough, each against the stricter of its yardsticks."""
    targets: list[Target] = []

    def target(name: str, value: float, bound: float, unit: str) -> None:
        targets.append(Target(name=name, value=value, bound=bound, sense="at most", unit=unit))

    paced = outcomes.get("paced", {})
    if (lor3 := paced.get(LOR3)) is not None:
        others = [each for name, each in paced.items() if name != LOR3]
        cpu = max(lor3.multiple_of(each, lambda one: one.cpu_us) for each in others)
        first = max(lor3.multiple_of(each, lambda one: one.first_byte_ms) for each in others)
        target("CPU of a paced stream, as a multiple of the bare proxy's", cpu, 1.5, "x")
        target("first byte of a paced stream at p50, as a multiple of it", first, 1.5, "x")
    if (lor3 := outcomes.get("crowd", {}).get(LOR3)) is not None:
        late = lor3.median(lambda one: one.worst_stream_ms)
        target("1,000 streams: p99 of the stream that is latest", late, 250, "ms")
    if (lor3 := outcomes.get("idle", {}).get(LOR3)) is not None:
        target("an idle stream", lor3.median(lambda one: one.memory_kib), 40, "KiB")
    if (lor3 := outcomes.get("stalled", {}).get(LOR3)) is not None and "reading" in outcomes:
        read = outcomes["reading"][LOR3].median(lambda one: one.memory_kib)
        more = lor3.median(lambda one: one.memory_kib) - read
        target("a reader that has stopped, above one that reads", more, 256, "KiB")
    return targets
