"""`lor3 config`."""

import json
from pathlib import Path

import pytest

from entrypoints.cli.main import run_command
from entrypoints.resources import resource

FOUR_FAULTS = """
primary: opnai:gpt-4
max_tokens: 0
format: markdwn
providers: {openai: {api_key: sk-notallowedhere1234567}}
"""


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration, no key."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "DATABASE_URL", "REDIS_URL", "LOR3_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_check_without_a_file_is_ok(capsys: pytest.CaptureFixture[str]) -> None:
    """The defaults are a configuration."""
    assert run_command(["config", "check"]) == 0
    assert capsys.readouterr() == ("ok: defaults and environment (no file)\n", "")


def test_check_names_every_fault_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each on stdout: path, tab, message."""
    (tmp_path / "lor3.yaml").write_text(FOUR_FAULTS)
    code = run_command(["config", "check"])
    out, err = capsys.readouterr()

    assert code == 1
    assert {line.partition("\t")[0] for line in out.splitlines()} == {
        "primary",
        "max_tokens",
        "format",
        "providers.openai.api_key",
    }
    assert err == "4 things are wrong\n"
    assert "notallowedhere" not in out


def test_check_reports_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Faults are the result of a check: on stdout."""
    (tmp_path / "lor3.yaml").write_text(FOUR_FAULTS)
    code = run_command(["config", "check", "--json"])
    report = json.loads(capsys.readouterr().out)

    assert (code, report["ok"], len(report["errors"])) == (1, False, 4)


def test_check_passes_with_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dead model and missing keys do not fail the check; they are told on stderr."""
    (tmp_path / "own.json").write_text('{"primary": "openai:gpt-4"}')
    code = run_command(["config", "check", "--config", "own.json"])
    out, err = capsys.readouterr()

    assert (code, out) == (0, f"ok: {tmp_path / 'own.json'}\n")
    assert "openai:gpt-4 was switched off on 2026-10-23" in err
    assert "set OPENAI_API_KEY" in err


def test_check_asks_the_providers_about_their_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option that the provider does not have is a fault of the file."""
    (tmp_path / "lor3.yaml").write_text(
        "providers: {own: {kind: openai-compatible, base_url: 'http://127.0.0.1:1/v1', no_such_option: 1}}"
    )
    code = run_command(["config", "check"])

    assert code == 1
    assert "no_such_option" in capsys.readouterr().out


def test_check_asks_the_store_about_its_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A database in memory would forget every answer."""
    (tmp_path / "lor3.yaml").write_text("database: {url: 'sqlite://'}")

    assert run_command(["config", "check"]) == 1
    assert capsys.readouterr().out.startswith("database.url\t")


def test_check_names_a_dash_where_a_fault_has_no_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two columns in every line; and the brace of a reference needs quotes inside another."""
    (tmp_path / "lor3.yaml").write_text("seed: 1\nredis: {url: ${REDIS_URL}}\n")

    assert run_command(["config", "check"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("-\tlor3.yaml, line 2: not valid YAML: ")
    assert out.endswith('; inside `{…}` and `[…]` quote a reference: "${NAME}"\n')


def test_check_places_what_a_provider_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As it places its own findings."""
    (tmp_path / "lor3.yaml").write_text("providers:\n  demo:\n    delay_s: 99\n")

    assert run_command(["config", "check"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("providers.demo.delay_s\t")
    assert out.endswith("(lor3.yaml, line 3)\n")


def test_show_masks_secrets_and_names_origins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three columns in a pipe: setting, value, origin."""
    monkeypatch.setenv("OPENAI_API_KEY", "hunter2CANARY")
    monkeypatch.setenv("LOR3_SEED", "7")
    (tmp_path / "lor3.yaml").write_text("format: markdown")
    assert run_command(["config", "show"]) == 0
    out = capsys.readouterr().out
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in out.splitlines()}

    assert "hunter2CANARY" not in out
    assert rows["providers.openai.api_key"] == ["****", "OPENAI_API_KEY"]
    assert rows["format"] == ["markdown", "lor3.yaml, line 1"]
    assert rows["seed"] == ["7", "LOR3_SEED"]
    assert rows["server.port"] == ["3000", "default"]


def test_show_as_json_holds_settings_origins_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    """One object; no file is null."""
    assert run_command(["config", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)

    assert (shown["source"], shown["settings"]["server"]["host"]) == (None, "127.0.0.1")


def test_schema_is_printed_as_it_is_checked_in(capsys: pytest.CaptureFixture[str]) -> None:
    """Indented, so that a diff against the file is empty."""
    assert run_command(["config", "schema"]) == 0
    assert capsys.readouterr().out == resource("config/lor3.schema.json").read_text("utf-8")


def test_check_names_the_folder_of_the_log_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning, as the server runs without; the check makes nothing."""
    (tmp_path / "lor3.yaml").write_text(f"log: {{file: {{path: {tmp_path}/no/lor3.log}}}}")
    code = run_command(["config", "check", "--json"])
    report = json.loads(capsys.readouterr().out)

    assert (code, report["ok"]) == (0, True)
    assert [f"the folder `{tmp_path}/no` is not there" in warning for warning in report["warnings"]] == [True]
    assert not (tmp_path / "no").exists()


def test_check_has_nothing_against_a_log_file_that_can_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether it is there or not."""
    (tmp_path / "lor3.yaml").write_text(f"log: {{file: {{path: {tmp_path}/lor3.log}}}}")
    warnings = []
    for _ in range(2):
        run_command(["config", "check", "--json"])
        warnings.append(json.loads(capsys.readouterr().out)["warnings"])
        (tmp_path / "lor3.log").touch()

    assert warnings[0] == warnings[1]
    assert not any("log.file" in warning for warning in warnings[0])
