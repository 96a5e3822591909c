"""What `lor3 observe` tells, as JSON."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from domain.json_value import JSONValue
from entrypoints.feedback_rendering import usage_row_json
from entrypoints.prompt_rendering import time_text
from entrypoints.rendering import money

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Observation
    from domain.anomaly_record import SeenAnomaly
    from domain.usage_report import ErrorRow, PromptRow, ProviderRow, SeriesPoint


def observation_json(observed: "Observation", items: "list[JSONValue]") -> dict[str, JSONValue]:
    """The span and the chart's points around the rows of one aspect."""
    return {
        "from": time_text(observed.query.since),
        "to": time_text(observed.query.until),
        "group_by": observed.group_by,
        "items": items,
        "series": {"every": observed.every, "points": [_point_json(point) for point in observed.series]},
    }


def prompt_json(row: "PromptRow") -> dict[str, JSONValue]:
    figures = usage_row_json(row.figures)
    for name in ("group", "name", "refused"):
        del figures[name]
    return {
        "prompt_version": row.prompt_version,
        "prompt_label": row.prompt_label,
        "error_rate": rate(row.figures.errors, row.figures.requests),
        **figures,
    }


def provider_json(row: "ProviderRow") -> dict[str, JSONValue]:
    return {
        "provider": row.provider,
        "model": row.model or None,
        "requests": row.requests,
        "errors": row.errors,
        "error_rate": rate(row.errors, row.requests),
        "skipped": row.skipped,
        "failovers": row.failovers,
        "outcomes": dict(row.outcomes),
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cost_usd": money(row.cost_usd),
        "unpriced": row.unpriced,
        "latency_ms": {
            "mean": _rounded(row.latency_mean_ms),
            "p50": _rounded(row.latency_p50_ms),
            "p95": _rounded(row.latency_p95_ms),
            "p99": _rounded(row.latency_p99_ms),
        },
        "last_error_at": None if row.last_error_at is None else time_text(row.last_error_at),
    }


def error_json(row: "ErrorRow", total: int) -> dict[str, JSONValue]:
    """
    Args:
        total: of all errors of the same source.
    """
    return {
        "source": row.source,
        "code": row.code or None,
        "provider": row.provider,
        "model": row.model,
        "key": row.key,
        "key_name": row.key_name,
        "count": row.count,
        "share": rate(row.count, total),
        "last_at": time_text(row.last_at),
    }


def anomaly_json(anomaly: "SeenAnomaly", key_names: Mapping[str, str]) -> dict[str, JSONValue]:
    return {
        "at": time_text(anomaly.at),
        "dimension": anomaly.dimension,
        "name": anomaly.name,
        "key_name": key_names.get(anomaly.name) if anomaly.dimension == "key" else None,
        "measure": anomaly.measure,
        "value": anomaly.value,
        "usual": anomaly.usual,
        "score": round(anomaly.score, 2),
        "message_id": anomaly.message_id,
    }


def rate(part: int, whole: int) -> float | None:
    """From 0 to 1, to four decimals; None of nothing."""
    return round(part / whole, 4) if whole else None


def _point_json(point: "SeriesPoint") -> dict[str, JSONValue]:
    return {
        "start": time_text(point.start),
        "requests": point.requests,
        "errors": point.errors,
        "tokens": point.tokens,
        "cost_usd": money(point.cost_usd),
    }


def _rounded(latency_ms: float | None) -> float | None:
    return None if latency_ms is None else round(latency_ms, 1)
