"""The one statement that adds up what was used in some time: sums, what is not in them yet, and ragged ends."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa

from adapters.persistence.column_types import Identifier, Timestamp
from adapters.persistence.id_range import first_after, first_since
from adapters.persistence.tables import (
    ATTEMPTS,
    MESSAGES,
    SESSIONS,
    THREADS,
    USAGE_DAYS,
    USAGE_HOURS,
    USAGE_LOG,
)
from adapters.persistence.usage_columns import SUMS
from adapters.persistence.usage_spans import Span, Spans
from domain.latency import ANY_LATENCY, BOUNDS_MS, NO_LATENCY
from domain.usage_report import UsageGroup
from domain.values import frozen

Kind: TypeAlias = Literal["answer", "user", "attempt", "refusal"]
Column: TypeAlias = sa.ColumnElement[Any]

_M: Final = MESSAGES.c
_STARS: Final = ("1", "2", "3", "4", "5")
_CHUNK: Final = 9
_CHUNKS: Final = 4
"""Of nine digits behind the point: 36 in all, and a thousand million costs before a sum of one leaves 64 bits."""


@frozen(kw_only=True)
class Fields:
    """What a row is of, whichever table it comes from; null where it is of none."""

    tenant: Column
    provider: Column
    model: Column
    prompt_version: Column
    prompt_label: Column
    key_id: Column
    user: Column
    outcome: Column
    time: Column


Groups: TypeAlias = Mapping[str, Callable[[Fields], Column]]
"""By the name that a group has in a row."""


@frozen(kw_only=True)
class UsageSelect:
    """A statement, what it reads from (which has the tenant), and its parameters."""

    select: sa.Select[Any]
    source: sa.FromClause
    parameters: Mapping[str, Any]


def usage_select(
    kind: Kind,
    groups: Groups,
    spans: Spans,
    *,
    with_latency: bool,
    on_postgresql: bool,
    of_every_tenant: bool = False,
) -> UsageSelect:
    """A row for each group, with its latencies as a list of bucket, count, least and most.

    Only answers and users are found in parts of hours. Latencies of users are all in one bucket.
    """
    branches = []
    parameters: dict[str, Any] = {}

    def bound(span: Span) -> tuple[Column, Column]:
        number = len(parameters)
        names = f"since_{number}", f"until_{number}"
        parameters.update(zip(names, span, strict=True))
        since, until = (sa.bindparam(name, type_=Timestamp) for name in names)
        return since, until

    for table, of_table in ((USAGE_DAYS, spans.days), (USAGE_HOURS, spans.hours)):
        for span in of_table:
            since, until = bound(span)
            branch = _of_rows(table, "start", groups, last_at=table.c.last_at)
            branches.append(branch.where(table.c.kind == kind, table.c.start >= since, table.c.start < until))
    if spans.log[0] < spans.log[1]:
        log = USAGE_LOG.c
        since, until = bound(spans.log)
        branch = _of_rows(USAGE_LOG, "at", groups, last_at=log.at, in_one_bucket=kind == "user")
        logged = "answer" if kind == "user" else kind
        branches.append(branch.where(log.kind == logged, log.at >= since, log.at < until))
    for span in spans.edges if kind in ("answer", "user") else ():
        since, until = bound(span)
        bounds = {
            f"first_{len(parameters)}": first_since(span[0]),
            f"beyond_{len(parameters)}": first_after(span[1]),
        }
        first, beyond = (sa.bindparam(name, type_=Identifier) for name in bounds)
        parameters |= bounds
        made = _M.created_at >= since, _M.created_at < until
        answers = _of_messages(kind, groups, counts=True, on_postgresql=on_postgresql)
        branches.append(
            # On PostgreSQL the bounds of the id choose the partitions. An answer, or what there is instead of one; the
            # caller's own turns have neither.
            answers.where(
                _M.id >= first,
                _M.id < beyond,
                *made,
                _M.copied_from.is_(None),
                sa.or_(_M.provider.is_not(None), _M.status != "complete"),
            )
        )
        copies = _of_messages(kind, groups, counts=False, on_postgresql=on_postgresql)
        branches.append(
            # A copy bears the time of its original and a newer id, so months to come are looked at too, by the index
            # of what is rated.
            copies.where(_M.id >= first, *made, _M.copied_from.is_not(None), _M.rating.is_not(None))
        )
    if not branches:
        empty = _of_rows(USAGE_DAYS, "start", groups, last_at=USAGE_DAYS.c.last_at)
        branches.append(empty.where(sa.false()))
    # The tenant stands inside too: no index would be of use outside.
    own = branches
    if not of_every_tenant:
        own = [branch.where(branch.selected_columns.tenant == sa.bindparam("tenant")) for branch in branches]
    used = sa.union_all(*own).subquery("used").c
    by = [used.tenant, *[used[name] for name in groups]]
    if with_latency:
        by.append(used.latency_bucket)
    summed = (
        sa.select(
            *by,
            *[sa.func.sum(used[name]).label(name) for name in SUMS],
            sa.func.min(used.latency_low_ms).label("latency_low_ms"),
            sa.func.max(used.latency_high_ms).label("latency_high_ms"),
            sa.func.max(used.last_at).label("last_at"),
            *(_cost(used) if on_postgresql else _digits(used)),
        )
        .group_by(*by)
        .subquery("summed")
    )
    columns = summed.c
    costs = [column for column in columns if column.name.startswith("cost_")]
    select = sa.select(
        *[columns[name] for name in groups],
        *[sa.cast(sa.func.sum(columns[name]), sa.BigInteger).label(name) for name in SUMS],
        sa.func.max(columns.last_at).label("last_at"),
        *[sa.func.sum(column).label(column.name) for column in costs],
        *([_latencies(columns, on_postgresql)] if with_latency else []),
    ).group_by(*[columns[name] for name in groups])
    return UsageSelect(select=select, source=summed, parameters=parameters)


def _latencies(columns: Any, on_postgresql: bool) -> Column:
    each = columns.latency_bucket, columns.requests, columns.latency_low_ms, columns.latency_high_ms
    if on_postgresql:
        # A sum is numeric, which would come as text.
        whole = [sa.cast(column, sa.BigInteger) for column in each]
        found = sa.func.json_agg(sa.func.json_build_array(*whole))
    else:
        found = sa.func.json_group_array(sa.func.json_array(*each))
    counts = columns.latency_bucket != NO_LATENCY
    return sa.cast(found.filter(counts), sa.Text).label("latencies")


def group_of(group_by: UsageGroup, *, on_postgresql: bool) -> Callable[[Fields], Column]:
    match group_by:
        case "model":
            return lambda fields: fields.provider.concat(":").concat(fields.model)
        case "provider":
            return lambda fields: fields.provider
        case "prompt":
            return lambda fields: _prompt(fields, on_postgresql)
        case "prompt_version":
            return lambda fields: fields.prompt_version
        case "label":
            return lambda fields: _prompt(fields, on_postgresql).concat("@").concat(fields.prompt_label)
        case "user":
            return lambda fields: fields.user
        case "key":
            return lambda fields: fields.key_id
        case "day":
            return lambda fields: time_of(fields, "day", on_postgresql=on_postgresql)
        case "hour":
            return lambda fields: time_of(fields, "hour", on_postgresql=on_postgresql)
        case "tenant":
            return lambda fields: fields.tenant


def time_of(fields: Fields, grain: Literal["hour", "day"], *, on_postgresql: bool) -> Column:
    """`2026-11-30` and `2026-11-30T17`."""
    if on_postgresql:
        pattern = "YYYY-MM-DD" if grain == "day" else 'YYYY-MM-DD"T"HH24'
        return sa.func.to_char(sa.func.timezone("UTC", fields.time), pattern)
    return sa.func.substr(sa.type_coerce(fields.time, sa.Text), 1, 10 if grain == "day" else 13)


def digits_of(row: Mapping[str, Any]) -> str:
    """A cost as the rows of a `UsageSelect` have it."""
    if "cost_usd" in row:
        return str(row["cost_usd"] or 0)
    total = 0
    for index in range(_CHUNKS + 1):
        total = total * 10**_CHUNK + int(row[f"cost_{index}"] or 0)
    return f"{total}E-{_CHUNK * _CHUNKS}"


def _prompt(fields: Fields, on_postgresql: bool) -> Column:
    version = fields.prompt_version
    if on_postgresql:
        return sa.func.split_part(version, ":", 1)
    return sa.func.substr(version, 1, sa.func.instr(version.concat(":"), ":") - 1)


def _of_rows(
    table: sa.Table, time: str, groups: Groups, *, last_at: Column, in_one_bucket: bool = False
) -> sa.Select[Any]:
    columns = table.c
    bucket: Column = columns.latency_bucket
    if in_one_bucket:
        bucket = sa.case((bucket == NO_LATENCY, NO_LATENCY), else_=ANY_LATENCY)
    names = ("provider", "model", "prompt_version", "prompt_label", "key_id", "user", "outcome")
    of = {name: sa.func.nullif(columns[name], "") for name in names}
    fields = Fields(**of, tenant=columns.tenant, time=columns[time])
    return sa.select(
        columns.tenant,
        *[make(fields).label(name) for name, make in groups.items()],
        bucket.label("latency_bucket"),
        *[columns[name] for name in SUMS],
        columns.latency_low_ms,
        columns.latency_high_ms,
        columns.cost_usd,
        last_at.label("last_at"),
    )


def _of_messages(kind: Kind, groups: Groups, *, counts: bool, on_postgresql: bool) -> sa.Select[Any]:
    """
    Args:
        counts: False where nothing but the rating does.
    """
    source: sa.FromClause = MESSAGES
    if kind == "user":
        source = source.outerjoin(
            THREADS, sa.and_(THREADS.c.id == _M.thread_id, THREADS.c.tenant == _M.tenant)
        ).outerjoin(
            SESSIONS, sa.and_(SESSIONS.c.id == THREADS.c.session_id, SESSIONS.c.tenant == THREADS.c.tenant)
        )
    fields = Fields(
        tenant=_M.tenant,
        # As the log has it; it is looked for where there is none alone.
        provider=sa.func.coalesce(_M.provider, _asked_first(ATTEMPTS.c.provider)) if counts else _M.provider,
        model=sa.func.coalesce(_M.model, _asked_first(ATTEMPTS.c.model)) if counts else _M.model,
        prompt_version=_M.prompt_version,
        prompt_label=_M.prompt_label,
        key_id=sa.cast(_M.key_id, sa.Text),
        user=SESSIONS.c.user,
        outcome=sa.case((_M.status != "complete", _M.status)),
        time=_M.created_at,
    )
    stars = _M.rating.in_(_STARS)
    nothing = sa.literal_column("0", sa.BigInteger)
    figures: dict[str, Column] = dict.fromkeys(SUMS, nothing)
    latency_ms = sa.case((_M.status == "complete", _M.latency_ms)) if counts else sa.null()
    if counts:
        tokens = [name for name in SUMS if name.endswith("_tokens")]
        figures |= {name: sa.func.coalesce(_M[name], 0) for name in tokens}
        figures |= {
            "requests": sa.literal_column("1", sa.BigInteger),
            "errors": sa.case((_M.status == "failed", 1), else_=0),
            "unpriced": sa.case((_M.cost_usd.is_(None), 1), else_=0),
            "estimated": sa.case((_M.usage_estimated, 1), else_=0),
            "latency_ms": sa.func.coalesce(latency_ms, 0),
        }
    figures |= {
        "thumbs_up": sa.case((_M.rating == "thumbs_up", 1), else_=0),
        "thumbs_down": sa.case((_M.rating == "thumbs_down", 1), else_=0),
        "stars": sa.case((stars, 1), else_=0),
        "stars_total": sa.case((stars, sa.cast(_M.rating, sa.Integer)), else_=0),
    }
    bucket: Column = sa.literal_column(str(NO_LATENCY), sa.Integer)
    if counts and kind == "user":
        bucket = sa.case((latency_ms.is_not(None), ANY_LATENCY), else_=NO_LATENCY)
    elif counts:
        # SQLite knows no buckets: there each latency is one, told from those by being less than none.
        found: Column = NO_LATENCY - 1 - latency_ms
        if on_postgresql:
            bounds = ", ".join(map(str, BOUNDS_MS))
            found = sa.func.width_bucket(
                latency_ms, sa.literal_column(f"ARRAY[{bounds}]::bigint[]"), type_=sa.Integer
            )
        bucket = sa.func.coalesce(found, NO_LATENCY)
    cost: Column = _M.cost_usd if counts else sa.cast(sa.null(), _M.cost_usd.type)
    least_ms = sa.func.coalesce(latency_ms, 0) if counts else nothing
    return sa.select(
        _M.tenant,
        *[make(fields).label(name) for name, make in groups.items()],
        bucket.label("latency_bucket"),
        *[figures[name].label(name) for name in SUMS],
        least_ms.label("latency_low_ms"),
        least_ms.label("latency_high_ms"),
        cost.label("cost_usd"),
        _M.created_at.label("last_at"),
    ).select_from(source)


def _asked_first(column: Column) -> Column:
    """Of the model that was asked first for a message."""
    attempts = ATTEMPTS.c
    return (
        sa.select(column)
        .where(attempts.message_id == _M.id, attempts.tenant == _M.tenant, attempts.purpose.is_(None))
        .order_by(attempts.number)
        .limit(1)
        .correlate(MESSAGES)
        .scalar_subquery()
    )


def _cost(columns: Any) -> Sequence[Column]:
    return [sa.type_coerce(sa.func.sum(columns.cost_usd), sa.Numeric()).label("cost_usd")]


def _digits(columns: Any) -> Sequence[Column]:
    """SQLite adds decimal text up as binary fractions, so its digits are added as integers, nine at a time."""
    cost = sa.type_coerce(columns.cost_usd, sa.Text)
    digits = sa.func.substr(cost, sa.func.instr(cost.concat("."), ".") + 1).concat("0" * _CHUNK * _CHUNKS)
    return [
        sa.func.sum(sa.cast(cost, sa.Integer)).label("cost_0"),
        *[
            sa.func.sum(sa.cast(sa.func.substr(digits, _CHUNK * index + 1, _CHUNK), sa.Integer)).label(
                f"cost_{index + 1}"
            )
            for index in range(_CHUNKS)
        ],
    ]
