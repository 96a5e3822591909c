"""A lor3 in processes of its own, on PostgreSQL, with budgets; and what it has written into its books."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs
import psycopg

from application.services.budget_keeper import LEASE_S
from tests.support.waiting import HANGS_S

MODEL: Final = "up:m"
COST: Final = Decimal(9 * 1 + 3 * 2) / 1_000_000
"""What one whole answer of the upstream costs."""


@attrs.frozen
class BudgetBooks:
    """What is stored in a PostgreSQL."""

    url: str

    @property
    def stored_usd(self) -> Decimal:
        """What all chats have cost, failed and cut ones included."""
        return self._sum("SELECT sum(cost_usd) FROM messages")

    @property
    def spent_usd(self) -> Decimal:
        return self._sum("SELECT sum(spent_usd) FROM budget_counters")

    @property
    def held_usd(self) -> Decimal:
        return self._sum("SELECT sum(amount_usd) FROM budget_holds")

    def statuses(self) -> dict[str, int]:
        """How many answers there are of each."""
        with psycopg.connect(self.url) as connection:
            connection.execute("SELECT set_config('lor3.tenants', '*', true)")
            return dict(
                connection.execute(
                    "SELECT status, count(*) FROM messages WHERE role = 'assistant' GROUP BY 1"
                ).fetchall()
            )

    def after_the_leases(self) -> Decimal:
        """What is held once every lease is over that is running now: who is not heard of does not prolong any."""
        return self._sum(
            "SELECT sum(amount_usd) FROM budget_holds WHERE lease_until > now() + make_interval(secs => %s)",
            LEASE_S,
        )

    async def until_nothing_is_held(self, within_s: float = HANGS_S) -> None:
        async with asyncio.timeout(within_s):
            while await asyncio.to_thread(lambda: self.held_usd):  # noqa: ASYNC110 - a database tells nobody
                await asyncio.sleep(0.05)

    def _sum(self, query: str, *parameters: float) -> Decimal:
        with psycopg.connect(self.url) as connection:
            connection.execute("SELECT set_config('lor3.tenants', '*', true)")
            row = connection.execute(query.encode(), parameters).fetchone()
        return Decimal(0) if row is None or row[0] is None else Decimal(row[0])


def budgeted(upstream_url: str, **budgets: Any) -> dict[str, Any]:
    """What a configuration says."""
    return {
        "primary": MODEL,
        "providers": {"up": {"kind": "openai-compatible", "base_url": f"{upstream_url}/v1"}},
        "prices": {MODEL: {"input_per_mtok": 1, "output_per_mtok": 2}},
        "prompts": {"directory": None},
        "routing": {"retries": 0, "breaker": {"failures": 100_000}},
        "log": {"level": "error"},
        "budgets": budgets,
    }


@asynccontextmanager
async def lor3_processes(
    folder: Path, database_url: str, config: dict[str, Any], *, workers: int = 1
) -> "AsyncIterator[tuple[str, subprocess.Popen[bytes]]]":
    """`lor3 serve` with some workers: its URL, and the process to signal."""
    path = folder / "lor3.json"
    path.write_text(json.dumps(config))
    clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
    command = [sys.executable, "-m", "lor3", "serve", "--json", "--port", "0", "--config", str(path)]
    process = subprocess.Popen(  # noqa: ASYNC220 - begun in a millisecond; its output is read in a thread
        [*command, "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean | {"PYTHONPATH": str(Path(__file__).parents[2]), "DATABASE_URL": database_url},
        cwd=folder,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        url = json.loads(line)["url"]
        async with aiohttp.ClientSession() as client, asyncio.timeout(HANGS_S):
            while True:
                try:
                    async with client.get(f"{url}/readyz") as response:
                        if response.status == 200:
                            break
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(0.05)
        yield url, process
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 10)
        except subprocess.TimeoutExpired:
            process.kill()
        await asyncio.to_thread(process.communicate)
