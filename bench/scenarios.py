"""The loads put on each server, in alternating rounds, and the medians of what came of them."""

import statistics
from collections.abc import Callable, Sequence

import attrs

from bench.load import Load, Measured, put
from bench.servers import Server


@attrs.frozen(kw_only=True)
class Scenario:
    """One kind of load."""

    name: str
    title: str
    connections: int
    stream: bool = False
    with_prompt: bool = False
    """Compares lor3 with itself: chats with a composed prompt and chats without."""


def scenarios(connections: int) -> tuple[Scenario, ...]:
    return (
        Scenario(
            name="throughput", title=f"not streamed, {connections} connections", connections=connections
        ),
        Scenario(name="latency", title="not streamed, 1 connection", connections=1),
        Scenario(
            name="prompt",
            title=f"not streamed, {connections} connections, with a composed prompt and without",
            connections=connections,
            with_prompt=True,
        ),
        Scenario(name="stream", title="50 chunks in a burst, 8 connections", connections=8, stream=True),
    )


@attrs.frozen(kw_only=True)
class Outcome:
    """One server under one scenario: every round, and their medians."""

    server: str
    rounds: tuple[Measured, ...]

    def median(self, figure: Callable[[Measured], float]) -> float:
        return statistics.median(figure(each) for each in self.rounds)

    @property
    def requests_per_s(self) -> float:
        return self.median(lambda each: each.requests_per_s)

    @property
    def p50_ms(self) -> float:
        return self.median(lambda each: each.p50_ms)

    @property
    def p99_ms(self) -> float:
        return self.median(lambda each: each.p99_ms)

    @property
    def cpu_us(self) -> float:
        return self.median(lambda each: each.cpu_us)

    def multiple_of(self, other: "Outcome", figure: Callable[[Measured], float]) -> float:
        """This server's figure over the other's: the median of the rounds' own ratios.

        Rounds that belong together are run one after the other, so a machine that slows down for a minute
        slows both sides of a ratio; a ratio of medians would compare different minutes.
        """
        return statistics.median(
            figure(mine) / figure(theirs) for mine, theirs in zip(self.rounds, other.rounds, strict=True)
        )

    @property
    def answers(self) -> int:
        return sum(each.answers for each in self.rounds)

    @property
    def spread(self) -> float:
        """How far the rounds lie apart: (fastest - slowest) / median."""
        rates = [each.requests_per_s for each in self.rounds]
        return (max(rates) - min(rates)) / self.requests_per_s


@attrs.frozen(kw_only=True)
class Bench:
    """How long, how often, and where."""

    seconds: float
    rounds: int
    gateway_core: int
    other_core: int

    def measure(self, scenario: Scenario, server: Server, *, load_core: int | None = None) -> Measured:
        """One round.

        Raises:
            BenchFailure: any request failed.
        """
        load = Load(
            port=server.port,
            dialect=server.dialect,
            key=server.key,
            stream=scenario.stream,
            connections=scenario.connections,
            seconds=self.seconds,
            warm_up_s=min(1.0, self.seconds / 4),
            gateway_pid=server.pid,
            gateway_core=self.gateway_core,
            other_core=self.other_core,
        )
        return put(load, core=self.other_core if load_core is None else load_core)

    def compare(
        self, scenario: Scenario, servers: Sequence[Server], *, progress: Callable[[str], None]
    ) -> dict[str, Outcome]:
        """Each server in turn, `rounds` times over, so that a slow spell of the machine meets all of them."""
        measured: dict[str, list[Measured]] = {server.name: [] for server in servers}
        for number in range(self.rounds):
            for server in servers:
                once = self.measure(scenario, server)
                measured[server.name].append(once)
                progress(
                    f"{scenario.name} {number + 1}/{self.rounds}  {server.name:<20} {once.requests_per_s:>7.0f}/s"
                    f"  p50 {once.p50_ms:.2f} ms"
                )
        return {name: Outcome(server=name, rounds=tuple(rounds)) for name, rounds in measured.items()}
