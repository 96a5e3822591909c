"""Prompts written into files: read again, they are what was written."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.prompts.files import FolderPromptFiles
from adapters.prompts.json_reader import read_json
from adapters.prompts.yaml_reader import read_yaml
from adapters.prompts.yaml_writer import write_yaml
from domain.errors import ConfigurationError
from domain.prompt.document import read_source, write_source
from domain.prompt.reference import PromptName
from domain.prompt.source import PromptSource, Turn
from domain.prompt.template import is_blank

NAME = PromptName("a")
# What a prompt can hold at all: the store has neither U+0000 nor halves of pairs.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
LINES = st.lists(
    st.text(st.sampled_from("ab {}#:|>-'\"\t%&*!?,[]~é\u2028\x85\ufeff\U0001f600\x07"), max_size=8),
    max_size=5,
).map("\n".join)
TEMPLATES = TEXTS | LINES
TEXTS_OF_TURNS = TEMPLATES.filter(lambda text: not is_blank(text))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
IDENTIFIERS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)


def _variables() -> st.SearchStrategy[dict[str, Any]]:
    described = st.fixed_dictionaries({}, optional={"description": TEMPLATES})
    kinds = st.one_of(
        st.fixed_dictionaries({"type": st.just("string")}, optional={"default": TEMPLATES}),
        st.fixed_dictionaries(
            {"type": st.just("integer")}, optional={"default": st.integers(-(2**53), 2**53)}
        ),
        st.fixed_dictionaries({"type": st.just("list")}, optional={"default": st.lists(VALUES, max_size=3)}),
        st.fixed_dictionaries(
            {"type": st.just("object")}, optional={"default": st.dictionaries(TEXTS, VALUES, max_size=3)}
        ),
        st.lists(TEXTS, min_size=1, max_size=4, unique=True).map(
            lambda values: {"type": "enum", "values": values}
        ),
    )
    return st.dictionaries(IDENTIFIERS, st.builds(lambda a, b: {**a, **b}, kinds, described), max_size=4)


DOCUMENTS = st.builds(
    lambda body, rest: {**body, **rest},
    TEXTS_OF_TURNS.map(lambda text: {"template": text})
    | st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "user", "assistant"]), "content": TEXTS_OF_TURNS}
        ),
        min_size=1,
        max_size=3,
    ).map(lambda turns: {"messages": turns}),
    st.fixed_dictionaries({}, optional={"description": TEMPLATES, "variables": _variables()}),
)


@given(DOCUMENTS)
@settings(max_examples=100)
def test_what_is_written_reads_as_the_same_prompt(document: Any) -> None:
    """In YAML and in JSON, by our reader; in YAML by any other, too, where a template is concerned."""
    source = read_source(document)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("yaml", "json"):
            path = Path(folder, f"a.{suffix}")
            path.write_text('{"template": "old"}')
            files = FolderPromptFiles(folder)
            asyncio.run(files.write(NAME, source))
            reading = asyncio.run(files.read())

            assert reading.broken == ()
            assert [file.source for file in reading.files] == [source]
            path.unlink()


@given(st.dictionaries(TEMPLATES, VALUES | TEMPLATES, min_size=1, max_size=4))
@settings(max_examples=300)
def test_both_parsers_read_what_is_written(document: Any) -> None:
    """Any JSON, though a prompt's document is only some of it."""
    text = write_yaml(document)

    assert read_yaml(text, loader=yaml.BaseLoader).value == document
    assert read_yaml(text).value == document
    assert text == write_yaml(document)


def test_yaml_is_for_people() -> None:
    """Texts of several lines as they are, the template last, nothing quoted that need not be."""
    source = read_source(
        {
            "template": "Hello {{name}}\n  you\n",
            "variables": {
                "name": {"type": "string", "description": "Who asks: the customer"},
                "plan": {"type": "enum", "values": ["free", "pro plus"], "default": "free"},
                "limits": {"type": "object", "default": {"a": [1, True]}},
            },
            "description": "Greets",
        }
    )

    assert write_yaml(write_source(source)) == (
        "description: Greets\n"
        "variables:\n"
        "  name:\n"
        "    type: string\n"
        '    description: "Who asks: the customer"\n'
        "  plan:\n"
        "    type: enum\n"
        "    default: free\n"
        '    values: [free, "pro plus"]\n'
        "  limits:\n"
        "    type: object\n"
        "    default: {a: [1, true]}\n"
        "template: |\n"
        "  Hello {{name}}\n"
        "    you\n"
    )


def _source(text: str, **more: Any) -> PromptSource:
    return PromptSource(turns=(Turn(role="system", template=text),), **more)


async def test_new_prompt_becomes_a_yaml_file(tmp_path: Path) -> None:
    """The folder is made where there is none."""
    path = await FolderPromptFiles(str(tmp_path / "config/prompts")).write(NAME, _source("x\n"))

    assert path == "prompts/a.yaml"
    assert (tmp_path / "config/prompts/a.yaml").read_text() == "template: |\n  x\n"


async def test_existing_file_keeps_its_place_and_format(tmp_path: Path) -> None:
    """And its mode; no trace of the writing is left."""
    (tmp_path / "sub").mkdir()
    file = tmp_path / "sub/a.json"
    file.write_text('{"template": "old"}')
    file.chmod(0o640)
    path = await FolderPromptFiles(str(tmp_path)).write(NAME, _source("new"))

    assert path == f"{tmp_path.name}/sub/a.json"
    assert read_json(file.read_text()).value == {"template": "new"}
    assert file.stat().st_mode & 0o777 == 0o640
    assert list((tmp_path / "sub").iterdir()) == [file]


async def test_plain_text_stays_one(tmp_path: Path) -> None:
    """While the prompt declares nothing; then it is refused, with the way out."""
    file = tmp_path / "a.md"
    file.write_text("old")
    files = FolderPromptFiles(str(tmp_path))
    await files.write(NAME, _source("new\n", declares=False))
    written = file.read_text()
    with pytest.raises(ConfigurationError, match=r"a\.md is a plain text, .* rename it to a\.yaml"):
        await files.write(NAME, _source("x", description="about"))

    assert written == file.read_text() == "new\n"


async def test_plain_text_without_a_file_becomes_one(tmp_path: Path) -> None:
    """In YAML it would come to declare, and be another prompt."""
    files = FolderPromptFiles(str(tmp_path))
    path = await files.write(NAME, _source("x", declares=False))

    assert path.endswith("/a.md")
    assert [file.source for file in (await files.read()).files] == [_source("x", declares=False)]


async def test_text_that_a_file_would_change_is_refused(tmp_path: Path) -> None:
    """A plain text has one kind of line end."""
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(ConfigurationError, match="some of its characters would be lost"):
        await FolderPromptFiles(str(tmp_path)).write(NAME, _source("x\r\ny", declares=False))

    assert (tmp_path / "a.txt").read_text() == "old"


async def test_no_folder_is_refused_with_the_setting(tmp_path: Path) -> None:
    """So is a name that two files have, and a folder that can't be written."""
    (tmp_path / "a.md").write_text("x")
    (tmp_path / "a.yaml").write_text("template: x")
    (tmp_path / "file").write_text("x")
    for files, message in (
        (FolderPromptFiles(None), r"set `prompts\.directory`"),
        (FolderPromptFiles(str(tmp_path)), "remove all but one"),
        (FolderPromptFiles(str(tmp_path / "file/below")), "can't be written: "),
    ):
        with pytest.raises(ConfigurationError, match=message):
            await files.write(NAME, _source("x"))


async def test_link_inside_the_folder_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is written."""
    (tmp_path / ".real.yaml").write_text("template: old")
    (tmp_path / "a.yaml").symlink_to(".real.yaml")
    await FolderPromptFiles(str(tmp_path)).write(NAME, _source("new"))

    assert (tmp_path / "a.yaml").is_symlink()
    assert "new" in (tmp_path / ".real.yaml").read_text()


async def test_json_is_for_people_too(tmp_path: Path) -> None:
    """Indented, with the characters themselves."""
    (tmp_path / "a.json").write_text('{"template": "old"}')
    await FolderPromptFiles(str(tmp_path)).write(NAME, _source("é"))

    assert (tmp_path / "a.json").read_text("utf-8") == json.dumps(
        {"template": "é"}, indent=2, ensure_ascii=False
    ) + "\n"


@pytest.mark.parametrize("suffix", ["yaml", "json"])
async def test_plain_text_fits_a_document_while_it_names_nothing(tmp_path: Path, suffix: str) -> None:
    """Then it is the same prompt in either; what it names, a document would have to declare."""
    file = tmp_path / f"a.{suffix}"
    file.write_text('{"template": "old"}')
    files = FolderPromptFiles(str(tmp_path))
    await files.write(NAME, _source('Be {{> tone style="calm"}}.', declares=False))
    written = file.read_text()
    for text in ("Be {{how}}.", "{{#a}}x{{/a}}", "{{> tone style=how}}"):
        with pytest.raises(ConfigurationError, match=r"remove the file to have a\.md written"):
            await files.write(NAME, _source(text, declares=False))

    assert written == file.read_text()
    assert [each.source for each in (await files.read()).files] == [_source('Be {{> tone style="calm"}}.')]


async def test_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """What lies elsewhere is nobody's prompt."""
    outside = tmp_path / "outside.yaml"
    outside.write_text("template: mine")
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "a.yaml").symlink_to(outside)
    with pytest.raises(ConfigurationError, match="leads out of the folder; remove it"):
        await FolderPromptFiles(str(folder)).write(NAME, _source("new"))

    assert outside.read_text() == "template: mine"
