"""Ten times the connections that keep lor3 busy: what is answered, and what the excess gets."""

from collections.abc import Mapping
from typing import Any

import attrs

from bench.overload_load import OverloadLoad
from bench.processes import run_apart
from bench.report import Target
from bench.servers import Server

CONNECTIONS = 32


@attrs.frozen(kw_only=True)
class Overloaded:
    figures: Mapping[str, Any]

    @property
    def ratio(self) -> float:
        """The median of each overload's goodput over the capacity around it."""
        return float(self.figures["ratio"])


def measure(server: Server, *, core: int, seconds: float, rounds: int) -> Overloaded:
    load = OverloadLoad(
        port=server.port,
        gateway_pid=server.pid,
        connections=CONNECTIONS,
        seconds=max(2.0, seconds),
        rounds=rounds,
    )
    return Overloaded(
        figures=run_apart("bench.overload_load", attrs.asdict(load), core=core, what="the overload")
    )


def overload_table(found: Overloaded) -> str:
    named = found.figures
    return "\n".join(
        (
            f"overload: {CONNECTIONS} connections, then {CONNECTIONS * 10}",
            f"  capacity {named['capacity_per_s']:.0f}/s, goodput {named['goodput_per_s']:.0f}/s ({found.ratio:.0%})",
            f"  shed {named['shed_per_s']:.0f}/s, p99 {named['shed_p99_ms']:.0f} ms; /healthz p99 "
            f"{named['health_p99_ms']:.0f} ms, at capacity {named['health_at_capacity_p99_ms']:.0f} ms",
            f"  memory {named['memory_mb']:.0f} MB, {named['memory_more_mb']:+.0f} MB; odd ends: {named['odd'] or 'none'}",
        )
    )


def overload_targets(found: Overloaded) -> tuple[Target, ...]:
    named = found.figures
    return (
        Target(
            name="goodput at ten times the load, of capacity",
            value=found.ratio,
            bound=0.95,
            sense="at least",
            unit="",
        ),
        Target(
            name="refusal at ten times the load, p99",
            value=named["shed_p99_ms"],
            bound=100,
            sense="at most",
            unit="ms",
        ),
        Target(
            name="memory more at ten times the load",
            value=named["memory_more_mb"],
            bound=64,
            sense="at most",
            unit="MB",
        ),
        Target(
            name="/healthz at ten times the load, p99",
            value=named["health_p99_ms"],
            bound=100,
            sense="at most",
            unit="ms",
        ),
    )
