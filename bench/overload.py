"""Ten times what lor3 can bear: what is answered, and what the excess gets."""

from collections.abc import Mapping
from typing import Any

import attrs

from bench.overload_load import Crowd, OverloadLoad
from bench.processes import run_apart
from bench.report import Target
from bench.servers import Server

CONNECTIONS = 32
POOL = 2000
CROWDS = (
    Crowd(name=f"{CONNECTIONS * 10} connections", connections=CONNECTIONS * 10, pause_s=0.1),
    Crowd(name=f"{CONNECTIONS * 32} connections", connections=CONNECTIONS * 32, pause_s=0.1),
    Crowd(name="10 x the rate, waiting", connections=POOL, pause_s=1.0, times=10),
    Crowd(name="10 x the rate", connections=POOL, times=10),
)


@attrs.frozen(kw_only=True)
class Overloaded:
    figures: Mapping[str, Any]

    @property
    def crowds(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(self.figures["crowds"])


def measure(server: Server, *, cores: tuple[int, int], seconds: float, rounds: int) -> Overloaded:
    load = OverloadLoad(
        port=server.port,
        gateway_pid=server.pid,
        gateway_core=cores[0],
        other_core=cores[1],
        connections=CONNECTIONS,
        seconds=max(2.0, seconds),
        rounds=rounds,
        crowds=CROWDS,
    )
    return Overloaded(
        figures=run_apart("bench.overload_load", attrs.asdict(load), core=cores[1], what="the overload")
    )


_HEADER = (
    f"{'':<24} {'sent/s':>7} {'ok/s':>6} {'ratio':>6} {'by CPU':>6} {'p50 ms':>7} {'p99 ms':>7} {'shed/s':>7} {'p99 ms':>7}"
    f" {'health':>7} {'MB':>5} {'core':>5} {'other':>5} {'noise':>5}"
)


def overload_table(found: Overloaded) -> str:
    named = found.figures
    return "\n".join(
        (
            "overload: `sent/s` a second, `ok/s` answered, `shed/s` refused; p99 of /healthz; MB more than at first;",
            "share of the gateway's core that is its own, how busy that of load, upstream and database is",
            _HEADER,
            *(_row(each) for each in (named["capacity"], *found.crowds)),
            f"memory at first {named['memory_mb']:.0f} MB; odd ends: {named['odd'] or 'none'}",
        )
    )


def _row(row: Mapping[str, Any]) -> str:
    return (
        f"{row['name']:<24} {row['sent_per_s']:>7.0f} {row['answered_per_s']:>6.0f} {row['ratio']:>6.0%} {row['by_cpu']:>6.0%}"
        f" {row['answered_p50_ms']:>7.0f} {row['answered_p99_ms']:>7.0f} {row['shed_per_s']:>7.0f}"
        f" {row['shed_p99_ms']:>7.0f} {row['health_p99_ms']:>7.0f} {row['memory_more_mb']:>+5.0f}"
        f" {row['gateway_share']:>5.0%} {row['other_busy']:>5.0%} {row['foreign']:>5.0%}"
    )


def overload_targets(found: Overloaded) -> tuple[Target, ...]:
    """The worst of the crowds counts."""

    def worst(figure: str) -> float:
        return max(float(each[figure]) for each in found.crowds)

    return (
        Target(
            name="goodput at ten times the load, of capacity",
            value=min(float(each["ratio"]) for each in found.crowds),
            bound=0.95,
            sense="at least",
            unit="",
        ),
        Target(
            name="refusal at ten times the load, p99",
            value=worst("shed_p99_ms"),
            bound=100,
            sense="at most",
            unit="ms",
        ),
        Target(
            name="memory more at ten times the load",
            value=worst("memory_more_mb"),
            bound=64,
            sense="at most",
            unit="MB",
        ),
        Target(
            name="/healthz at ten times the load, p99",
            value=worst("health_p99_ms"),
            bound=100,
            sense="at most",
            unit="ms",
        ),
    )
