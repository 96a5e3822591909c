"""Idempotency keys. The commit queue completes them, in the transaction that stores their chat."""

import datetime
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from adapters.persistence.column_types import Timestamp
from adapters.persistence.scope import Scope
from adapters.persistence.tables import IDEMPOTENCY_KEYS
from domain.answer_codec import decode_answer
from domain.idempotency import (
    KEEP,
    LEASE_S,
    Answered,
    Claimed,
    ClaimOutcome,
    IdempotencyKey,
    InFlight,
    OfAnotherRequest,
)
from domain.values import frozen

_KEY: Final = IDEMPOTENCY_KEYS.c
_OF_KEY: Final = _KEY.key == sa.bindparam("of_key")
_IS_OPEN: Final = _KEY.state != "done"
_RELEASE: Final = sa.delete(IDEMPOTENCY_KEYS).where(_OF_KEY, _KEY.owner == sa.bindparam("of_owner"), _IS_OPEN)


@frozen
class Idempotency:
    _scope: Scope

    async def claim(self, key: IdempotencyKey, *, owner: str) -> ClaimOutcome:
        statements = _statements(self._scope.database)
        given = {"of_key": key.key, "of_fingerprint": key.fingerprint, "of_owner": owner}
        claimed = Claimed(key=key.key, owner=owner)
        if await self._scope.upsert(statements.claim, given):
            return claimed
        # The row stays as it is until the transaction ends: the upsert locked what it came upon and did not change.
        rows = await self._scope.rows(statements.read, IDEMPOTENCY_KEYS, {"of_key": key.key})
        row = rows[0]
        if row["fingerprint"] != key.fingerprint:
            return OfAnotherRequest()
        if row["state"] != "done":
            left: datetime.timedelta = row["lease_until"] - row["now"]
            return InFlight(lease_left_s=max(0.0, left.total_seconds()))
        answer = decode_answer(row["answer"])
        if answer is not None:
            return Answered(answer=answer)
        # Completed by a lor3 that writes answers in another form: it counts as absent.
        await self._scope.change(statements.take, IDEMPOTENCY_KEYS, {"of_key": key.key, "new_owner": owner})
        return claimed

    async def renew(self, claims: Sequence[Claimed]) -> None:
        if claims:
            await self._scope.change(
                _statements(self._scope.database).renew,
                IDEMPOTENCY_KEYS,
                {
                    "of_keys": [claim.key for claim in claims],
                    "of_owners": [claim.owner for claim in claims],
                    "of_tenant": self._scope.tenant,
                },
            )

    async def release(self, claim: Claimed) -> None:
        await self._scope.change(_RELEASE, IDEMPOTENCY_KEYS, {"of_key": claim.key, "of_owner": claim.owner})

    async def interrupt(self) -> int:
        return await self._scope.change(_statements(self._scope.database).interrupt, IDEMPOTENCY_KEYS, {})


@frozen(kw_only=True)
class _Statements:
    claim: sa.Insert
    read: sa.Select[Any]
    take: sa.Update
    renew: sa.Update
    interrupt: sa.Update


@lru_cache
def _statements(database: str) -> _Statements:
    now, until, expiry = _time(database), _time(database, LEASE_S), _time(database, KEEP.total_seconds())
    # The dialect's own module, which is imported already where its database is in use.
    if database == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_on_postgresql

        insert = insert_on_postgresql(IDEMPOTENCY_KEYS)
    else:
        from sqlalchemy.dialects.sqlite import insert as insert_on_sqlite

        insert = insert_on_sqlite(IDEMPOTENCY_KEYS)  # type: ignore[assignment]  # the two share no base with `excluded`
    fresh = {
        "state": "in_flight",
        "lease_until": until,
        "message_id": None,
        "thread_id": None,
        "answer": None,
    }
    is_over = _KEY.expires_at <= now
    is_silent = sa.and_(_IS_OPEN, _KEY.lease_until <= now)
    claim = insert.values(
        **fresh,
        tenant=sa.bindparam("of_tenant"),
        key=sa.bindparam("of_key"),
        fingerprint=sa.bindparam("of_fingerprint"),
        owner=sa.bindparam("of_owner"),
        created_at=now,
        expires_at=expiry,
    )
    claim = claim.on_conflict_do_update(
        index_elements=[_KEY.key, _KEY.tenant],
        set_={
            **fresh,
            "fingerprint": insert.excluded.fingerprint,
            "owner": insert.excluded.owner,
            "created_at": sa.case((is_over, now), else_=_KEY.created_at),
            "expires_at": sa.case((is_over, expiry), else_=_KEY.expires_at),
        },
        where=sa.or_(is_over, sa.and_(is_silent, _KEY.fingerprint == insert.excluded.fingerprint)),
    )
    # In the order in which the commit queue locks them, so that neither waits for the other in a circle.
    held = (
        sa.select(_KEY.key)
        .where(
            _KEY.key.in_(sa.bindparam("of_keys", expanding=True)),
            _KEY.owner.in_(sa.bindparam("of_owners", expanding=True)),
            _KEY.tenant == sa.bindparam("of_tenant"),
            _IS_OPEN,
        )
        .order_by(_KEY.key)
        .with_for_update(key_share=True)
    )
    silent = (
        sa.select(_KEY.key)
        .where(_KEY.tenant == sa.bindparam("of_tenant"), _KEY.state == "in_flight", _KEY.lease_until <= now)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return _Statements(
        claim=claim.returning(_KEY.owner),
        read=sa.select(_KEY.fingerprint, _KEY.state, _KEY.lease_until, _KEY.answer, now.label("now")).where(
            _OF_KEY
        ),
        take=sa.update(IDEMPOTENCY_KEYS)
        .where(_OF_KEY)
        .values(**fresh, owner=sa.bindparam("new_owner"), created_at=now, expires_at=expiry),
        # An interrupted claim that nobody took over is its owner's all the same.
        renew=sa.update(IDEMPOTENCY_KEYS)
        .where(_KEY.key.in_(held))
        .values(state="in_flight", lease_until=until),
        interrupt=sa.update(IDEMPOTENCY_KEYS).where(_KEY.key.in_(silent)).values(state="interrupted"),
    )


def _time(database: str, after_s: float = 0.0) -> sa.ColumnElement[datetime.datetime]:
    """The database's own clock, the same for all replicas. Not the transaction's start: it may have waited."""
    if database == "postgresql":
        return sa.literal_column(f"clock_timestamp() + interval '{after_s} seconds'", Timestamp)
    # As `Timestamp` writes times on SQLite, so that they compare.
    return sa.literal_column(
        f"strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now', '+{after_s} seconds')", Timestamp
    )
