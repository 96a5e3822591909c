# ruff: noqa: S608 - the statements are made of constants, once, at import
"""Counters and holds of budgets on PostgreSQL: a call is one transaction and one round trip.

What is asked for travels as one JSON text. The first statement makes the counters and locks them, in their order;
the second sees, having a snapshot of its own, what everybody before it has done to them. In one statement it would
not: its snapshot would be from before it waited for the lock.
https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
"""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import attrs
from psycopg.pq.abc import PGresult

from adapters.persistence import failures, tenancy
from adapters.persistence.batch_writer import BatchFailure, Blocked, Collision, NoConnectionFree
from adapters.persistence.json_codec import encode_json_bytes
from adapters.persistence.pooled_exchange import PooledExchange
from adapters.persistence.postgresql_exchange import Statement
from application.ports.budget_ledger import CounterKey, CounterState, HoldRequest
from domain.limits.budget import EPOCH, period_end

TRIES: Final = 3
"""Of a transaction that others were in the way of, and of a wait for a connection."""

_LOCKED: Final = "the counters of budgets are locked; try again in a moment"

_STARTS_AT: Final = (
    "CASE x.period WHEN 'total' THEN to_timestamp(0) ELSE date_trunc(x.period, now(), 'UTC') END"
)
_KEY: Final = "tenant, subject, subject_id, period, starts_at"
_OF_KEY: Final = (
    "{0}.subject_id = {1}.subject_id AND {0}.tenant = {1}.tenant AND {0}.subject = {1}.subject "
    "AND {0}.period = {1}.period AND {0}.starts_at = {1}.starts_at"
)
_ASKED: Final = (
    f"SELECT x.number, x.tenant, x.subject, x.subject_id, x.period, coalesce(x.given_start, {_STARTS_AT}) AS starts_at, "
    "x.limit_usd, x.committed_usd, x.keep_usd, x.needed_usd, x.wished_usd, x.lost_usd "
    "FROM json_to_recordset($1::json) AS x(number int, tenant text, subject text, subject_id text, period text, "
    "given_start timestamptz, limit_usd numeric, committed_usd numeric, keep_usd numeric, needed_usd numeric, "
    "wished_usd numeric, lost_usd numeric)"
)
# The rows are locked even where the condition says that there is nothing to write.
_LOCK: Final = Statement(
    name=b"lor3_budget_lock",
    text=(
        f"INSERT INTO budget_counters AS c ({_KEY}, spent_usd) SELECT {_KEY}, lost_usd FROM ({_ASKED}) asked "
        "ORDER BY subject_id, tenant, subject, period, starts_at "
        f"ON CONFLICT (subject_id, tenant, subject, period, starts_at) "
        "DO UPDATE SET spent_usd = c.spent_usd + excluded.spent_usd WHERE excluded.spent_usd <> 0"
    ).encode(),
)
# Times as seconds: how a session writes them is its own affair.
_STATE: Final = (
    "number, extract(epoch FROM starts_at), spent_usd, held_usd, others_usd, extract(epoch FROM now())"
)
# The arithmetic of `domain/limits/holding.py`.
_EXCHANGE: Final = Statement(
    name=b"lor3_budget_exchange",
    text=(
        f"WITH asked AS MATERIALIZED ({_ASKED}), "
        "found AS MATERIALIZED (SELECT a.*, c.spent_usd, "
        f"coalesce((SELECT sum(h.amount_usd) FROM budget_holds h WHERE {_OF_KEY.format('h', 'a')} "
        "AND h.holder <> $2::uuid AND h.lease_until > clock_timestamp()), 0) AS others_usd, "
        f"coalesce((SELECT h.amount_usd FROM budget_holds h WHERE {_OF_KEY.format('h', 'a')} "
        "AND h.holder = $2::uuid AND h.lease_until > clock_timestamp()), 0) AS mine_usd "
        f"FROM asked a JOIN budget_counters c ON {_OF_KEY.format('c', 'a')}), "
        "kept AS MATERIALIZED (SELECT *, greatest(committed_usd, least(keep_usd, mine_usd)) AS kept_usd FROM found), "
        "rest AS MATERIALIZED (SELECT *, limit_usd - spent_usd - others_usd - kept_usd AS left_usd FROM kept), "
        "held AS MATERIALIZED (SELECT *, kept_usd + CASE WHEN left_usd > 0 THEN least(left_usd, "
        "greatest(needed_usd, least(wished_usd, trunc(left_usd / 8, 12)))) ELSE 0 END AS held_usd FROM rest), "
        f"put AS (INSERT INTO budget_holds ({_KEY}, holder, amount_usd, lease_until) "
        f"SELECT {_KEY}, $2::uuid, held_usd, clock_timestamp() + $3::float8 * interval '1 second' "
        "FROM held WHERE held_usd > 0 "
        "ON CONFLICT (subject_id, tenant, subject, period, starts_at, holder) "
        "DO UPDATE SET amount_usd = excluded.amount_usd, lease_until = excluded.lease_until), "
        f"gone AS (DELETE FROM budget_holds h USING held g WHERE {_OF_KEY.format('h', 'g')} "
        "AND CASE WHEN h.holder = $2::uuid THEN g.held_usd = 0 ELSE h.lease_until <= clock_timestamp() END), "
        # A counter says nothing where nothing is spent or held: such as that of a thread whose chat was refused.
        f"empty AS (DELETE FROM budget_counters c USING held g WHERE {_OF_KEY.format('c', 'g')} "
        "AND g.spent_usd = 0 AND g.held_usd = 0 AND g.others_usd = 0) "
        f"SELECT {_STATE} FROM held ORDER BY number"
    ).encode(),
)
_READ: Final = Statement(
    name=b"lor3_budget_read",
    text=(
        f"WITH asked AS MATERIALIZED ({_ASKED}) SELECT number, extract(epoch FROM starts_at), "
        f"coalesce((SELECT c.spent_usd FROM budget_counters c WHERE {_OF_KEY.format('c', 'a')}), 0), 0, "
        f"coalesce((SELECT sum(h.amount_usd) FROM budget_holds h WHERE {_OF_KEY.format('h', 'a')} "
        "AND h.lease_until > clock_timestamp()), 0), extract(epoch FROM now()) FROM asked a ORDER BY number"
    ).encode(),
)
_SWEEP: Final = Statement(
    name=b"lor3_budget_sweep",
    text=(
        "WITH old AS (DELETE FROM budget_counters WHERE period = 'day' "
        "AND starts_at < now() - interval '100 days'), "
        f"gone AS (DELETE FROM budget_holds WHERE lease_until <= clock_timestamp() RETURNING {_KEY}), "
        # Nobody is waited for: whoever has the row is about to hold or to spend something, or removes it as well.
        f"empty AS MATERIALIZED (SELECT c.* FROM budget_counters c JOIN (SELECT DISTINCT {_KEY} FROM gone) g "
        f"ON {_OF_KEY.format('c', 'g')} WHERE c.spent_usd = 0 AND NOT EXISTS (SELECT FROM budget_holds h "
        f"WHERE {_OF_KEY.format('h', 'c')} AND h.lease_until > clock_timestamp()) FOR UPDATE OF c SKIP LOCKED), "
        f"dropped AS (DELETE FROM budget_counters c USING empty e WHERE {_OF_KEY.format('c', 'e')}) "
        "SELECT count(*) FROM gone"
    ).encode(),
)


@attrs.define(kw_only=True)
class PostgreSQLBudgetLedger:
    _exchange: PooledExchange

    async def exchange(
        self, holder: str, requests: Sequence[HoldRequest], *, lease_s: float
    ) -> tuple[CounterState, ...]:
        if not requests:
            return ()
        asked = _rows(requests)
        keys = [request.key for request in requests]
        result = await self._run(
            _EXCHANGE,
            (asked, holder.encode(), repr(float(lease_s)).encode()),
            keys,
            before=((_LOCK, (asked,)),),
        )
        return _states(keys, result)

    async def read(self, keys: Sequence[CounterKey]) -> tuple[CounterState, ...]:
        if not keys:
            return ()
        asked = _rows([HoldRequest(key=key, limit_usd=None) for key in keys])
        return _states(keys, await self._run(_READ, (asked,), keys))

    async def sweep(self) -> int:
        result = await self._run(_SWEEP, (), None)
        return int(result.get_value(0, 0) or b"0")

    async def aclose(self) -> None:
        """Waits until the connections that were given up are closed."""
        await self._exchange.aclose()

    async def _run(
        self,
        statement: Statement,
        parameters: Sequence[bytes | None],
        keys: Sequence[CounterKey] | None,
        *,
        before: Sequence[tuple[Statement, Sequence[bytes | None]]] = (),
    ) -> PGresult:
        tenants = tenancy.ALL if keys is None else tenancy.setting(key.tenant for key in keys)
        tries = 0
        while True:
            tries += 1
            try:
                return await self._exchange.execute(statement, parameters, tenants=tenants, before=before)
            except (Blocked, Collision, NoConnectionFree) as failure:
                # Many chats wait for what it is to ask, and it asks for all of them at once: so longer than others.
                if tries == TRIES:
                    raise failures.unavailable(
                        _LOCKED if isinstance(failure, Blocked) else failure.told
                    ) from failure
            except BatchFailure as failure:
                raise failures.unavailable(failure.told) from failure


def _rows(requests: Sequence[HoldRequest]) -> bytes:
    rows: list[dict[str, Any]] = [
        {
            "number": number,
            "tenant": request.key.tenant,
            "subject": request.key.subject.kind,
            "subject_id": request.key.subject.id,
            "period": request.key.period,
            "given_start": request.starts_at,
            "limit_usd": request.limit_usd,
            "committed_usd": request.committed_usd,
            "keep_usd": request.keep_usd,
            "needed_usd": request.needed_usd,
            "wished_usd": request.wished_usd,
            "lost_usd": request.lost_usd,
        }
        for number, request in enumerate(requests)
    ]
    return encode_json_bytes(rows)


def _states(keys: Sequence[CounterKey], result: PGresult) -> tuple[CounterState, ...]:
    states: list[CounterState] = []
    for row, key in enumerate(keys):
        _, starts_at, spent, held, others, now = [
            (result.get_value(row, column) or b"").decode() for column in range(6)
        ]
        start = _time(starts_at)
        states.append(
            CounterState(
                starts_at=start,
                resets_at=period_end(key.period, start),
                spent_usd=Decimal(spent),
                held_usd=Decimal(held),
                others_usd=Decimal(others),
                now=_time(now),
            )
        )
    return tuple(states)


def _time(seconds: str) -> datetime.datetime:
    return EPOCH + datetime.timedelta(microseconds=int(Decimal(seconds) * 1_000_000))
