"""Anomalies that were seen, in SQL."""

import datetime
from collections.abc import Sequence
from typing import Any, Final

import attrs
import sqlalchemy as sa

from adapters.persistence.scope import Scope
from adapters.persistence.tables import ANOMALIES
from domain.anomaly_record import KEPT_DAYS, SeenAnomaly
from domain.clean_text import clean
from domain.values import frozen

_C: Final = ANOMALIES.c
_FORGET: Final = sa.delete(ANOMALIES).where(_C.at < sa.bindparam("kept_since", type_=_C.at.type))
_LATEST: Final[sa.Select[Any]] = (
    sa.select(ANOMALIES)
    .where(_C.at >= sa.bindparam("since", type_=_C.at.type), _C.at < sa.bindparam("until", type_=_C.at.type))
    .order_by(_C.at.desc(), _C.id.desc())
    .limit(sa.bindparam("at_most"))
)


@frozen
class Anomalies:
    _scope: Scope

    async def add(self, anomalies: Sequence[SeenAnomaly]) -> None:
        if not anomalies:
            return
        await self._scope.add(ANOMALIES, [clean(attrs.asdict(each)) for each in anomalies])
        kept_since = max(each.at for each in anomalies) - datetime.timedelta(days=KEPT_DAYS)
        await self._scope.change(_FORGET, ANOMALIES, {"kept_since": kept_since})

    async def list(
        self, *, since: datetime.datetime, until: datetime.datetime, limit: int
    ) -> tuple[SeenAnomaly, ...]:
        bound = {"since": since, "until": until, "at_most": limit}
        rows = await self._scope.rows(_LATEST, ANOMALIES, bound)
        return tuple(
            SeenAnomaly(**{field.name: row[field.name] for field in attrs.fields(SeenAnomaly)})
            for row in rows
        )
