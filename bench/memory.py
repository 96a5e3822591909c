"""`python -m bench memory`: what a long thread costs in a database of many, beside a fresh one, in one run.

Asks one lor3, one request at a time: chats that remember ten messages, pages of messages, and their round trips on
the wire.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import psycopg

from bench import seeding, servers
from bench.database import Database
from bench.one_at_a_time import Client, Meter, Round, pinned_to
from bench.processes import BenchFailure
from bench.report import Target
from bench.wire_trips import counting
from entrypoints.http.cursors import write_cursor

DEPTH: Final = 10
_CHATS: Final = 150
"""Of each kind in a round."""
_PAGES: Final = 100
_PAGE: Final = 50
"""Messages of a page."""
_PROBED: Final = 40
"""Chats whose round trips and index scans are counted."""


@attrs.frozen
class Cost:
    """One kind of request, round by round."""

    rounds: tuple[Round, ...]

    def __str__(self) -> str:
        def middle(figure: Callable[[Round], float]) -> float:
            return statistics.median(map(figure, self.rounds))

        return (
            f"p50 {middle(lambda each: each.p50_ms):.2f} ms, CPU of lor3 {middle(lambda each: each.lor3_us):.0f} µs, "
            f"of PostgreSQL {middle(lambda each: each.database_us):.0f} µs"
        )

    def multiple_of(self, other: "Cost", figure: Callable[[Round], float]) -> float:
        """The median of the rounds' own ratios: what ran next to each other is compared."""
        return statistics.median(
            figure(mine) / figure(theirs) for mine, theirs in zip(self.rounds, other.rounds, strict=True)
        )


@attrs.frozen(kw_only=True)
class Probed:
    """What the chats of one kind ask of the database."""

    trips: float
    """Round trips a chat, the median."""
    scans: Mapping[str, float]
    """Index scans a chat, by partition of `messages`; those of less than one in two chats are left out."""

    def __str__(self) -> str:
        touched = ", ".join(f"{name} {scans:.1f}" for name, scans in self.scans.items())
        return f"{self.trips:g} round trips; scans a chat: {touched or 'none of messages'}"


@attrs.frozen(kw_only=True)
class MemoryResult:
    database: str
    seeded: str
    chats: Mapping[str, Cost]
    pages: Mapping[str, Cost]
    probed: Mapping[str, Probed]

    @property
    def targets(self) -> tuple[Target, ...]:
        long, fresh = self.chats["long"], self.chats["fresh"]
        targets = [
            _bound("chat on the long thread, to a fresh one: p50", long.multiple_of(fresh, _p50), 1.15),
            _bound("the same by CPU of lor3 and PostgreSQL", long.multiple_of(fresh, _cpu), 1.15),
        ]
        first = self.pages["first"]
        for place in ("middle", "end"):
            page = self.pages[place]
            targets += [
                _bound(f"page at the {place}, to the first: p50", page.multiple_of(first, _p50), 1.2),
                _bound("the same by CPU of lor3 and PostgreSQL", page.multiple_of(first, _cpu), 1.2),
            ]
        added = max(self.probed[kind].trips for kind in ("fresh", "long")) - self.probed["new"].trips
        return (*targets, _bound("round trips to the database that memory adds", added, 1.0, unit=""))

    def __str__(self) -> str:
        return "\n".join(
            [
                self.database,
                self.seeded,
                *(f"chat, {kind} thread: {cost}" for kind, cost in self.chats.items()),
                *(f"{place} page: {cost}" for place, cost in self.pages.items()),
                *(f"chat, {kind} thread: {probed}" for kind, probed in self.probed.items()),
                "",
                *map(str, self.targets),
            ]
        )

    def as_json(self) -> dict[str, Any]:
        targets = [{**attrs.asdict(target), "met": target.met} for target in self.targets]
        return attrs.asdict(self) | {"targets": targets}


@attrs.frozen(kw_only=True)
class MemoryBench:
    """One run on one seeded database."""

    database: Database
    """Its URL names the user that lor3 connects as."""
    seeded: str
    thread: str
    """The long one."""
    upstream_port: int
    folder: Path
    rounds: int
    cores: tuple[int, int]
    """Of lor3, and of everything else."""
    progress: Callable[[str], None]

    def run(self) -> MemoryResult:
        with pinned_to(self.cores[1]):
            with self._lor3(self.database.url).serve() as lor3, Client.of(lor3.port) as client:
                meter = Meter.of(lor3.pid, self.database.url)
                pages = self._pages(client, meter)
                chats = self._chats(client, meter)
            probed = {kind: self._probe(kind) for kind in ("new", "fresh", "long")}
        return MemoryResult(
            database=self.database.description,
            seeded=self.seeded,
            chats=chats,
            pages=pages,
            probed=probed,
        )

    def _lor3(self, url: str) -> servers.Lor3:
        return servers.Lor3(
            upstream_port=self.upstream_port,
            database=attrs.evolve(self.database, url=url),
            redis_url=None,
            folder=self.folder,
            core=self.cores[0],
        )

    def _pages(self, client: Client, meter: Meter) -> dict[str, Cost]:
        cursors = {
            "first": None,
            "middle": _behind(seeding.LONG // 2),
            "end": _behind(seeding.LONG - _PAGE),
        }
        requests: dict[str, Callable[[], list[dict[str, Any]]]] = {
            place: partial(client.page, self.thread, cursor, limit=_PAGE) for place, cursor in cursors.items()
        }
        for place, request in requests.items():
            if len(items := request()) != _PAGE:
                raise BenchFailure(f"the page at the {place} holds {len(items)} messages, not {_PAGE}")
        return self._compare("pages", lambda: requests, meter, _PAGES)

    def _chats(self, client: Client, meter: Meter) -> dict[str, Cost]:
        """A fresh thread a round. Both get the same chats before, so that they remember the same texts."""

        def requests() -> dict[str, Callable[[], object]]:
            threads = {"fresh": str(client.chat(None, DEPTH)["thread_id"]), "long": self.thread}
            for thread in threads.values():
                for _ in range(DEPTH):
                    client.chat(thread, DEPTH)
                if (injected := client.chat(thread, DEPTH)["context"]["injected"]) != DEPTH:
                    raise BenchFailure(f"a chat remembered {injected} messages, not {DEPTH}")
            return {kind: partial(client.chat, thread, DEPTH) for kind, thread in threads.items()}

        return self._compare("chats", requests, meter, _CHATS)

    def _compare(
        self,
        what: str,
        requests: Callable[[], Mapping[str, Callable[[], object]]],
        meter: Meter,
        count: int,
    ) -> dict[str, Cost]:
        """Each kind in turn, in another order each round."""
        measured: dict[str, list[Round]] = {}
        for number in range(self.rounds):
            kinds = list(requests().items())
            turn = number % len(kinds)
            for kind, request in kinds[turn:] + kinds[:turn]:
                once = meter.measure(request, count)
                measured.setdefault(kind, []).append(once)
                self.progress(f"{what} {number + 1}/{self.rounds}  {kind:<7} p50 {once.p50_ms:.2f} ms")
        return {kind: Cost(tuple(rounds)) for kind, rounds in measured.items()}

    def _probe(self, kind: str) -> Probed:
        """On a server of its own: when that ends, PostgreSQL has counted its scans."""
        scans = self._scans()
        with (
            counting(self.database.url) as counter,
            self._lor3(counter.url).serve() as lor3,
            Client.of(lor3.port) as client,
        ):
            thread = self.thread if kind == "long" else None
            for number in range(DEPTH):
                answer = client.chat(thread, DEPTH)
                if number == 0 and kind == "fresh":
                    thread = str(answer["thread_id"])
            trips: list[int] = []
            for _ in range(_PROBED):
                before = counter.trips
                client.chat(thread, DEPTH)
                trips.append(counter.trips - before)
        self.progress(f"a chat on a {kind} thread takes {statistics.median(trips):g} round trips")
        chats = _PROBED + DEPTH
        per_chat = {name: (count - scans.get(name, 0)) / chats for name, count in self._scans().items()}
        return Probed(
            trips=statistics.median(trips),
            scans={name: each for name, each in sorted(per_chat.items()) if each >= 0.5},
        )

    def _scans(self) -> dict[str, int]:
        """By table, once lor3's backends have ended: PostgreSQL 15 counts their scans before it forgets them."""
        with psycopg.connect(self.database.url, autocommit=True) as connection:
            for _ in range(200):
                others = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
                ).fetchone()
                if others == (0,):
                    break
                time.sleep(0.05)
            else:
                raise BenchFailure(
                    "backends of the database have not ended within 10 s; leave it to the benchmark"
                )
            rows: Sequence[tuple[str, int]] = connection.execute(
                "SELECT relname, coalesce(idx_scan, 0) + coalesce(seq_scan, 0) FROM pg_stat_user_tables "
                "WHERE relname LIKE 'messages%'"
            ).fetchall()
        return dict(rows)


def _behind(position: int) -> str:
    """The cursor of the page that begins at `position`."""
    return write_cursor("messages-asc", str(position - 1))


def _p50(once: Round) -> float:
    return once.p50_ms


def _cpu(once: Round) -> float:
    return once.lor3_us + once.database_us


def _bound(name: str, value: float, bound: float, *, unit: str = "x") -> Target:
    return Target(name=name, value=value, bound=bound, sense="at most", unit=unit)
