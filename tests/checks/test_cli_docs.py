"""The generated blocks of the documentation are what the code says."""

import re
from pathlib import Path

import pytest

from entrypoints.configuration.load import load_settings
from tests.support.generated_docs import PAGES, command_lines, documented_blocks, regenerated, sections


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_blocks_are_current(page: Path) -> None:
    """Refreshed by `python -m tests.support.generated_docs`."""
    text = page.read_text("utf-8")

    assert regenerated(text) == text


def test_every_command_is_documented() -> None:
    """A new command can't be forgotten."""
    assert documented_blocks(PAGES[0].read_text("utf-8")) == command_lines()


def test_every_setting_is_documented() -> None:
    """A new section can't be forgotten."""
    documented = documented_blocks(PAGES[1].read_text("utf-8"))

    assert sorted(documented) == sorted(f"settings {section}" for section in sections())


@pytest.mark.parametrize("line", command_lines())
def test_every_help_shows_an_example(line: str) -> None:
    """An example says more than a list of options."""
    text = PAGES[0].read_text("utf-8").partition(f"<!-- begin {line} -->")[2].partition("<!-- end -->")[0]

    assert "Example" in text


def test_every_yaml_example_loads(tmp_path: Path) -> None:
    """What the page shows can be copied into a file."""
    examples = re.findall(r"```yaml\n(.*?)```", PAGES[1].read_text("utf-8"), re.DOTALL)
    variables = re.findall(r"\$\{(\w+)\}", "".join(examples))
    variables += ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"]
    for example in examples:
        (tmp_path / "lor3.yaml").write_text(example, "utf-8")
        settings = load_settings(config_path=None, environ=dict.fromkeys(variables, "x"), cwd=tmp_path)

        assert settings.warnings == ()
    assert len(examples) == 3
