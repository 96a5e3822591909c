"""`lor3 prompt` with a version in the database that this lor3 does not read."""

import sqlite3
from pathlib import Path

import pytest

from entrypoints.cli.main import run_command


def test_it_is_listed_replaced_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody needs to know SQL to get rid of it."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "REDIS_URL", "LOR3_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "document.yaml"
    file.write_text("template: one", "utf-8")
    assert run_command(["prompt", "edit", "evil", "--from-file", str(file)]) == 0

    connection = sqlite3.connect(tmp_path / "lor3.db", isolation_level=None)
    connection.execute("""UPDATE prompt_versions SET template = '{"poem": "…"}'""")
    connection.close()
    capsys.readouterr()

    assert run_command(["prompt", "list"]) == 0
    assert capsys.readouterr().out.startswith("evil\tv1\t")
    assert run_command(["prompt", "show", "evil"]) != 0
    assert "`evil:v1` is stored in a form that this lor3 does not read" in capsys.readouterr().err
    file.write_text("template: two", "utf-8")
    assert run_command(["prompt", "edit", "evil", "--from-file", str(file)]) == 0
    assert run_command(["prompt", "delete", "evil", "v1", "--yes"]) == 0
    assert capsys.readouterr().out.split() == ["evil:v2", "deleted", "evil:v1"]
