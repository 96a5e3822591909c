"""`python -m bench`: lor3 beside a bare aiohttp proxy. `python -m bench profile`: where lor3's time goes.
`python -m bench prompts`: what a composed prompt costs. `python -m bench memory`: what a long thread costs among many.
`python -m bench seed --url postgresql://…`: fills a database with conversations.
`python -m bench observe`: how long reports of a year take on millions of messages.

Exits 1 where the run can't be trusted (a request failed, an answer was wrong or not stored); a missed target is
printed as MISSED and exits 0.
"""

import argparse
import contextlib
import datetime
import functools
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs

from bench import database, overload, profiler, prompts, servers
from bench.memory_run import memory_command, seed_command
from bench.observe_run import observe_command
from bench.processes import ROOT, BenchFailure, cores, many_files, rss_mb
from bench.report import LOR3, WITH_PROMPT, Result, Target, fastest, scenario_table
from bench.scenarios import Bench, Outcome, Scenario, scenarios
from bench.stream_scenarios import (
    Start,
    StreamBench,
    StreamOutcome,
    StreamScenario,
    stream_scenarios,
    stream_table,
    stream_targets,
)

_COLD_STARTS = 5
_OVERLOAD = "overload"
_SCENARIOS = (
    "throughput",
    "latency",
    "prompt",
    "stream",
    "start",
    "paced",
    "crowd",
    "idle",
    "stalled",
    _OVERLOAD,
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("run", "profile", "prompts", "memory", "seed", "observe"),
        default="run",
    )
    parser.add_argument("--seconds", type=float, help="measured time of a round (default 2, for profile 10)")
    parser.add_argument("--rounds", type=int, default=6, help="rounds of each server (default 6)")
    parser.add_argument("--connections", type=int, default=32, help="of the throughput scenario (default 32)")
    parser.add_argument(
        "--only",
        action="append",
        metavar="WHAT",
        choices=_SCENARIOS,
        help="throughput, latency, prompt, stream, start (cold start), paced, crowd, idle or stalled; may be given again;\n"
        "overload: ten times the load that lor3 can bear, only where it is asked for, and alone",
    )
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="of the streams of paced, crowd, idle and stalled (default 1)",
    )
    parser.add_argument(
        "--gateway",
        choices=("postgres", "sqlite", "none"),
        default="postgres",
        help="lor3's database (default postgres); none measures the yardsticks alone",
    )
    parser.add_argument(
        "--database-url", help="an own PostgreSQL to use; a database is created in it and dropped"
    )
    parser.add_argument("--redis", action="store_true", help="run lor3 with a Redis")
    parser.add_argument(
        "--guarded",
        action="store_true",
        help="run lor3 with a Redis, a key, limits and budgets that are never reached",
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "bench" / "out", help="folder of the JSON (default bench/out)"
    )
    parser.add_argument("--url", help="seed, memory: the database to fill; one that was filled before")
    parser.add_argument(
        "--messages", type=int, default=200_000, help="seed, memory: how many (default 200,000)"
    )
    parser.add_argument(
        "--calls", action="store_true", help="profile: count every call (cProfile) instead of sampling"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.command == "prompts":
        print("\n".join(map(str, prompts.targets())))
        return 0
    options.seconds = options.seconds or (10.0 if options.command == "profile" else 2.0)
    try:
        if options.command == "seed":
            return seed_command(options)
        with tempfile.TemporaryDirectory(prefix="lor3-bench-") as folder, contextlib.ExitStack() as stack:
            if options.command == "memory":
                return memory_command(options, Path(folder), stack)
            if options.command == "observe":
                return observe_command(options, Path(folder), stack)
            run = _Run(options=options, folder=Path(folder), stack=stack)
            if options.only == [_OVERLOAD]:
                print(run.overload())
            elif options.command == "profile":
                print(run.profile())
            else:
                print(_written(run.compare(), options.out))
    except BenchFailure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    return 0


@attrs.frozen(kw_only=True)
class _Run:
    options: argparse.Namespace
    folder: Path
    stack: contextlib.ExitStack
    cores: tuple[int, int] = attrs.field(factory=cores)

    @property
    def bench(self) -> Bench:
        gateway, other = self.cores
        return Bench(
            seconds=self.options.seconds, rounds=self.options.rounds, gateway_core=gateway, other_core=other
        )

    def profile(self) -> str:
        upstream = self._upstream()
        lor3 = self._lor3(upstream, self._database())
        wanted = next(iter(self._wanted()), None)
        if wanted is None:
            raise BenchFailure("profile looks at throughput, latency, prompt or stream")
        return profiler.profile(lor3, wanted, self.bench, by_calls=self.options.calls)

    def overload(self) -> str:
        many_files()
        config = attrs.evolve(self._lor3(self._upstream(), self._database()), refuses_none=False)
        lor3 = self.stack.enter_context(config.serve())
        found = overload.measure(
            lor3, cores=self.cores, seconds=self.options.seconds, rounds=self.options.rounds
        )
        return "\n".join((overload.overload_table(found), "", *map(str, overload.overload_targets(found))))

    def compare(self) -> Result:
        started_at = datetime.datetime.now(datetime.UTC)
        many_files()
        gateway_core, _ = self.cores
        upstream = self._upstream()
        wanted = self._wanted()
        direct = {each.name: self._direct(each, upstream) for each in wanted}
        proxies = (
            [
                self.stack.enter_context(
                    servers.bare_proxy(loop, upstream.port, core=gateway_core, folder=self.folder)
                )
                for loop in ("uvloop", "asyncio")
            ]
            if wanted
            else []
        )
        store = None if self.options.gateway == "none" else self._database()
        config = None if store is None else self._lor3(upstream, store)
        first, cold, lor3 = None, [], None
        if config is not None and self._wants("start"):
            with config.serve() as empty:
                first = empty.started_in_s
            starts = min(_COLD_STARTS, self.options.rounds)
            cold = [self._cold_start(config, number, of=starts) for number in range(starts)]
        if config is not None and wanted:
            lor3 = self.stack.enter_context(config.serve())
        outcomes = {}
        for each in wanted:
            compared = [*([] if each.with_prompt else proxies), *([lor3] if lor3 else [])]
            if each.with_prompt and lor3:
                compared.append(attrs.evolve(lor3, name=WITH_PROMPT, dialect="lor3 with a prompt"))
            outcomes[each.name] = self.bench.compare(each, compared, progress=_progress)
            print(scenario_table(each, outcomes[each.name], direct[each.name]), end="\n\n")
        memory = rss_mb(lor3.pid) if lor3 else None
        streams = {
            each.name: self._compare_streams(each, upstream, config) for each in self._wanted_streams()
        }
        # Each start of lor3 was proven by one answer.
        loads = [
            load
            for servers_of in outcomes.values()
            for name, load in servers_of.items()
            if name in (LOR3, WITH_PROMPT)
        ]
        answers = sum(each.answers for each in loads) + len(cold) + (first is not None) + (lor3 is not None)
        answers += sum(1 + each[LOR3].answers for each in streams.values() if LOR3 in each)
        rows = store.count_answers() if store else None
        if rows is not None and rows != answers:
            raise BenchFailure(f"lor3 answered {answers} times but stored {rows} answers")
        return Result(
            started_at=started_at.isoformat(timespec="seconds"),
            options={name: value for name, value in vars(self.options).items() if name != "out"},
            database=store.description if store else "none",
            commit_ms=store.commit_ms if store else None,
            direct=direct,
            outcomes=outcomes,
            streams=streams,
            cold_starts_s=tuple(cold),
            first_start_s=first,
            memory_mb=memory,
            answers=answers,
            rows=rows,
            targets=(*_targets(outcomes, direct, cold, memory), *stream_targets(streams)),
        )

    def _compare_streams(
        self, scenario: StreamScenario, upstream: servers.Server, config: servers.Lor3 | None
    ) -> dict[str, StreamOutcome]:
        """On servers of their own."""

        def proxy(loop: str) -> contextlib.AbstractContextManager[servers.Server]:
            return servers.bare_proxy(loop, upstream.port, core=self.cores[0], folder=self.folder)

        loops = ("uvloop", "asyncio") if scenario.name == "paced" else ("uvloop",)
        starts: list[Start] = [functools.partial(proxy, loop) for loop in loops]
        if config is not None:
            starts.append(config.serve)
        gateway, other = self.cores
        bench = StreamBench(upstream=upstream, gateway_core=gateway, other_core=other, progress=_progress)
        scenario = attrs.evolve(scenario, rounds=min(scenario.rounds, self.options.rounds))
        outcomes = bench.compare(scenario, starts)
        print(stream_table(scenario, outcomes), end="\n\n")
        return outcomes

    def _wanted_streams(self) -> list[StreamScenario]:
        """`reading` is what `stalled` is held against."""
        return [
            each
            for each in stream_scenarios(self.options.share)
            if self._wants("stalled" if each.name == "reading" else each.name)
        ]

    def _wants(self, name: str) -> bool:
        return not self.options.only or name in self.options.only

    def _wanted(self) -> list[Scenario]:
        without_lor3 = self.options.gateway == "none"
        return [
            each
            for each in scenarios(self.options.connections)
            if self._wants(each.name) and not (each.with_prompt and without_lor3)
        ]

    def _upstream(self) -> servers.Server:
        return self.stack.enter_context(servers.upstream(core=self.cores[1], folder=self.folder))

    def _direct(self, scenario: Scenario, upstream: servers.Server) -> Outcome:
        """The load without a gateway, both on one core as in the comparison."""
        short = attrs.evolve(self.bench, seconds=min(2.0, self.options.seconds))
        return Outcome(server="direct", rounds=(short.measure(scenario, upstream),))

    def _database(self) -> database.Database:
        if self.options.gateway == "sqlite":
            return self.stack.enter_context(database.sqlite(self.folder))
        return self.stack.enter_context(
            database.postgres(self.folder, core=self.cores[1], url=self.options.database_url)
        )

    def _lor3(self, upstream: servers.Server, store: database.Database) -> servers.Lor3:
        redis_url = (
            self.stack.enter_context(servers.redis(self.folder, core=self.cores[1]))
            if self.options.redis or self.options.guarded
            else None
        )
        return servers.Lor3(
            upstream_port=upstream.port,
            database=store,
            redis_url=redis_url,
            folder=self.folder,
            core=self.cores[0],
            guarded=self.options.guarded,
        )

    def _cold_start(self, config: servers.Lor3, number: int, *, of: int) -> float:
        with config.serve() as server:
            _progress(f"start {number + 1}/{of}  {server.started_in_s:.2f} s")
            return server.started_in_s


def _targets(
    outcomes: dict[str, dict[str, Outcome]],
    direct: dict[str, Outcome],
    cold: Sequence[float],
    memory: float | None,
) -> tuple[Target, ...]:
    """The figures of which this run knows enough. Each is held against the stricter of its yardsticks."""
    targets: list[Target] = []
    if LOR3 in (streamed := outcomes.get("stream", {})):
        yardstick = fastest(streamed)
        ratio = streamed[LOR3].multiple_of(yardstick, lambda each: each.requests_per_s)
        targets.append(
            Target(
                name=f"streams/s, as a multiple of the {yardstick.server}",
                value=ratio,
                bound=0.5,
                sense="at least",
                unit="x",
            )
        )
    if LOR3 in (throughput := outcomes.get("throughput", {})):
        yardstick = fastest(throughput)
        ratio = throughput[LOR3].multiple_of(yardstick, lambda each: each.requests_per_s)
        targets.append(
            Target(
                name=f"requests/s, as a multiple of the {yardstick.server}",
                value=ratio,
                bound=0.45,
                sense="at least",
                unit="x",
            )
        )
    if WITH_PROMPT in (prompted := outcomes.get("prompt", {})):
        ratio = prompted[WITH_PROMPT].multiple_of(prompted[LOR3], lambda each: each.requests_per_s)
        targets.append(
            Target(
                name="requests/s with a composed prompt, as a multiple of those without",
                value=ratio,
                bound=0.95,
                sense="at least",
                unit="x",
            )
        )
    if LOR3 in (latency := outcomes.get("latency", {})):
        added = latency[LOR3].p50_ms - direct["latency"].p50_ms
        targets.append(
            Target(
                name="added at p50, one connection, to the upstream alone",
                value=added,
                bound=1.5,
                sense="at most",
                unit="ms",
            )
        )
    if cold:
        targets.append(
            Target(
                name="cold start to the first 200",
                value=statistics.median(cold),
                bound=1.5,
                sense="at most",
                unit="s",
            )
        )
    if memory is not None:
        targets.append(
            Target(name="memory after the loads", value=memory, bound=90, sense="at most", unit="MB")
        )
    return tuple(targets)


def _progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def _written(result: Result, out: Path) -> str:
    """Writes the JSON; returns the closing lines of the report."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{result.started_at.replace(':', '').replace('+0000', 'Z')}.json"
    path.write_text(json.dumps(result.as_json(), indent=2) + "\n")
    lines = [result.as_json()["machine"], result.database]
    if result.commit_ms is not None:
        lines.append(
            f"one durable commit alone takes {result.commit_ms:.2f} ms here (p50): part of the latency added"
        )
    if result.rows is not None:
        lines.append(f"{result.answers:,} answers, {result.rows:,} stored")
    if result.first_start_s is not None:
        lines.append(f"first start, with the database to migrate: {result.first_start_s:.2f} s")
    return "\n".join([*map(str, lines), "", *map(str, result.targets), f"written to {path}"])


if __name__ == "__main__":
    sys.exit(main())
