"""Reports over what is in this process: added up from the messages, for as long as they are kept."""

import datetime
import decimal
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final, TypeVar

import attrs

from adapters.in_memory.tenant_view import TenantView
from domain.attempt import Attempt
from domain.failovers import fell_back
from domain.feedback import score
from domain.ids import Tenant
from domain.latency import Latencies
from domain.model import ModelRef
from domain.refusal import RefusalCount
from domain.thread import StoredMessage
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
    UsageGroup,
    UsageQuery,
    UsageRow,
    hour_of,
    most_frequent_first,
    whole_hours,
)
from domain.values import frozen

T = TypeVar("T")

_EXACT: Final = decimal.Context(prec=200)


def _prompt(stored: StoredMessage) -> str | None:
    return None if stored.prompt_version is None else stored.prompt_version.partition(":")[0]


def _label(stored: StoredMessage) -> str | None:
    prompt = _prompt(stored)
    return None if prompt is None or stored.prompt_label is None else f"{prompt}@{stored.prompt_label}"


_GROUPS: Final[dict[UsageGroup, Callable[[StoredMessage], str | None]]] = {
    "prompt": _prompt,
    "prompt_version": lambda each: each.prompt_version,
    "label": _label,
    "key": lambda each: each.key_id,
    "day": lambda each: each.created_at.astimezone(datetime.UTC).date().isoformat(),
    "hour": lambda each: f"{hour_of(each.created_at):%Y-%m-%dT%H}",
    "tenant": lambda each: each.tenant,
}


@frozen
class _Try:
    at: datetime.datetime
    """When its chat was answered."""
    attempt: Attempt
    failed_over: bool


@frozen
class InMemoryUsage:
    _view: TenantView

    async def report(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        groups: dict[str | None, list[StoredMessage]] = {} if query.group_by is not None else {None: []}
        refused: Counter[str | None] = Counter()
        whole = whole_hours(query)
        for tenant, refusal in self._view.refusals.by_tenant():
            if whole.since <= refusal.last_at < whole.until:
                group = _group_of_refusal(tenant, refusal, query.group_by)
                refused[group] += refusal.count
                groups.setdefault(group, [])
        for each in self._messages(whole_hours(query) if query.is_open else query, since=query.since):
            groups.setdefault(self._group_of(each, query.group_by), []).append(each)
        rows = [
            attrs.evolve(_row(group, groups[group]), refused=refused[group])
            for group in sorted(groups, key=_none_last)
        ]
        if query.group_by == "user":  # of users the real stores keep the mean alone
            rows = [
                attrs.evolve(row, latency_p50_ms=None, latency_p95_ms=None, latency_p99_ms=None)
                for row in rows
            ]
        return tuple(rows)

    async def prompts(self, query: UsageQuery) -> tuple[PromptRow, ...]:
        found: dict[tuple[str | None, str | None], list[StoredMessage]] = {}
        for each in self._messages(whole_hours(query)):
            of = each.prompt_version, each.prompt_label
            if query.group_by in ("prompt", "prompt_version"):
                of = self._group_of(each, query.group_by), None
            found.setdefault(of, []).append(each)
        return tuple(
            [
                PromptRow(
                    prompt_version=version,
                    prompt_label=label,
                    figures=_row(version, found[version, label]),
                )
                for version, label in sorted(found, key=lambda key: tuple(map(_none_last, key)))
            ]
        )

    async def providers(self, query: UsageQuery) -> tuple[ProviderRow, ...]:
        found: dict[tuple[str, str], list[_Try]] = {}
        for each in self._attempts(whole_hours(query)):
            model = each.attempt.model
            name = "" if query.group_by == "provider" else model.model
            found.setdefault((model.provider, name), []).append(each)
        return tuple([_provider_row(*key, found[key]) for key in sorted(found)])

    async def errors(self, query: UsageQuery) -> tuple[ErrorRow, ...]:
        found: dict[tuple[ErrorSource, str, str | None, str | None, str | None], list[datetime.datetime]] = {}
        whole = whole_hours(query)
        for message in self._messages(whole):
            if message.copied_from is None and message.status == "failed":
                asked = self._model_of(message)
                of = (None, None) if asked is None else (asked.provider, asked.model)
                key = message.key_id if query.group_by == "key" else None
                found.setdefault(("chat", message.error_code or "", *of, key), []).append(message.created_at)
        for each in self._attempts(whole):
            if _failed(each.attempt):
                model = each.attempt.model
                kind = each.attempt.outcome, model.provider, model.model, None
                found.setdefault(("attempt", *kind), []).append(each.at)
        refused: dict[tuple[str, str | None], list[RefusalCount]] = {}
        for refusal in self._view.refusals.values():
            if whole.since <= refusal.last_at < whole.until:
                refused.setdefault((refusal.code, refusal.key_id), []).append(refusal)
        rows = [
            ErrorRow(
                source="refusal",
                code=code,
                provider=None,
                model=None,
                count=sum(each.count for each in counts),
                last_at=max(each.last_at for each in counts),
                key=key,
            )
            for (code, key), counts in refused.items()
        ]
        rows += [
            ErrorRow(
                source=source,
                code=code,
                provider=provider,
                model=model,
                count=len(at),
                last_at=max(at),
                key=key,
            )
            for (source, code, provider, model, key), at in found.items()
        ]
        return most_frequent_first(rows)

    async def series(
        self, query: UsageQuery, *, every: Grain, of: SeriesOf = "answers"
    ) -> tuple[SeriesPoint, ...]:
        whole = whole_hours(query)
        points: dict[tuple[str | None, datetime.datetime], list[tuple[bool, int, Decimal]]] = {}
        if of == "attempts":
            for tried in self._attempts(whole):
                attempt = tried.attempt
                if attempt.was_sent:
                    group = {"provider": attempt.model.provider, "model": str(attempt.model)}.get(
                        query.group_by or ""
                    )
                    tokens = attempt.usage.input_tokens + attempt.usage.output_tokens
                    figure = _failed(attempt), tokens, attempt.cost_usd or Decimal(0)
                    points.setdefault((group, _start(tried.at, every)), []).append(figure)
        else:
            for each in self._messages(whole):
                if each.copied_from is None:
                    usage = each.usage
                    tokens = 0 if usage is None else usage.input_tokens + usage.output_tokens
                    figure = each.status == "failed", tokens, each.cost_usd or Decimal(0)
                    group = self._group_of(each, query.group_by)
                    points.setdefault((group, _start(each.created_at, every)), []).append(figure)
        return tuple(
            [
                SeriesPoint(
                    group=group,
                    start=start,
                    requests=len(figures),
                    errors=sum(failed for failed, _, _ in figures),
                    tokens=sum(tokens for _, tokens, _ in figures),
                    cost_usd=_sum([cost for _, _, cost in figures]),
                )
                for (group, start), figures in sorted(
                    points.items(), key=lambda item: (_none_last(item[0][0]), item[0][1])
                )
            ]
        )

    async def check(self, query: UsageQuery) -> tuple[UsageCheck, ...]:
        self._view.shelves.demand()
        return ()

    def _messages(
        self, query: UsageQuery, *, since: datetime.datetime | None = None
    ) -> Iterable[StoredMessage]:
        """What counts, and what is rated, of that time; from a later beginning, where one is given."""
        self._view.shelves.demand()
        first = query.since if since is None else since
        for each in self._view.messages.values():
            if (_is_counted(each) or _is_rated_copy(each)) and first <= each.created_at < query.until:
                yield each

    def _attempts(self, query: UsageQuery) -> "Iterable[_Try]":
        self._view.shelves.demand()
        for stored in self._view.messages.values():
            if query.since <= stored.created_at < query.until:
                attempts = self._view.attempts.get(stored.id) or ()
                for attempt, failed_over in zip(attempts, fell_back(attempts), strict=True):
                    yield _Try(stored.created_at, attempt, failed_over)

    def _group_of(self, stored: StoredMessage, group_by: UsageGroup | None) -> str | None:
        if group_by is None:
            return None
        if group_by in ("model", "provider"):
            model = self._model_of(stored)
            return None if model is None else str(model) if group_by == "model" else model.provider
        if group_by != "user":
            return _GROUPS[group_by](stored)
        thread = self._view.threads.get(stored.thread_id)
        session = None if thread is None else self._view.sessions.get(thread.session_id)
        return None if session is None else session.user

    def _model_of(self, stored: StoredMessage) -> ModelRef | None:
        """The one that answered, else the one that was asked first."""
        if stored.model is not None or stored.copied_from is not None:
            return stored.model
        attempts = self._view.attempts.get(stored.id) or ()
        return next((each.model for each in attempts if each.purpose == "answer"), None)


def _group_of_refusal(tenant: Tenant, refusal: RefusalCount, group_by: UsageGroup | None) -> str | None:
    at = refusal.last_at.astimezone(datetime.UTC)
    match group_by:
        case "key":
            return refusal.key_id
        case "day":
            return at.date().isoformat()
        case "hour":
            return f"{at:%Y-%m-%dT%H}"
        case "tenant":
            return tenant
    return None


def _none_last(group: str | None) -> tuple[bool, str]:
    return group is None, group or ""


def _start(at: datetime.datetime, every: Grain) -> datetime.datetime:
    hour = hour_of(at)
    return hour if every == "hour" else hour.replace(hour=0)


def _failed(attempt: Attempt) -> bool:
    return attempt.was_sent and attempt.outcome not in ("ok", "cancelled")


def _is_counted(stored: StoredMessage) -> bool:
    """An answer, or what there is instead of one; the caller's own turns have neither model nor failure."""
    return stored.copied_from is None and (stored.model is not None or stored.status != "complete")


def _is_rated_copy(stored: StoredMessage) -> bool:
    return stored.copied_from is not None and stored.feedback is not None


def _row(group: str | None, found: Sequence[StoredMessage]) -> UsageRow:
    answers = [each for each in found if each.copied_from is None]
    used = [each.usage for each in answers if each.usage is not None]
    costs = [each.cost_usd for each in answers if each.cost_usd is not None]
    latencies = Latencies()
    latencies.add_each(
        each.latency_ms for each in answers if each.latency_ms is not None and each.status == "complete"
    )
    return UsageRow(
        group=group,
        requests=len(answers),
        errors=sum(each.status == "failed" for each in answers),
        input_tokens=sum(each.input_tokens for each in used),
        output_tokens=sum(each.output_tokens for each in used),
        cached_input_tokens=sum(each.cached_input_tokens for each in used),
        cache_write_tokens=sum(each.cache_write_tokens for each in used),
        reasoning_tokens=sum(each.reasoning_tokens for each in used),
        estimated=sum(each.estimated for each in used),
        cost_usd=_sum(costs),
        unpriced=len(answers) - len(costs),
        latency_mean_ms=latencies.mean_ms,
        latency_p50_ms=latencies.percentile_ms(0.5),
        latency_p95_ms=latencies.percentile_ms(0.95),
        latency_p99_ms=latencies.percentile_ms(0.99),
        ratings=_ratings(found),
    )


def _provider_row(provider: str, model: str, found: Sequence[_Try]) -> ProviderRow:
    attempts = [each.attempt for each in found]
    sent = [attempt for attempt in attempts if attempt.was_sent]
    failed = [attempt for attempt in sent if _failed(attempt)]
    outcomes = Counter(attempt.outcome for attempt in attempts)
    latencies = Latencies()
    latencies.add_each(attempt.latency_ms for attempt in sent if attempt.outcome == "ok")
    return ProviderRow(
        provider=provider,
        model=model,
        requests=len(sent),
        errors=len(failed),
        skipped=len(attempts) - len(sent),
        failovers=sum(each.failed_over for each in found),
        outcomes=tuple(sorted(outcomes.items(), key=lambda each: (-each[1], each[0]))),
        input_tokens=sum(attempt.usage.input_tokens for attempt in sent),
        output_tokens=sum(attempt.usage.output_tokens for attempt in sent),
        cost_usd=_sum([attempt.cost_usd for attempt in sent if attempt.cost_usd is not None]),
        unpriced=sum(attempt.cost_usd is None for attempt in sent),
        latency_mean_ms=latencies.mean_ms,
        latency_p50_ms=latencies.percentile_ms(0.5),
        latency_p95_ms=latencies.percentile_ms(0.95),
        latency_p99_ms=latencies.percentile_ms(0.99),
        last_error_at=max((each.at for each in found if _failed(each.attempt)), default=None),
    )


def _ratings(answers: Sequence[StoredMessage]) -> RatingStatistics:
    ratings = [each.feedback.rating for each in answers if each.feedback is not None]
    stars = [rating for rating in ratings if isinstance(rating, int)]
    return RatingStatistics(
        count=len(ratings),
        total=sum(score(rating) for rating in ratings),
        thumbs_up=ratings.count("thumbs_up"),
        thumbs_down=ratings.count("thumbs_down"),
        stars=len(stars),
        stars_total=sum(stars),
    )


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    """Exactly, whatever the precision of this process."""
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total
