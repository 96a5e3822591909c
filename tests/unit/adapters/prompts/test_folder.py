"""Entries of a folder that nobody can look into or print, beside sound ones."""

import os
from pathlib import Path

import pytest

from adapters.prompts.files import FolderPromptFiles
from adapters.prompts.folder import fingerprint, list_files
from application.ports.prompt_files import FolderReading


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "prompts"
    made.mkdir()
    for name in ("a", "m", "z"):
        (made / f"{name}.md").write_text("x")
    return made


async def _read(folder: Path) -> FolderReading:
    return await FolderPromptFiles(str(folder)).read()


async def test_link_with_an_endless_target_breaks_no_other(folder: Path) -> None:
    """The system refuses to look at it at all; it is named itself, and not the folder."""
    for name in ("aaa", "long", "zzz"):
        (folder / f"{name}.yaml").symlink_to("x" * 300)
    (folder / "sub").mkdir()
    (folder / "sub/inner.yaml").symlink_to("x" * 300)
    (folder / "sub/other.md").write_text("x")
    reading = await _read(folder)

    assert [file.name for file in reading.files] == ["a", "m", "other", "z"]
    assert [each.name for each in reading.broken] == ["aaa", "long", "inner", "zzz"]
    assert reading.broken[0].faults[0].message == (
        f"{folder}/aaa.yaml: can't be read: File name too long; mend it or remove it"
    )


async def test_link_to_where_nobody_may_look_breaks_no_other(folder: Path, tmp_path: Path) -> None:
    """As of a secret that is mounted for somebody else."""
    closed = tmp_path / "closed"
    closed.mkdir()
    (folder / "linked.yaml").symlink_to(closed / "inside/x.yaml")
    closed.chmod(0)
    try:
        reading = await _read(folder)
    finally:
        closed.chmod(0o700)

    assert [file.name for file in reading.files] == ["a", "m", "z"]
    assert [each.name for each in reading.broken] == ["linked"]


async def test_name_that_is_no_text_is_refused_and_shown_clean(folder: Path) -> None:
    """Neither the store nor a terminal could take it, and it is the same each time."""
    evil = folder / os.fsdecode(b"sub\n\xff")
    evil.mkdir()
    (evil / "inner.yaml").write_text("template: x")
    for name in (b"bad\xff.yaml", b"esc\x1b[31mred.yaml", b"rtl\xe2\x80\xae.md"):
        (folder / os.fsdecode(name)).write_text("template: x")
    reading = await _read(folder)

    assert [file.name for file in reading.files] == ["a", "m", "z"]
    assert sorted(each.path for each in reading.broken) == [
        "prompts/bad\ufffd.yaml", "prompts/esc\ufffd[31mred.yaml", "prompts/rtl\ufffd.md", "prompts/sub\ufffd\ufffd",
    ]  # fmt: skip
    for each in reading.broken:
        assert each.faults[0].message.isprintable()
        assert each.faults[0].message.endswith("; rename it")
    assert (await _read(folder), fingerprint(folder)) == (reading, fingerprint(folder))


def test_space_of_another_script_is_text(folder: Path) -> None:
    """Folders may be called as people write."""
    (folder / "案内\u3000文").mkdir()
    (folder / "案内\u3000文/tone.md").write_text("x")
    listing = list_files(folder)

    assert listing is not None
    assert (listing.refused, "案内\u3000文/tone.md") == ((), listing.files[-1].relative)
