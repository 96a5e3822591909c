"""The folder of prompt files: where it is, and how to have none."""

from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from entrypoints.configuration.load import load_settings
from entrypoints.settings import PromptSettings


def _settings(folder: Path, text: str = "", **environ: str) -> PromptSettings:
    (folder / "lor3.yaml").write_text(text)
    return load_settings(config_path=None, environ=environ, cwd=folder).prompts


def test_default_is_a_folder_under_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As written, so that messages name it as people do; from elsewhere with the whole path."""
    elsewhere = _settings(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert PromptSettings(directory="config/prompts") == _settings(tmp_path)
    assert elsewhere == PromptSettings(directory=str(tmp_path / "config/prompts"))


@pytest.mark.parametrize(
    "text", ["prompts: {directory: null}", "prompts: {directory: ''}", "prompts: {directory: }"]
)
def test_null_and_nothing_mean_no_files(tmp_path: Path, text: str) -> None:
    """Said, not left out."""
    assert _settings(tmp_path, text).directory is None


def test_variables_name_it_too(tmp_path: Path) -> None:
    """`null` for none; empty ones count as unset, as everywhere."""
    assert _settings(tmp_path, LOR3_PROMPTS__DIRECTORY="/srv/p").directory == "/srv/p"
    assert _settings(tmp_path, LOR3_PROMPTS__DIRECTORY="null").directory is None
    assert (
        _settings(tmp_path, "prompts: {directory: /srv/p}", LOR3_PROMPTS__DIRECTORY="null").directory is None
    )
    assert (
        _settings(tmp_path, "prompts: {directory: /srv/p}", LOR3_PROMPTS__DIRECTORY="").directory == "/srv/p"
    )
    assert _settings(tmp_path, LOR3_PROMPTS__WATCH="true").watch


def test_section_with_watch_alone_keeps_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not said stays as it is."""
    monkeypatch.chdir(tmp_path)

    assert _settings(tmp_path, "prompts: {watch: true}") == PromptSettings(
        directory="config/prompts", watch=True
    )


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prompts: {directory: 5}", "prompts.directory"),
        ('prompts: {directory: "a\\0b"}', "prompts.directory"),
        ("prompts: {dir: x}", "prompts.dir"),
        ("prompts: {watch: often}", "prompts.watch"),
        ("prompts: x", "prompts"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, path: str) -> None:
    """With its path."""
    with pytest.raises(ConfigurationError) as raised:
        _settings(tmp_path, text)

    assert [fault.path for fault in raised.value.faults] == [path]
