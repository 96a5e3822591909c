"""Prompt files while the database is away: the start waits for nothing, and the prompts come when it is back."""

import asyncio
from pathlib import Path

import attrs
import pytest

from adapters.persistence import schema
from adapters.persistence.engine import Database
from domain.ids import DEFAULT_TENANT
from domain.secret import Secret
from entrypoints.bootstrap import running
from entrypoints.settings import DatabaseSettings, PromptSettings
from lor3.testing import ScriptedProvider, fake_settings
from tests.support.records import store_config
from tests.support.servers import PostgreSQLServer
from tests.support.waiting import HANGS_S, eventually


async def test_database_away_at_start_delays_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Up without it, loud about it, and in step without a hand once the database answers."""
    (tmp_path / "a.md").write_text("Be kind.")
    server = PostgreSQLServer()
    try:
        schema.upgrade(Database.of(store_config(server.url())))
        server.kill()
        providers = {"scripted": ScriptedProvider()}
        settings = attrs.evolve(
            fake_settings(providers, primary="scripted:test"),
            database=DatabaseSettings(url=Secret(server.url())),
            prompts=PromptSettings(directory=str(tmp_path)),
        )
        async with asyncio.timeout(2 * HANGS_S), running(settings, chat_providers=providers) as application:
            early = application.prompt_report()
            await asyncio.to_thread(server.start)
            await eventually(lambda: application.prompt_report() is not None)
            report = application.prompt_report()
            page = await application.read_prompts.page(DEFAULT_TENANT)
    finally:
        server.close()

    assert early is None
    assert "the prompt files can't be imported, as the database is away; trying again" in caplog.text
    assert report is not None
    assert [str(ref) for ref in report.made] == ["a:v1"]
    assert [view.prompt.name for view in page.items] == ["a"]
