"""What a server that runs does not take for its configuration."""

import os
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from entrypoints.configuration.load import load_settings
from entrypoints.reload_refusals import demand_file, demand_sense
from entrypoints.settings import Settings

GOOD = "primary: up:fast\nproviders: {up: {kind: openai-compatible, base_url: 'http://127.0.0.1:9/v1'}}\n"


def settings_of(path: Path, text: str) -> Settings:
    path.write_text(text)
    return load_settings(config_path=path, environ={}, cwd=path.parent)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lor3.yaml"


def test_file_that_is_gone_is_refused(path: Path) -> None:
    """As while a deployment replaces it by removing it first; the defaults would answer by the demonstration."""
    settings = settings_of(path, GOOD)
    demand_file(settings)
    path.unlink()
    with pytest.raises(ConfigurationError, match="is gone"):
        demand_file(settings)


def test_what_is_no_file_is_refused(path: Path) -> None:
    """A pipe was read when the server started; who reads it again waits, or finds nothing."""
    settings = settings_of(path, GOOD)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ConfigurationError, match="no regular file"):
        demand_file(settings)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}"])
def test_file_that_says_nothing_any_more_is_refused(path: Path, text: str) -> None:
    """It is being written."""
    before = settings_of(path, GOOD)
    with pytest.raises(ConfigurationError, match="is empty"):
        demand_sense(before, settings_of(path, text))


def test_file_by_which_nobody_would_answer_is_refused(path: Path) -> None:
    """A key that is not there is a warning at a start, and would end all chats of a server that runs."""
    before = settings_of(path, GOOD)
    after = settings_of(path, "primary: openai:gpt-5\nproviders: {openai: {}}\n")
    with pytest.raises(ConfigurationError, match="openai"):
        demand_sense(before, after)


def test_another_good_file_is_taken(path: Path) -> None:
    """Whatever it changes."""
    before = settings_of(path, GOOD)
    demand_sense(before, settings_of(path, "primary: demo:demo\nlimits: {key: {rpm: 3}}\n"))
