"""`python -m bench observe`: how long reports take on millions of messages, and adding them up in the migration."""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import attrs
import psycopg

from adapters.persistence import schema
from adapters.persistence.engine import Database
from application.ports.store import StoreConfig
from bench import database, seeding
from bench.processes import ROOT, BenchFailure, cores
from domain.secret import Secret
from entrypoints.resources import resource

_BEFORE: Final = "0007"
"""The revision on which nothing is added up."""
_REPORTS: Final = (
    ("--since", "30d"),
    ("--since", "30d", "--group-by", "day"),
    ("--since", "30d", "--group-by", "user"),
    ("--since", "365d"),
    ("--since", "365d", "--group-by", "model"),
    ("--since", "365d", "--group-by", "prompt_version"),
    ("--since", "365d", "--group-by", "user"),
)
_TABLES: Final = ("usage_hours", "usage_days")


@attrs.frozen(kw_only=True)
class Report:
    arguments: tuple[str, ...]
    best_s: float
    """Of the whole command, the start of Python included."""
    requests: int


def observe_command(options: argparse.Namespace, folder: Path, stack: contextlib.ExitStack) -> int:
    """Measures on the database at `--url`, which was seeded before, or on one of its own that it seeds."""
    url = options.url
    if url is None:
        store = stack.enter_context(database.postgres(folder, core=cores()[-1], url=None))
        url = store.url
        print(seeding.seed(url, options.messages, say=print), flush=True)
    config = StoreConfig(url=Secret(url), migrations_path=str(resource("migrations")))
    seconds = _migration_s(Database.of(config))
    sizes = _sizes(url)
    print(f"adding up what is stored took {seconds:.0f} s; rows: {sizes}", flush=True)
    found = [_measured(each, url, folder, options.rounds) for each in _REPORTS]
    for report in found:
        print(
            f"observe usage {' '.join(report.arguments)}: {report.best_s:.2f} s, {report.requests:,} requests"
        )
    options.out.mkdir(parents=True, exist_ok=True)
    result = {"migration_s": seconds, "rows": sizes, "reports": [attrs.asdict(each) for each in found]}
    (options.out / "observe.json").write_text(json.dumps(result, indent=2), encoding="utf-8")
    return 0


def _migration_s(store: Database) -> float:
    """Takes the sums away and has them made again."""
    schema.downgrade(store, _BEFORE)
    started = time.perf_counter()
    schema.upgrade(store)
    return time.perf_counter() - started


def _sizes(url: str) -> dict[str, int]:
    sizes = {}
    with psycopg.connect(url, autocommit=True) as connection:
        for table in _TABLES:
            connection.execute(f"VACUUM (ANALYZE) {table}".encode())
            row = connection.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", (table,)
            ).fetchone()
            sizes[table] = int(row[0]) if row is not None else 0
    return sizes


def _measured(arguments: tuple[str, ...], url: str, folder: Path, rounds: int) -> Report:
    config = folder / "observe.yaml"
    config.write_text("database: {url: '${LOR3_BENCH_URL}'}\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "lor3",
        "observe",
        "usage",
        *arguments,
        "--config",
        str(config),
        "--json",
    ]
    took = []
    printed = b""
    for _ in range(rounds):
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "LOR3_BENCH_URL": url}, capture_output=True, check=False
        )
        took.append(time.perf_counter() - started)
        if done.returncode != 0:
            raise BenchFailure(done.stderr.decode())
        printed = done.stdout
    requests = sum(item["requests"] for item in json.loads(printed)["items"])
    return Report(arguments=arguments, best_s=min(took), requests=requests)
