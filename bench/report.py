"""The result as a table for people and as JSON for machines."""

import os
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import attrs

from bench.scenarios import Outcome, Scenario

if TYPE_CHECKING:
    from bench.stream_scenarios import StreamOutcome

LOR3 = "lor3"
WITH_PROMPT = "lor3 with a prompt"
Sense = Literal["at least", "at most"]


@attrs.frozen(kw_only=True)
class Target:
    """One figure to reach."""

    name: str
    value: float
    bound: float
    sense: Sense
    unit: str

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.sense == "at least" else self.value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.sense == "at least" else "≤"
        verdict = "met" if self.met else "MISSED"
        return f"{self.name:<58} {self.value:>8.2f}  {sign} {self.bound:g} {self.unit:<3} {verdict}"


@attrs.frozen(kw_only=True)
class Result:
    """All that one run found."""

    started_at: str
    options: Mapping[str, object]
    database: str
    commit_ms: float | None
    """p50 of one small durable transaction alone, on this disk."""
    direct: Mapping[str, Outcome]
    """By scenario: the load straight on the upstream, from the gateway's core: the harness's own limit."""
    outcomes: Mapping[str, Mapping[str, Outcome]]
    """By scenario, then server."""
    streams: Mapping[str, Mapping[str, "StreamOutcome"]]
    """The same, of the scenarios of streams."""
    cold_starts_s: tuple[float, ...]
    first_start_s: float | None
    """With an empty database to migrate."""
    memory_mb: float | None
    """lor3's resident memory after all loads."""
    answers: int
    """200s that lor3 gave."""
    rows: int | None
    """Answers found in the database."""
    targets: tuple[Target, ...]

    def as_json(self) -> dict[str, object]:
        def of(outcome: Outcome) -> dict[str, object]:
            medians = {
                name: getattr(outcome, name)
                for name in ("requests_per_s", "p50_ms", "p99_ms", "cpu_us", "spread")
            }
            return {**medians, "rounds": [attrs.asdict(each) for each in outcome.rounds]}

        return {
            "started_at": self.started_at,
            "machine": machine(),
            "options": dict(self.options),
            "database": self.database,
            "commit_ms": self.commit_ms,
            "direct": {name: of(outcome) for name, outcome in self.direct.items()},
            "scenarios": {
                name: {server: of(outcome) for server, outcome in servers.items()}
                for name, servers in self.outcomes.items()
            },
            "streams": {
                name: {
                    server: [attrs.asdict(each) for each in outcome.rounds]
                    for server, outcome in servers.items()
                }
                for name, servers in self.streams.items()
            },
            "cold_starts_s": self.cold_starts_s,
            "first_start_s": self.first_start_s,
            "memory_mb": self.memory_mb,
            "answers": self.answers,
            "rows": self.rows,
            "targets": [{**attrs.asdict(target), "met": target.met} for target in self.targets],
        }


def machine() -> str:
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a stream, read up to one line
        for line in lines:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def fastest(outcomes: Mapping[str, Outcome]) -> Outcome:
    """The quickest yardstick: the headline is held against it."""
    return max(
        (each for each in outcomes.values() if not each.server.startswith(LOR3)),
        key=lambda each: each.requests_per_s,
    )


def scenario_table(scenario: Scenario, outcomes: Mapping[str, Outcome], direct: Outcome | None) -> str:
    """One block: a line a server, with lor3 as a multiple of each yardstick."""
    lor3 = outcomes.get(LOR3)
    lines = [
        f"{scenario.title} ({scenario.name})",
        f"  {'':<20}{'requests/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'spread':>8}{'noise':>7}{'lor3 is':>9}{'by CPU':>8}",
    ]
    for outcome in outcomes.values():
        noise = outcome.median(lambda each: each.gateway_core_foreign)
        ratio = by_cpu = ""
        if lor3 is not None and outcome is not lor3:
            ratio = f"{lor3.multiple_of(outcome, lambda each: each.requests_per_s):.2f} x"
            by_cpu = f"{outcome.multiple_of(lor3, lambda each: each.cpu_us):.2f} x" if lor3.cpu_us else ""
        lines.append(
            f"  {outcome.server:<20}{outcome.requests_per_s:>11,.0f}{outcome.p50_ms:>9.2f}{outcome.p99_ms:>9.2f}"
            f"{outcome.cpu_us:>9.0f}{outcome.spread:>8.0%}{noise:>7.0%}{ratio:>9}{by_cpu:>8}"
        )
    busiest = max(outcome.median(lambda each: each.other_core_busy) for outcome in outcomes.values())
    if direct is not None:
        top = max(outcome.requests_per_s for outcome in outcomes.values())
        lines.append(
            f"  harness: upstream and load alone {direct.requests_per_s:,.0f}/s ({direct.requests_per_s / top:.1f} x the fastest"
            f" server), p50 {direct.p50_ms:.2f} ms; their core busy {busiest:.0%} at most"
        )
    noisiest = max(outcome.median(lambda each: each.gateway_core_foreign) for outcome in outcomes.values())
    if noisiest > 0.1:
        lines.append(
            f"  WARNING: {noisiest:.0%} of the gateway's core went to other programs: compare CPU, not throughput"
        )
    if busiest > 0.9:
        lines.append(
            "  WARNING: the core of the load, the upstream and the database is nearly full: figures are too low"
        )
    return "\n".join(lines)
