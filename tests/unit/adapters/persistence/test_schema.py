"""Reading the revisions off the files, without alembic."""

from pathlib import Path

import pytest

from adapters.persistence import schema
from domain.errors import ConfigurationError
from entrypoints.resources import resource


def test_revisions_are_those_that_alembic_sees() -> None:
    """The shortcut and the real thing agree."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    path = str(resource("migrations"))
    config = Config()
    config.set_main_option("script_location", path)
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)

    known = schema.revisions(path)
    assert known == {script.revision: script.down_revision for script in scripts.walk_revisions()}
    assert schema.head(known) == scripts.get_current_head()


@pytest.mark.parametrize(
    "files", [[], ['revision = "a"\ndown_revision = None', 'revision = "b"\ndown_revision = None']]
)
def test_no_single_head_is_a_broken_installation(tmp_path: Path, files: list[str]) -> None:
    """None and two are both refused, with the remedy."""
    (tmp_path / "versions").mkdir()
    for number, text in enumerate(files):
        (tmp_path / "versions" / f"{number}.py").write_text(text)

    with pytest.raises(ConfigurationError, match="reinstall lor3"):
        schema.head(schema.revisions(str(tmp_path)))
