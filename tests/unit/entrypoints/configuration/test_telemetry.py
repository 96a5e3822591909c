"""How settings of the log, the metrics and the traces are read."""

from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from domain.secret import Secret
from entrypoints.configuration.load import load_settings
from entrypoints.configuration.view import settings_view
from entrypoints.settings import LogFileSettings, LogSettings, OTLPSettings, Settings, TelemetrySettings


def _load(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "lor3.yaml").write_text(text)
    return load_settings(config_path=None, environ=environ, cwd=folder)


def _faults(folder: Path, text: str, **environ: str) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        _load(folder, text, **environ)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_log_is_read_with_its_files_and_areas(tmp_path: Path) -> None:
    """The path counts from the working directory."""
    settings = _load(
        tmp_path,
        "log: {to: stderr, content: true, areas: {providers: debug, http: warning}, file: {path: logs/a.log, keep: 2}}",
    )

    assert settings.log == LogSettings(
        to="stderr",
        content=True,
        areas={"providers": "debug", "http": "warning"},
        file=LogFileSettings(path=str(tmp_path / "logs/a.log"), keep=2),
    )


def test_telemetry_is_read_with_its_secrets(tmp_path: Path) -> None:
    """Which no view shows."""
    settings = _load(
        tmp_path,
        "telemetry: {metrics_port: 9090, otlp: {endpoint: 'http://c:4318', headers: {authorization: '${T}'}, sample_ratio: 0.1}}",
        T="CANARY",
    )

    assert settings.telemetry == TelemetrySettings(
        metrics_port=9090,
        otlp=OTLPSettings(
            endpoint="http://c:4318", headers={"authorization": Secret("CANARY")}, sample_ratio=0.1
        ),
    )
    assert "CANARY" not in str(settings_view(settings))
    assert settings_view(settings)["telemetry"]["otlp"]["headers"] == {"authorization": "****"}


def test_environment_reaches_areas(tmp_path: Path) -> None:
    """As every other setting."""
    settings = _load(tmp_path, "{}", LOR3_LOG__AREAS__HTTP="error", LOR3_TELEMETRY__METRICS_PORT="9091")

    assert settings.log.areas == {"http": "error"}
    assert settings.telemetry.metrics_port == 9091


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("log: {areas: {htp: debug}}", "log.areas.htp", "did you mean `http`"),
        ("log: {areas: {http: loud}}", "log.areas.http", "debug, info, warning, error"),
        ("log: {file: {keep: 2}}", "log.file", "needs a `path`"),
        ("log: {to: file}", "log.to", "stdout, stderr, none"),
        ("log: {file: {path: a, max_bytes: 1}}", "log.file.max_bytes", "4096"),
        ("telemetry: {metrics_port: 3000}", "telemetry.metrics_port", "the server's own port"),
        ("telemetry: {otlp: {sample_ratio: 0.5}}", "telemetry.otlp.endpoint", "http://localhost:4318"),
        (
            "telemetry: {otlp: {endpoint: 'localhost:4317'}}",
            "telemetry.otlp.endpoint",
            "http://localhost:4318",
        ),
        (
            "telemetry: {otlp: {endpoint: 'http://c', headers: {api-key: abc}}}",
            "telemetry.otlp.headers.api-key",
            "clear text",
        ),
    ],
)
def test_faults_name_the_remedy(tmp_path: Path, text: str, path: str, said: str) -> None:
    """And where they are."""
    assert said in _faults(tmp_path, text)[path]
