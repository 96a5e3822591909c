"""The usage report, added up by the database. Its queries go through `Scope`, which adds the tenant."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs
import sqlalchemy as sa

from adapters.persistence.column_types import Identifier, Timestamp
from adapters.persistence.id_range import first_after, first_since
from adapters.persistence.scope import Scope
from adapters.persistence.tables import MESSAGES, SESSIONS, THREADS
from domain.usage_report import RatingStatistics, UsageGroup, UsageQuery, UsageRow

_M: Final = MESSAGES.c
_FRACTION: Final = 0.5, 0.95
REPORT_S: Final = 30.0
"""How long a report may take, for which a chat's limit is too short: a second adds some 200,000 answers up."""
_CHUNK: Final = 9
_CHUNKS: Final = 4
"""Of nine digits behind the point: 36 in all, and a thousand million costs before a sum of one leaves 64 bits."""
_STARS: Final = ("1", "2", "3", "4", "5")

_IS_COUNTED: Final = sa.and_(
    # On PostgreSQL the bounds of the id choose the partitions.
    _M.id >= sa.bindparam("first", type_=Identifier),
    _M.id < sa.bindparam("beyond", type_=Identifier),
    _M.created_at >= sa.bindparam("since", type_=Timestamp),
    _M.created_at < sa.bindparam("until", type_=Timestamp),
    _M.copied_from.is_(None),
    # An answer, or what there is instead of one; the caller's own turns have neither.
    sa.or_(_M.provider.is_not(None), _M.status != "complete"),
)
_IS_RATED_COPY: Final = sa.and_(
    # A copy bears the time of its original and a newer id, so months to come are looked at too, by the index of
    # what is rated.
    _M.id >= sa.bindparam("first", type_=Identifier),
    _M.created_at >= sa.bindparam("since", type_=Timestamp),
    _M.created_at < sa.bindparam("until", type_=Timestamp),
    _M.copied_from.is_not(None),
    _M.rating.is_not(None),
)


@attrs.frozen
class Usage:
    _scope: Scope

    async def report(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        on_postgresql = self._scope.database == "postgresql"
        counted = _counted(query.group_by, on_postgresql=on_postgresql)
        columns = counted.c
        select = sa.select(
            columns.grouped,
            *_sums(columns),
            *(_postgresql_columns(columns) if on_postgresql else _sqlite_columns(columns)),
        )
        if query.group_by is not None:
            select = select.group_by(columns.grouped)
        else:
            select = select.with_only_columns(
                *[each for each in select.selected_columns if each.key != "grouped"]
            )
        parameters = {
            "first": first_since(query.since),
            "beyond": first_after(query.until),
            "since": query.since,
            "until": query.until,
        }
        await self._scope.allow(REPORT_S)
        rows = [_row_of(row) for row in await self._scope.rows(select, counted, parameters)]
        return tuple(sorted(rows, key=lambda row: (row.group is None, row.group or "")))


def _counted(group_by: UsageGroup | None, *, on_postgresql: bool) -> sa.Subquery:
    """One row for each answer, and one for each copy of an answer that was rated, of which nothing but the rating
    counts: all else is null. The tenant stands inside too, so that a window never sees another one's.
    """
    grouped = _group(group_by, on_postgresql=on_postgresql).label("grouped")
    latency_ms = sa.case((_M.status == "complete", _M.latency_ms))
    summed = [_M.status, _M.input_tokens, _M.output_tokens, _M.cached_input_tokens, _M.cost_usd]
    figures: list[sa.ColumnElement[Any]] = [*summed, latency_ms.label("latency_ms")]
    if not on_postgresql:
        of_group = _group(group_by, on_postgresql=False)
        figures += [
            sa.func.row_number()
            .over(partition_by=[of_group, latency_ms.is_(None)], order_by=latency_ms)
            .label("rank"),
            sa.func.count(latency_ms).over(partition_by=of_group).label("ranks"),
        ]
    source: sa.FromClause = MESSAGES
    if group_by == "user":
        source = source.outerjoin(
            THREADS, sa.and_(THREADS.c.id == _M.thread_id, THREADS.c.tenant == _M.tenant)
        ).outerjoin(
            SESSIONS, sa.and_(SESSIONS.c.id == THREADS.c.session_id, SESSIONS.c.tenant == THREADS.c.tenant)
        )
    is_own = _M.tenant == sa.bindparam("tenant")
    answers = sa.select(_M.tenant, grouped, _M.rating, *figures).select_from(source)
    nothing = [sa.null().label(each.key) for each in figures]
    copies = sa.select(_M.tenant, grouped, _M.rating, *nothing).select_from(source)
    return sa.union_all(answers.where(_IS_COUNTED, is_own), copies.where(_IS_RATED_COPY, is_own)).subquery(
        "counted"
    )


def _group(group_by: UsageGroup | None, *, on_postgresql: bool) -> sa.ColumnElement[Any]:
    version = _M.prompt_version
    if on_postgresql:
        prompt: sa.ColumnElement[Any] = sa.func.split_part(version, ":", 1)
        day = sa.func.to_char(sa.func.timezone("UTC", _M.created_at), "YYYY-MM-DD")
    else:
        prompt = sa.func.substr(version, 1, sa.func.instr(version.concat(":"), ":") - 1)
        day = sa.func.substr(sa.type_coerce(_M.created_at, sa.Text), 1, 10)
    match group_by:
        case "model":
            return _M.provider.concat(":").concat(_M.model)
        case "provider":
            return _M.provider
        case "prompt":
            return prompt
        case "prompt_version":
            return version
        case "label":
            return prompt.concat("@").concat(_M.prompt_label)
        case "user":
            return SESSIONS.c.user
        case "day":
            return day
        case None:
            return sa.literal(1)


def _sums(columns: Any) -> list[sa.ColumnElement[Any]]:
    rating = columns.rating
    stars = sa.case((rating.in_(_STARS), sa.cast(rating, sa.Integer)))
    return [
        sa.func.count(columns.status).label("requests"),
        sa.func.sum(sa.case((columns.status == "failed", 1), else_=0)).label("errors"),
        sa.func.sum(columns.input_tokens).label("input_tokens"),
        sa.func.sum(columns.output_tokens).label("output_tokens"),
        sa.func.sum(columns.cached_input_tokens).label("cached_input_tokens"),
        sa.func.count(columns.cost_usd).label("priced"),
        sa.func.avg(columns.latency_ms).label("latency_mean_ms"),
        sa.func.count(rating).label("ratings"),
        sa.func.sum(sa.case((rating == "thumbs_up", 1), else_=0)).label("thumbs_up"),
        sa.func.sum(sa.case((rating == "thumbs_down", 1), else_=0)).label("thumbs_down"),
        sa.func.count(stars).label("stars"),
        sa.func.sum(stars).label("stars_total"),
    ]


def _postgresql_columns(columns: Any) -> list[sa.ColumnElement[Any]]:
    return [
        sa.type_coerce(sa.func.sum(columns.cost_usd), sa.Numeric()).label("cost_usd"),
        *[
            sa.func.percentile_cont(fraction).within_group(columns.latency_ms.asc()).label(name)
            for fraction, name in zip(_FRACTION, ("p50", "p95"), strict=True)
        ],
    ]


def _sqlite_columns(columns: Any) -> list[sa.ColumnElement[Any]]:
    """SQLite adds decimal text up as binary fractions, so its digits are added as integers, nine at a time."""
    cost = sa.type_coerce(columns.cost_usd, sa.Text)
    digits = sa.func.substr(cost, sa.func.instr(cost.concat("."), ".") + 1).concat("0" * _CHUNK * _CHUNKS)
    whole = sa.func.sum(sa.cast(cost, sa.Integer)).label("cost_0")
    chunks = [
        sa.func.sum(sa.cast(sa.func.substr(digits, _CHUNK * index + 1, _CHUNK), sa.Integer)).label(
            f"cost_{index + 1}"
        )
        for index in range(_CHUNKS)
    ]
    # Between the two nearest, as `percentile_cont` does it: each counts by how near it is to the place.
    percentiles = [
        sa.func.sum(
            columns.latency_ms
            * sa.func.max(0.0, 1.0 - sa.func.abs(columns.rank - 1 - fraction * (columns.ranks - 1)))
        ).label(name)
        for fraction, name in zip(_FRACTION, ("p50", "p95"), strict=True)
    ]
    return [whole, *chunks, *percentiles]


def _row_of(row: Mapping[str, Any]) -> UsageRow:
    requests = int(row["requests"])
    stars, stars_total = int(row["stars"]), int(row["stars_total"] or 0)
    thumbs_up = int(row["thumbs_up"] or 0)
    return UsageRow(
        group=row.get("grouped"),
        requests=requests,
        errors=int(row["errors"] or 0),
        input_tokens=int(row["input_tokens"] or 0),
        output_tokens=int(row["output_tokens"] or 0),
        cached_input_tokens=int(row["cached_input_tokens"] or 0),
        cost_usd=_cost_of(row),
        unpriced=requests - int(row["priced"]),
        latency_mean_ms=_milliseconds(row["latency_mean_ms"]),
        latency_p50_ms=_milliseconds(row["p50"]),
        latency_p95_ms=_milliseconds(row["p95"]),
        ratings=RatingStatistics(
            count=int(row["ratings"]),
            # The scores of stars are quarters, so that this is exact.
            total=thumbs_up + (stars_total - stars) / 4,
            thumbs_up=thumbs_up,
            thumbs_down=int(row["thumbs_down"] or 0),
            stars=stars,
            stars_total=stars_total,
        ),
    )


def _cost_of(row: Mapping[str, Any]) -> Decimal:
    if "cost_usd" in row:
        return Decimal(row["cost_usd"] or 0)
    total = 0
    for index in range(_CHUNKS + 1):
        total = total * 10**_CHUNK + int(row[f"cost_{index}"] or 0)
    return Decimal(f"{total}E-{_CHUNK * _CHUNKS}")  # by a text: arithmetic would round to 28 digits


def _milliseconds(value: Any) -> float | None:
    """To the microsecond, below which databases add up differently."""
    return None if value is None else round(float(value), 3)
