"""The usage report over what is in this process."""

import datetime
import decimal
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

import attrs

from adapters.in_memory.tenant_view import TenantView
from domain.feedback import score
from domain.thread import StoredMessage
from domain.usage_report import RatingStatistics, UsageGroup, UsageQuery, UsageRow

_EXACT: Final = decimal.Context(prec=200)


def _prompt(stored: StoredMessage) -> str | None:
    return None if stored.prompt_version is None else stored.prompt_version.partition(":")[0]


def _label(stored: StoredMessage) -> str | None:
    prompt = _prompt(stored)
    return None if prompt is None or stored.prompt_label is None else f"{prompt}@{stored.prompt_label}"


_GROUPS: Final[dict[UsageGroup, Callable[[StoredMessage], str | None]]] = {
    "model": lambda each: None if each.model is None else str(each.model),
    "provider": lambda each: None if each.model is None else each.model.provider,
    "prompt": _prompt,
    "prompt_version": lambda each: each.prompt_version,
    "label": _label,
    "day": lambda each: each.created_at.astimezone(datetime.UTC).date().isoformat(),
}


@attrs.frozen
class InMemoryUsage:
    _view: TenantView

    async def report(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        self._view.shelves.demand()
        groups: dict[str | None, list[StoredMessage]] = {} if query.group_by is not None else {None: []}
        for each in self._view.messages.values():
            if (_is_counted(each) or _is_rated_copy(each)) and query.since <= each.created_at < query.until:
                groups.setdefault(self._group_of(each, query.group_by), []).append(each)
        return tuple(
            [
                _row(group, groups[group])
                for group in sorted(groups, key=lambda each: (each is None, each or ""))
            ]
        )

    def _group_of(self, stored: StoredMessage, group_by: UsageGroup | None) -> str | None:
        if group_by is None:
            return None
        if group_by != "user":
            return _GROUPS[group_by](stored)
        thread = self._view.threads.get(stored.thread_id)
        session = None if thread is None else self._view.sessions.get(thread.session_id)
        return None if session is None else session.user


def _is_counted(stored: StoredMessage) -> bool:
    """An answer, or what there is instead of one; the caller's own turns have neither model nor failure."""
    return stored.copied_from is None and (stored.model is not None or stored.status != "complete")


def _is_rated_copy(stored: StoredMessage) -> bool:
    return stored.copied_from is not None and stored.feedback is not None


def _row(group: str | None, found: Sequence[StoredMessage]) -> UsageRow:
    answers = [each for each in found if each.copied_from is None]
    used = [each.usage for each in answers if each.usage is not None]
    costs = [each.cost_usd for each in answers if each.cost_usd is not None]
    latencies = sorted(
        each.latency_ms for each in answers if each.latency_ms is not None and each.status == "complete"
    )
    return UsageRow(
        group=group,
        requests=len(answers),
        errors=sum(each.status == "failed" for each in answers),
        input_tokens=sum(each.input_tokens for each in used),
        output_tokens=sum(each.output_tokens for each in used),
        cached_input_tokens=sum(each.cached_input_tokens for each in used),
        cost_usd=_sum(costs),
        unpriced=len(answers) - len(costs),
        latency_mean_ms=round(sum(latencies) / len(latencies), 3) if latencies else None,
        latency_p50_ms=_percentile(latencies, 0.5),
        latency_p95_ms=_percentile(latencies, 0.95),
        ratings=_ratings(found),
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


def _percentile(sorted_values: Sequence[int], fraction: float) -> float | None:
    """Between the two nearest, as PostgreSQL's `percentile_cont` does it; to the microsecond."""
    if not sorted_values:
        return None
    place = (len(sorted_values) - 1) * fraction
    below = int(place)
    above = min(below + 1, len(sorted_values) - 1)
    return round(sorted_values[below] + (sorted_values[above] - sorted_values[below]) * (place - below), 3)
