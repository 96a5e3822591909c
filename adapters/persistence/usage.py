"""Reports of what was used, from its sums. Their queries go through `Scope`, which adds the tenant."""

import asyncio
import datetime
import decimal
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs
import sqlalchemy as sa

from adapters.persistence.json_codec import decode_json
from adapters.persistence.scope import Scope
from adapters.persistence.usage_columns import SUMS
from adapters.persistence.usage_select import Groups, Kind, digits_of, group_of, time_of, usage_select
from adapters.persistence.usage_spans import Spans
from domain.latency import NO_LATENCY, Latencies, bucket_of
from domain.usage_report import (
    ErrorRow,
    ErrorSource,
    Grain,
    PromptRow,
    ProviderRow,
    RatingStatistics,
    SeriesOf,
    SeriesPoint,
    UsageCheck,
    UsageQuery,
    UsageRow,
    most_frequent_first,
    whole_hours,
)
from domain.values import frozen

REPORT_S: Final = 30.0
"""How long a report may take, for which a chat's limit is too short: a second adds a million sums up."""
_EXACT: Final = decimal.Context(prec=200)
_MANY: Final = 500
"""Groups that are too many to be looked at in the thread that serves chats."""
_SKIPPED: Final = "skipped_"

_Key = tuple[str | None, ...]


@attrs.define
class _Figures:
    """What the uses of one group add up to."""

    sums: Mapping[str, int] = attrs.field(factory=lambda: dict.fromkeys(SUMS, 0))
    cost_usd: Decimal = Decimal(0)
    latencies: Latencies = attrs.field(factory=Latencies)
    last_at: datetime.datetime | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "_Figures":
        latencies = Latencies()
        for bucket, count, lowest_ms, highest_ms in decode_json(row.get("latencies") or "[]"):
            number = bucket if bucket > NO_LATENCY else bucket_of(NO_LATENCY - 1 - bucket)
            latencies.add(number, count=count, lowest_ms=lowest_ms, highest_ms=highest_ms)
        # Of those alone that have one.
        latencies.total_ms = row["latency_ms"] or 0
        return cls(
            sums={name: row[name] or 0 for name in SUMS},
            cost_usd=Decimal(digits_of(row)),
            latencies=latencies,
            last_at=row["last_at"],
        )


@frozen
class Usage:
    _scope: Scope

    async def report(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        group_by = query.group_by
        groups: Groups = {}
        if group_by is not None:
            groups = {"grouped": group_of(group_by, on_postgresql=self._on_postgresql)}
        spans = Spans.of(query, by_hour=group_by == "hour")
        found = await self._read("user" if group_by == "user" else "answer", groups, spans)
        away = Spans.of(whole_hours(query), by_hour=group_by == "hour")
        refused = {
            key: figures.sums["requests"]
            for key, figures in (await self._read("refusal", groups, away, with_latency=False)).items()
        }
        if group_by is None:
            return (_usage_row(None, found.get((), _Figures()), refused=refused.get((), 0)),)
        has_percentiles = group_by != "user"
        if len(found) < _MANY:
            return _usage_rows(found, refused, has_percentiles)
        # A report of thousands of users takes a moment in which chats would wait.
        return await asyncio.to_thread(_usage_rows, found, refused, has_percentiles)

    async def prompts(self, query: UsageQuery) -> tuple[PromptRow, ...]:
        groups: Groups = {
            "version": lambda fields: fields.prompt_version,
            "label": lambda fields: fields.prompt_label,
        }
        if query.group_by in ("prompt", "prompt_version"):
            groups = {
                "version": group_of(query.group_by, on_postgresql=self._on_postgresql),
                "label": lambda _: sa.cast(sa.null(), sa.Text),
            }
        found = await self._read("answer", groups, Spans.of(whole_hours(query)))
        return tuple(
            [
                PromptRow(prompt_version=key[0], prompt_label=key[1], figures=_usage_row(key[0], found[key]))
                for key in sorted(found, key=_none_last)
            ]
        )

    async def providers(self, query: UsageQuery) -> tuple[ProviderRow, ...]:
        models: dict[tuple[str, str], dict[str, _Figures]] = {}
        groups = _OF_ATTEMPTS
        if query.group_by == "provider":
            groups = {**groups, "model": lambda _: sa.cast(sa.null(), sa.Text)}
        found = await self._read("attempt", groups, Spans.of(whole_hours(query)))
        for (provider, model, outcome), figures in found.items():
            models.setdefault((provider or "", model or ""), {})[outcome or ""] = figures
        return tuple([_provider_row(*key, models[key]) for key in sorted(models)])

    async def errors(self, query: UsageQuery) -> tuple[ErrorRow, ...]:
        spans = Spans.of(whole_hours(query))
        kinds: tuple[tuple[Kind, ErrorSource], ...] = (
            ("answer", "chat"),
            ("attempt", "attempt"),
            ("refusal", "refusal"),
        )
        rows = []
        for kind, source in kinds:
            groups = _OF_ATTEMPTS
            if kind == "refusal" or query.group_by == "key":
                groups = {**groups, "key": lambda fields: fields.key_id}
            found = await self._read(kind, groups, spans, with_latency=False)
            for (provider, model, outcome, *key), figures in found.items():
                if figures.sums["errors"] and figures.last_at is not None:
                    rows.append(
                        ErrorRow(
                            source=source,
                            # `failed/upstream_error` of a chat.
                            code=(outcome or "").rpartition("/")[2],
                            provider=provider,
                            model=model,
                            count=figures.sums["errors"],
                            last_at=figures.last_at,
                            key=key[0] if key else None,
                        )
                    )
        return most_frequent_first(rows)

    async def series(
        self, query: UsageQuery, *, every: Grain, of: SeriesOf = "answers"
    ) -> tuple[SeriesPoint, ...]:
        on_postgresql = self._on_postgresql
        groups: Groups = {"start": lambda fields: time_of(fields, every, on_postgresql=on_postgresql)}
        group_by = query.group_by
        if group_by is not None and (of == "answers" or group_by in ("provider", "model")):
            groups = {"grouped": group_of(group_by, on_postgresql=on_postgresql), **groups}
        kind: Kind = "attempt" if of == "attempts" else "user" if group_by == "user" else "answer"
        if kind == "attempt":
            groups = {**groups, "outcome": lambda fields: fields.outcome}
        spans = Spans.of(whole_hours(query), by_hour=every == "hour" or group_by == "hour")
        found = await self._read(kind, groups, spans, with_latency=False)
        return _points(found, tuple(groups))

    async def check(self, query: UsageQuery) -> tuple[UsageCheck, ...]:
        whole = whole_hours(query)
        groups: Groups = {"grouped": group_of("day", on_postgresql=self._on_postgresql)}
        summed = await self._read("answer", groups, Spans.of(whole), with_latency=False)
        messages = Spans.of_messages(whole.since, whole.until)
        stored = await self._read("answer", groups, messages, with_latency=False)
        nothing = _Figures()
        return tuple(
            [
                UsageCheck(
                    day=datetime.date.fromisoformat(key[0] or ""),
                    summed=_usage_row(key[0], summed.get(key, nothing), has_percentiles=False),
                    stored=_usage_row(key[0], stored.get(key, nothing), has_percentiles=False),
                )
                for key in sorted(summed.keys() | stored.keys(), key=_none_last)
            ]
        )

    @property
    def _on_postgresql(self) -> bool:
        return self._scope.database == "postgresql"

    async def _read(
        self, kind: Kind, groups: Groups, spans: Spans, *, with_latency: bool = True
    ) -> dict[_Key, _Figures]:
        """By the values of the groups, in their order."""
        made = usage_select(
            kind,
            groups,
            spans,
            with_latency=with_latency,
            on_postgresql=self._on_postgresql,
            of_every_tenant=self._scope.is_of_every_tenant,
        )
        await self._scope.allow(REPORT_S)
        rows = await self._scope.rows(made.select, made.source, made.parameters)
        if len(rows) < _MANY:
            return _by_group(rows, tuple(groups))
        return await asyncio.to_thread(_by_group, rows, tuple(groups))


_OF_ATTEMPTS: Final[Groups] = {
    "provider": lambda fields: fields.provider,
    "model": lambda fields: fields.model,
    "outcome": lambda fields: fields.outcome,
}


def _by_group(rows: Sequence[Mapping[str, Any]], names: tuple[str, ...]) -> dict[_Key, _Figures]:
    found = {tuple([row[name] for name in names]): _Figures.of(row) for row in rows}
    # There is nothing where a rating was given and taken back.
    return {key: figures for key, figures in found.items() if any(figures.sums.values())}


def _usage_rows(
    found: Mapping[_Key, _Figures], refused: Mapping[_Key, int], has_percentiles: bool
) -> tuple[UsageRow, ...]:
    nothing = _Figures()
    return tuple(
        [
            _usage_row(
                key[0],
                found.get(key, nothing),
                has_percentiles=has_percentiles,
                refused=refused.get(key, 0),
            )
            for key in sorted(found.keys() | refused.keys(), key=_none_last)
        ]
    )


def _none_last(key: _Key) -> list[tuple[bool, str]]:
    return [(each is None, each or "") for each in key]


def _usage_row(
    group: str | None, figures: _Figures, *, has_percentiles: bool = True, refused: int = 0
) -> UsageRow:
    sums, latencies = figures.sums, figures.latencies
    stars, thumbs_up, thumbs_down = sums["stars"], sums["thumbs_up"], sums["thumbs_down"]
    return UsageRow(
        group=group,
        requests=sums["requests"],
        errors=sums["errors"],
        input_tokens=sums["input_tokens"],
        output_tokens=sums["output_tokens"],
        cached_input_tokens=sums["cached_input_tokens"],
        cache_write_tokens=sums["cache_write_tokens"],
        reasoning_tokens=sums["reasoning_tokens"],
        estimated=sums["estimated"],
        cost_usd=figures.cost_usd,
        unpriced=sums["unpriced"],
        latency_mean_ms=latencies.mean_ms,
        latency_p50_ms=latencies.percentile_ms(0.5) if has_percentiles else None,
        latency_p95_ms=latencies.percentile_ms(0.95) if has_percentiles else None,
        latency_p99_ms=latencies.percentile_ms(0.99) if has_percentiles else None,
        ratings=RatingStatistics(
            count=thumbs_up + thumbs_down + stars,
            # The scores of stars are quarters, so that this is exact.
            total=thumbs_up + (sums["stars_total"] - stars) / 4,
            thumbs_up=thumbs_up,
            thumbs_down=thumbs_down,
            stars=stars,
            stars_total=sums["stars_total"],
        ),
        refused=refused,
    )


def _provider_row(provider: str, model: str, outcomes: Mapping[str, _Figures]) -> ProviderRow:
    sent = [figures for outcome, figures in outcomes.items() if not outcome.startswith(_SKIPPED)]
    went_well = outcomes.get("ok", _Figures()).latencies
    counts = {outcome: figures.sums["requests"] for outcome, figures in outcomes.items()}
    last = [each.last_at for each in sent if each.sums["errors"] and each.last_at is not None]
    cost_usd = Decimal(0)
    for each in sent:
        cost_usd = _EXACT.add(cost_usd, each.cost_usd)
    requests = sum(each.sums["requests"] for each in sent)
    return ProviderRow(
        provider=provider,
        model=model,
        requests=requests,
        errors=sum(each.sums["errors"] for each in sent),
        skipped=sum(counts.values()) - requests,
        failovers=sum(each.sums["failovers"] for each in outcomes.values()),
        outcomes=tuple(sorted(counts.items(), key=lambda each: (-each[1], each[0]))),
        input_tokens=sum(each.sums["input_tokens"] for each in sent),
        output_tokens=sum(each.sums["output_tokens"] for each in sent),
        cost_usd=cost_usd,
        unpriced=sum(each.sums["unpriced"] for each in sent),
        latency_mean_ms=went_well.mean_ms,
        latency_p50_ms=went_well.percentile_ms(0.5),
        latency_p95_ms=went_well.percentile_ms(0.95),
        latency_p99_ms=went_well.percentile_ms(0.99),
        last_error_at=max(last, default=None),
    )


def _points(found: Mapping[_Key, _Figures], names: tuple[str, ...]) -> tuple[SeriesPoint, ...]:
    points: dict[tuple[str | None, str], SeriesPoint] = {}
    for key, figures in found.items():
        of = dict(zip(names, key, strict=True))
        if (of.get("outcome") or "").startswith(_SKIPPED):
            continue
        group, start = of.get("grouped"), of["start"] or ""
        sums = figures.sums
        point = points.get((group, start)) or SeriesPoint(
            group=group, start=_moment(start), requests=0, errors=0, tokens=0, cost_usd=Decimal(0)
        )
        points[group, start] = attrs.evolve(
            point,
            requests=point.requests + sums["requests"],
            errors=point.errors + sums["errors"],
            tokens=point.tokens + sums["input_tokens"] + sums["output_tokens"],
            cost_usd=_EXACT.add(point.cost_usd, figures.cost_usd),
        )
    return tuple([points[key] for key in sorted(points, key=_none_last)])


def _moment(start: str) -> datetime.datetime:
    """Of `2026-11-30` or `2026-11-30T17`."""
    day, _, hour = start.partition("T")
    return datetime.datetime.fromisoformat(f"{day}T{hour or '00'}:00:00+00:00")
