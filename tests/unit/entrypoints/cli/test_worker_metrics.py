"""The metrics of several workers, as one exposition."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from adapters.telemetry.prometheus import PrometheusTelemetry
from domain.telemetry import RequestServed
from entrypoints.cli.worker_metrics import WorkerMetrics, merge


def _exposition(requests: int) -> bytes:
    telemetry = PrometheusTelemetry()
    for _ in range(requests):
        telemetry.emit(
            RequestServed(request_id="r", route="/chat", method="POST", status=200, duration_s=0.1)
        )
    return telemetry.exposition()


def test_each_worker_has_series_of_its_own() -> None:
    """One family, its head once, and a sample for each worker; what Prometheus reads."""
    merged = merge({0: _exposition(2), 1: _exposition(3)}).decode()
    families = {family.name: family for family in text_string_to_metric_families(merged)}
    served = {
        sample.labels["worker"]: sample.value
        for sample in families["lor3_http_requests"].samples
        if sample.name.endswith("_total")
    }

    assert {"0": 2.0, "1": 3.0} == served
    assert merged.count("# TYPE lor3_http_requests_total ") == 1
    assert all("worker" in sample.labels for family in families.values() for sample in family.samples)


def test_worker_that_is_away_is_shown_as_down() -> None:
    """Its series are missing, not zero."""
    merged = merge({0: b"# HELP a A.\n# TYPE a gauge\na 1.0\n", 1: None}).decode()

    assert merged.splitlines()[2:] == [
        'lor3_worker_up{worker="0"} 1',
        'lor3_worker_up{worker="1"} 0',
        "# HELP a A.",
        "# TYPE a gauge",
        'a{worker="0"} 1.0',
    ]


def test_label_values_may_hold_spaces_and_braces() -> None:
    """Only the name is looked at."""
    merged = merge({0: b'# TYPE a counter\na{x="b {c} d"} 1.0\n'}).decode()

    assert 'a{worker="0",x="b {c} d"} 1.0\n' in merged


async def test_workers_tell_one_another(tmp_path: Path) -> None:
    """Over sockets in a folder; one that was never started is down, a socket of a dead one is replaced."""
    (tmp_path / "0.sock").touch()
    texts = [_exposition(1), _exposition(2)]
    first = WorkerMetrics(folder=tmp_path, slot=0, workers=3, own=lambda: texts[0])
    second = WorkerMetrics(folder=tmp_path, slot=1, workers=3, own=lambda: texts[1])
    async with first.shared(), second.shared():
        seen = [await first.scrape(), await second.scrape()]
    alone = await first.scrape()

    assert seen[0] == merge({0: texts[0], 1: texts[1], 2: None})
    assert seen[0] == seen[1]
    assert alone == merge({0: texts[0], 1: None, 2: None})


async def test_folder_that_is_gone_does_not_stop_a_worker(tmp_path: Path) -> None:
    """It serves, and its own metrics are shown."""
    text = _exposition(1)
    worker = WorkerMetrics(folder=tmp_path / "gone", slot=0, workers=1, own=lambda: text)
    async with worker.shared():
        assert await worker.scrape() == merge({0: text})
