"""One run: a database, a provider, replicas that die, clients, and the audit afterwards."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import attrs

from tests.support.servers import PostgreSQLServer, RedisServer
from tests.torture.audit import Audit
from tests.torture.books import Finding, Stored
from tests.torture.drivers import Drivers
from tests.torture.ledger import Ledger
from tests.torture.replicas import Executioner, Replica
from tests.torture.upstream import INPUT_PER_MTOK, MODEL, OUTPUT_PER_MTOK, Upstream


@attrs.frozen(kw_only=True)
class Plan:
    """How much of what."""

    requests: int
    """At least so many; clients go on until the last kill and the last restart."""
    kills: int
    restarts: int
    seed: int
    replicas: int = 2
    clients: int = 48
    keyed: float = 0.6
    """The share of requests with an Idempotency-Key, 0 to 1."""
    redis: bool = True
    sabotage: tuple[str, ...] = ()
    """Faults of `saboteur.py` that the replicas run with."""


@attrs.frozen(kw_only=True)
class Report:
    plan: Plan
    seconds: float
    requests: int
    kills: int
    restarts: int
    starts: int
    """Of replicas."""
    calls: int
    """That the provider answered."""
    provider_failures: int
    provider_breaks: int
    """Streams that it broke off."""
    ledger: Ledger
    stored_answers: int
    threads: int
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(finding.holds for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "plan": attrs.asdict(self.plan),
            "seconds": round(self.seconds, 1),
            "requests": self.requests,
            "sigkills": self.kills,
            "database_restarts": self.restarts,
            "replica_starts": self.starts,
            "sends": self.ledger.sends,
            "acknowledged": len(self.ledger.acknowledged),
            "acknowledged_with_key": sum(1 for each in self.ledger.acknowledged if each.key),
            "remade": len(self.ledger.remade),
            "forks": len(self.ledger.forks),
            "replays": self.ledger.replays,
            "provider_calls": self.calls,
            "provider_failures": self.provider_failures,
            "provider_breaks": self.provider_breaks,
            "stored_answers": self.stored_answers,
            "threads": self.threads,
            "told": dict(self.ledger.statuses.most_common()),
            "findings": [finding.as_json() for finding in self.findings],
        }

    def __str__(self) -> str:
        told = ", ".join(f"{count:,} x {what}" for what, count in self.ledger.statuses.most_common())
        lines = [
            f"seed {self.plan.seed}: {self.requests:,} requests in {self.seconds:.0f} s, {self.kills} SIGKILLs, "
            f"{self.restarts} immediate restarts of PostgreSQL",
            f"{self.ledger.sends:,} sends: {told}",
            f"{len(self.ledger.acknowledged):,} requests acknowledged, {len(self.ledger.remade):,} answers made again, "
            f"{len(self.ledger.forks):,} threads forked, {self.ledger.replays:,} replays; the provider answered "
            f"{self.calls:,} times and broke off {self.provider_breaks:,} of them, {self.stored_answers:,} answers are stored in {self.threads:,} threads",
        ]
        for finding in self.findings:
            lines.append(f"  {finding.promise}: {finding.verdict} ({finding.looked_at:,} looked at)")
            lines += [f"    {each}" for each in finding.broken[:5]]
        return "\n".join(lines)


async def torture(plan: Plan, folder: Path, *, say: Callable[[str], object]) -> Report:
    """
    Args:
        folder: for logs and the configuration; a new one.
    """
    started = time.monotonic()
    ledger = Ledger()
    async with AsyncExitStack() as stack:
        postgres = await asyncio.to_thread(PostgreSQLServer)
        stack.push_async_callback(asyncio.to_thread, postgres.close)
        redis = await asyncio.to_thread(RedisServer) if plan.redis else None
        if redis is not None:
            stack.push_async_callback(asyncio.to_thread, redis.close)
        upstream = await stack.enter_async_context(Upstream(_random(plan, "provider")).serving())
        config = folder / "lor3.json"
        config.write_text(json.dumps(_settings(upstream.url, postgres.url(), redis.url if redis else None)))
        executioner = Executioner(
            left=plan.kills, may_be_done=lambda: 1 + plan.kills * drivers.made / plan.requests
        )
        module = (
            ["-m", "tests.torture.saboteur", ",".join(plan.sabotage)] if plan.sabotage else ["-m", "lor3"]
        )
        replicas = [
            Replica(
                arguments=[*module, "serve", "--config", str(config), "--port"],
                log=folder / f"replica-{number}.log",
                random=_random(plan, f"replica {number}"),
                executioner=executioner,
            )
            for number in range(plan.replicas)
        ]
        restarter = _Restarter(postgres=postgres, left=plan.restarts, executioner=executioner)
        drivers = Drivers(
            urls=[replica.url for replica in replicas],
            random=_random(plan, "clients"),
            ledger=ledger,
            requests=plan.requests,
            keyed=plan.keyed,
            until=lambda: executioner.over.is_set() and not restarter.left,
        )
        stack.push_async_callback(_stop_all, replicas)
        async with asyncio.TaskGroup() as group:
            for replica in replicas:
                group.create_task(replica.keep())
            group.create_task(restarter.run(plan, lambda: drivers.made))
            telling = group.create_task(
                _tell(
                    lambda: (
                        f"{drivers.made:,} requests, {executioner.done} kills, {restarter.done} restarts, "
                        f"{len(ledger.violations)} violations"
                    ),
                    say,
                )
            )
            await asyncio.gather(*(replica.answers() for replica in replicas))
            await drivers.run(plan.clients)
            await asyncio.gather(*(replica.answers() for replica in replicas))
            say("all requests are made; every key is sent once more")
            calls_before = len(upstream.calls)
            await drivers.replay_all()
            if len(upstream.calls) != calls_before:
                ledger.violations.append(f"replays made {len(upstream.calls) - calls_before} provider calls")
            telling.cancel()
            for replica in replicas:
                if (code := await replica.stop()) != 0:
                    ledger.violations.append(f"a replica ended with {code} when it was asked to stop")
        stored = await asyncio.to_thread(Stored.read, postgres.url())
    if len(ledger.acknowledged) < drivers.made / 2:
        ledger.violations.append(
            f"only {len(ledger.acknowledged)} of {drivers.made} requests were acknowledged: the run proves little"
        )
    findings = Audit(stored=stored, ledger=ledger, calls=upstream.calls).findings()
    return Report(
        plan=plan,
        seconds=time.monotonic() - started,
        requests=drivers.made,
        kills=executioner.done,
        restarts=restarter.done,
        starts=sum(replica.starts for replica in replicas),
        calls=len(upstream.calls),
        provider_failures=upstream.failures,
        provider_breaks=upstream.breaks,
        ledger=ledger,
        stored_answers=sum(row["role"] == "assistant" for row in stored.messages),
        threads=len(stored.threads),
        findings=findings,
    )


@attrs.define(kw_only=True)
class _Restarter:
    """Restarts the database at random moments, as far along as the kills or the requests are."""

    postgres: PostgreSQLServer
    left: int
    executioner: Executioner
    done: int = 0

    async def run(self, plan: Plan, made: Callable[[], int]) -> None:
        chance = _random(plan, "database")
        due = sorted(chance.uniform(0.05, 0.95) for _ in range(self.left))
        for share in due:
            while made() < share * plan.requests or self.executioner.done < share * plan.kills:  # noqa: ASYNC110 - both are counts
                await asyncio.sleep(0.02)
            await asyncio.sleep(chance.uniform(0.0, 0.2))
            await asyncio.to_thread(self.postgres.kill)
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            await asyncio.to_thread(self.postgres.start)
            self.done += 1
            self.left -= 1


async def _stop_all(replicas: list[Replica]) -> None:
    for replica in replicas:
        await replica.stop()


async def _tell(words: Callable[[], str], say: Callable[[str], object]) -> None:
    while True:
        await asyncio.sleep(10)
        say(words())


def _random(plan: Plan, whose: str) -> random.Random:
    """Each has its own, so that what one draws does not depend on the others' timing."""
    return random.Random(f"{plan.seed} {whose}")  # noqa: S311 - no secret is drawn


def _settings(upstream_url: str, database_url: str, redis_url: str | None) -> dict[str, Any]:
    model = f"openai:{MODEL}"
    settings: dict[str, Any] = {
        "primary": model,
        "fallbacks": [],
        "format": "raw",
        "providers": {"openai": {"kind": "openai", "api_key": "${OPENAI_API_KEY}", "base_url": upstream_url}},
        "prices": {
            model: {"input_per_mtok": float(INPUT_PER_MTOK), "output_per_mtok": float(OUTPUT_PER_MTOK)}
        },
        "database": {"url": database_url, "auto_migrate": True},
    }
    if redis_url:
        settings["redis"] = {"url": redis_url}
    return settings
