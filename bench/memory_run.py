"""The commands `seed` and `memory` of the benchmark."""

import argparse
import contextlib
import json
import sys
from pathlib import Path

import attrs
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from bench import database, seeding, servers
from bench.memory import MemoryBench
from bench.processes import BenchFailure, cores
from bench.report import machine

_ROLE = "lor3_bench_owner"


def seed_command(options: argparse.Namespace) -> int:
    """Fills the database at `--url`.

    Raises:
        BenchFailure: no URL is given.
    """
    if options.url is None:
        raise BenchFailure("say which database to fill: python -m bench seed --url postgresql://…/an_own_one")
    print(seeding.seed(options.url, options.messages, say=_say))
    return 0


def memory_command(options: argparse.Namespace, folder: Path, stack: contextlib.ExitStack) -> int:
    """Measures on the database at `--url`, which was seeded before, or on one of its own that it seeds."""
    both_cores = cores()
    if options.url is None:
        store = stack.enter_context(database.postgres(folder, core=both_cores[1], url=None))
        done = seeding.seed(store.url, options.messages, say=_say)
        seeded, thread = str(done), done.long_thread
        store = attrs.evolve(store, url=_owned(store.url))
    else:
        thread, length = seeding.longest_thread(options.url)
        if length < seeding.LONG:
            raise BenchFailure(f"the longest thread holds {length} messages: seed the database first")
        seeded = "a database that was seeded before"
        store = database.Database(
            kind="postgres",
            url=options.url,
            description=database.durability_of(options.url),
            commit_ms=None,
            count_answers=lambda: 0,
        )
    _say(seeded)
    upstream = stack.enter_context(servers.upstream(core=both_cores[1], folder=folder))
    result = MemoryBench(
        database=store,
        seeded=seeded,
        thread=thread,
        upstream_port=upstream.port,
        folder=folder,
        rounds=options.rounds,
        cores=both_cores,
        progress=_say,
    ).run()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "memory.json"
    path.write_text(json.dumps({"machine": machine()} | result.as_json(), indent=2) + "\n")
    print(f"{machine()}\n{result}\nwritten to {path}")
    return 0


def _owned(url: str) -> str:
    """The same database by a plain user who owns its tables, whom row security binds; a superuser it does not."""
    name = str(conninfo_to_dict(url)["dbname"])
    role = sql.Identifier(_ROLE)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), role))
        connection.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(role))
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(table), role))
    before, _, after = url.partition("://")
    return f"{before}://{_ROLE}@{after.partition('@')[2]}"


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)
