"""`lor3 prompt` as a person or a script would use it, on a real SQLite file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import attrs
import pytest

from entrypoints.cli.main import run_command


@attrs.frozen
class Done:
    code: int
    out: str
    err: str


Run: TypeAlias = Callable[..., Done]

_AGENT = """\
description: Answers customers.
template: |
  {{> tone}}
  You are talking to {{name}}.{{#vip}} They are important.{{/vip}}
variables:
  name: string
  vip: {type: boolean, default: false, description: Pays us well}
"""


@pytest.fixture
def lor3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in an empty folder, with pipes for streams."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "DATABASE_URL", "REDIS_URL", "LOR3_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Grace")

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        code = run_command(["prompt", *arguments])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def save(lor3: Run, tmp_path: Path) -> Callable[..., str]:
    """Saves a document as the next version, and gives its name."""

    def save(name: str, document: str, *options: str) -> str:
        file = tmp_path / "document.yaml"
        file.write_text(document, "utf-8")
        done = lor3("edit", name, "--from-file", str(file), *options)

        assert done.code == 0, done.err
        return done.out.strip()

    return save


Save: TypeAlias = Callable[..., str]


@pytest.fixture
def agent(save: Save) -> None:
    """`support_agent` with two versions and `tone` with one."""
    save("tone", "template: |\n  Be kind.\n")
    save("support_agent", _AGENT, "--message", "First")
    save("support_agent", _AGENT.replace("You are talking", "Right now you talk"), "-m", "Shorter")


def test_empty_list_says_how_to_begin(lor3: Run) -> None:
    """On stderr: a pipe gets no rows."""
    done = lor3("list")

    assert (done.code, done.out) == (0, "")
    assert "lor3 prompt edit NAME" in done.err
    assert json.loads(lor3("list", "--json").out) == {"items": []}


@pytest.mark.usefixtures("agent")
def test_list_is_a_line_a_prompt(lor3: Run) -> None:
    """What the bare name means, the labels with their weights, where it comes from."""
    lor3("label", "support_agent", "production", "v1=90", "v2=10", "--protect")
    lor3("label", "support_agent", "staging", "v2")
    rows = [line.split("\t")[:-1] for line in lor3("list").out.splitlines()]
    items = json.loads(lor3("list", "--json").out)["items"]

    assert rows == [
        [
            "support_agent",
            "v2",
            "v1 90%, v2 10%",
            "production* v1 90%, v2 10%; staging v2",
            "database",
        ],
        ["tone", "v1", "v1", "", "database"],
    ]
    assert [each["name"] for each in items] == ["support_agent", "tone"]
    assert items[0]["labels"]["production"]["weights"] == {"v1": 90, "v2": 10}


@pytest.mark.usefixtures("agent")
def test_show_tells_all_of_a_version(lor3: Run) -> None:
    """Text, variables, fragments, author, reason, hash."""
    shown = lor3("show", "support_agent").out
    detail = json.loads(lor3("show", "support_agent:v1", "--json").out)

    for each in ("support_agent:v2", "by Grace", "Shorter", "Right now you talk", "Pays us well", "tone:v1"):
        assert each in shown
    assert (detail["version"], detail["message"], detail["author"]) == ("v1", "First", "Grace")
    assert detail["variables"]["vip"] == {
        "type": "boolean",
        "default": False,
        "description": "Pays us well",
    }


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    "arguments",
    [
        ("support_agent:v1",),
        ("support_agent", "--version", "v1"),
        ("support_agent", "--version", "1"),
        ("support_agent@production",),
        ("support_agent", "--label", "production"),
        ("support_agent",),
    ],
)
def test_version_can_be_named_in_every_way(lor3: Run, arguments: tuple[str, ...]) -> None:
    """By number, by label, and by the label that a bare name means."""
    lor3("label", "support_agent", "production", "1")

    assert json.loads(lor3("show", *arguments, "--json").out)["version"] == "v1"


@pytest.mark.usefixtures("agent")
def test_compiled_is_flat(lor3: Run) -> None:
    """The fragment's text is in its place, and what it all needs is listed."""
    shown = lor3("show", "support_agent", "--compiled").out
    detail = json.loads(lor3("show", "support_agent", "--compiled", "--json").out)

    assert "Be kind." in shown
    assert "{{> tone}}" not in shown
    assert detail["hash"] in shown
    assert set(detail["needs"]) == {"name", "vip"}
    assert detail["includes"] == ["tone:v1"]


@pytest.mark.usefixtures("agent")
def test_history_is_newest_first(lor3: Run) -> None:
    """With the labels that point to each."""
    lor3("label", "support_agent", "production", "v1")
    rows = [line.split("\t") for line in lor3("show", "support_agent", "--history").out.splitlines()]

    assert [(row[0], row[1], row[3], row[5]) for row in rows] == [
        ("v2", "", "Grace", "Shorter"),
        ("v1", "production", "Grace", "First"),
    ]


@pytest.mark.usefixtures("agent")
def test_yaml_is_what_edit_reads(lor3: Run, save: Save) -> None:
    """Saved again it is no new version."""
    document = lor3("show", "support_agent", "--yaml").out

    assert "template: |\n  {{> tone}}\n" in document
    assert save("support_agent", document) == "support_agent:v2"


@pytest.mark.usefixtures("agent")
def test_diff_shows_what_changed(lor3: Run) -> None:
    """With versions, with labels, with neither; and exits 0."""
    lor3("label", "support_agent", "production", "v1")
    lor3("label", "support_agent", "staging", "v2")
    whole = lor3("diff", "support_agent", "v1", "v2")

    assert whole.code == 0
    assert whole.out.splitlines()[:2] == ["--- support_agent:v1", "+++ support_agent:v2"]
    assert "-  You are talking to {{name}}.{{#vip}} They are important.{{/vip}}" in whole.out.splitlines()
    for arguments in [("1",), ("production", "staging"), ("production",), ()]:
        assert lor3("diff", "support_agent", *arguments) == whole
    assert lor3("diff", "support_agent:v1") == whole
    assert lor3("diff", "support_agent@production", "support_agent:v2") == whole
    assert json.loads(lor3("diff", "support_agent", "--json").out) == {
        "from": "support_agent:v1",
        "to": "support_agent:v2",
        "compiled": False,
        "diff": whole.out.removesuffix("\n"),
    }


@pytest.mark.usefixtures("agent")
def test_diff_of_the_same_says_so(lor3: Run) -> None:
    """On stderr, for nothing differs."""
    done = lor3("diff", "support_agent", "v2", "latest")

    assert (done.code, done.out) == (0, "")
    assert "both are support_agent:v2" in done.err
    assert "  lor3 prompt diff support_agent v1 v2\n" in done.err


@pytest.mark.usefixtures("agent")
def test_diff_of_the_only_version_says_that_there_is_no_other(lor3: Run) -> None:
    """And how there would be one."""
    done = lor3("diff", "tone")

    assert (done.code, done.out) == (0, "")
    assert "tone:v1 is the only version" in done.err
    assert "  lor3 prompt edit tone\n" in done.err


@pytest.mark.usefixtures("agent")
def test_diff_shows_changed_fragments(lor3: Run, save: Save) -> None:
    """The document is the same; the fragment's version, and so the flat text, is not."""
    save("tone", "template: |\n  Be brief.\n")
    refreshed = lor3("edit", "support_agent", "--refresh")
    again = lor3("edit", "support_agent", "--refresh")
    documents = lor3("diff", "support_agent", "v2", "v3").out
    flat = lor3("diff", "support_agent", "v2", "v3", "--compiled").out

    assert (refreshed.out, again.out) == ("support_agent:v3\n", "support_agent:v3\n")
    assert "nothing is saved" in again.err
    assert [line.split(" (")[0] for line in documents.splitlines()[-2:]] == [
        "-#   tone → tone:v1",
        "+#   tone → tone:v2",
    ]
    assert "-Be kind." in flat
    assert "+Be brief." in flat


@pytest.mark.usefixtures("agent")
def test_render_prints_the_text_alone(lor3: Run) -> None:
    """Which version it is stands on stderr."""
    done = lor3("render", "support_agent", "--var", "name=Ada", "--var", "vip=true")
    whole = json.loads(lor3("render", "support_agent:v1", "--var", "name=Ada", "--json").out)

    assert done.out == "Be kind.\nRight now you talk to Ada. They are important.\n"
    assert "support_agent:v2 · with tone:v1" in done.err
    assert (whole["prompt_version"], whole["fragments"]) == ("support_agent:v1", ["tone:v1"])


def test_render_puts_turns_under_their_roles(lor3: Run, save: Save) -> None:
    """A chat template is a conversation."""
    save(
        "interview",
        "messages:\n  - {role: system, content: Ask.}\n  - {role: user, content: 'I am {{n}}'}\n"
        "variables: {n: integer}\n",
    )

    assert lor3("render", "interview", "--var", "n=3").out == "system:\nAsk.\n\nuser:\nI am 3\n"


@pytest.mark.usefixtures("agent")
def test_render_names_every_wrong_variable(lor3: Run) -> None:
    """Missing and unknown ones at once, or those that are no JSON."""
    missing = json.loads(lor3("render", "support_agent", "--var", "nmae=Ada", "--json").err)
    untyped = lor3("render", "support_agent", "--var", "vip=yes")

    assert {"variables.nmae", "variables.name"} == {each["path"] for each in missing["errors"]}
    assert untyped.code == 1
    assert "variables.name: is missing" in untyped.err
    assert "variables.vip: the prompt declares a boolean; write it as JSON: --var vip=true" in untyped.err


@pytest.mark.usefixtures("agent")
def test_label_moves_and_remembers(lor3: Run) -> None:
    """From → to on stdout, and a history."""
    first = lor3("label", "support_agent", "production", "v1", "-m", "Go")
    second = lor3("label", "support_agent", "production", "v1=90", "v2=10%", "--message", "Try")
    third = lor3("label", "support_agent", "canary", "latest")
    fourth = lor3("label", "support_agent", "canary", "production")
    rows = [line.split("\t") for line in lor3("label", "support_agent", "production").out.splitlines()]
    taken = lor3("label", "support_agent", "canary", "--remove")

    assert first.out == "support_agent@production: nothing → v1\n"
    assert second.out == "support_agent@production: v1 → v1 90%, v2 10%\n"
    assert third.out == "support_agent@canary: nothing → v2\n"
    assert fourth.out == "support_agent@canary: v2 → v1 90%, v2 10%\n"
    assert taken.out == "support_agent@canary: v1 90%, v2 10% → nothing\n"
    assert [(*row[:3], *row[4:]) for row in rows] == [
        ("production", "now", "v1 90%, v2 10%", "Grace", "Try"),
        ("production", "before", "v1", "Grace", "Go"),
    ]
    assert json.loads(lor3("label", "support_agent", "--json").out)["labels"][0]["label"] == "production"


@pytest.mark.usefixtures("agent")
def test_protected_label_needs_force(lor3: Run) -> None:
    """The refusal is a failure with a code of its own."""
    lor3("label", "support_agent", "production", "v1", "--protect")
    refused = lor3("label", "support_agent", "production", "v2", "--json")
    told = lor3("label", "support_agent", "production", "v2")
    forced = lor3("label", "support_agent", "production", "v2", "--force")
    freed = lor3("label", "support_agent", "production", "--unprotect")

    assert (refused.code, json.loads(refused.err)["code"]) == (1, "label_protected")
    assert "add `--force` to move it all the same" in told.err
    assert forced.out == "support_agent@production: v1 → v2, protected\n"
    assert freed.out == "support_agent@production: v2, not protected\n"


@pytest.mark.usefixtures("agent")
def test_stale_etag_is_refused(lor3: Run) -> None:
    """By label, edit and delete; with quotes and without."""
    etag = json.loads(lor3("show", "support_agent", "--json").out)["etag"]
    stale = etag.strip('"')

    assert lor3("label", "support_agent", "production", "v1", "--if-match", etag).code == 0
    for arguments in (
        ("label", "support_agent", "production", "v2", "--if-match", stale),
        ("delete", "support_agent", "v2", "--yes", "--if-match", etag),
        ("edit", "support_agent", "--from-file", "document.yaml", "--if-match", etag),
    ):
        done = lor3(*arguments, "--json")

        assert (done.code, json.loads(done.err)["code"]) == (1, "precondition_failed")
        assert "for `--if-match` it is at 3-" in json.loads(done.err)["detail"]


@pytest.mark.usefixtures("agent")
def test_delete_wants_a_yes(lor3: Run) -> None:
    """And says what needs a version that it keeps."""
    nobody = lor3("delete", "support_agent", "v1")
    used = lor3("delete", "tone", "v1", "--yes")
    gone = lor3("delete", "support_agent:v1", "--yes")
    again = lor3("delete", "support_agent", "v1", "--yes", "--json")

    assert (nobody.code, "add --yes" in nobody.err) == (2, True)
    assert (used.code, "support_agent" in used.err) == (1, True)
    assert (gone.code, gone.out) == (0, "deleted support_agent:v1\n")
    assert (again.code, json.loads(again.err)["code"]) == (1, "not_found")


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("show", "suport_agent"), 1, "support_agent"),
        (("show", "support_agent:v9"), 1, "v9"),
        (("show", "support_agent@nope"), 1, "nope"),
        (("show", "a b"), 1, "`a b` is no prompt reference"),
        (("show", "support_agent", "--version", "x y"), 1, "--version"),
        (("show", "support_agent:v1", "--version", "v2"), 2, "say which version once"),
        (("show", "support_agent", "--version", "v2", "--label", "x"), 2, "say which version once"),
        (("show", "support_agent", "--yaml", "--json"), 2, "leave out --json"),
        (("diff", "support_agent", "v1", "v9"), 1, "v9"),
        (("diff", "nope", "v1", "v2"), 1, "nope"),
        (("render", "support_agent:3"), 1, "write `name`, `name:v3` or `name@label`"),
        (("render", "support_agent", "--var", "name"), 2, "NAME=VALUE"),
        (("label", "support_agent", "production", "v9"), 1, "v9"),
        (("label", "support_agent", "production", "v1=90", "v2"), 1, "`v2` is no weight"),
        (("label", "support_agent", "production", "v1=0"), 1, "weight"),
        (("label", "support_agent", "production", "nope"), 1, "nope"),
        (("label", "support_agent", "latest", "v1"), 1, "`latest` is no label"),
        (("label", "support_agent", "nope"), 1, "no label `nope`"),
        (("label", "support_agent", "nope", "--remove"), 1, "nope"),
        (("label", "support_agent", "production", "v1", "--remove"), 2, "leave out the version"),
        (("label", "support_agent", "--protect"), 2, "say which label"),
        (("label", "support_agent", "--force"), 2, "say where"),
        (("label", "nope"), 1, "nope"),
        (("delete", "support_agent", "production", "-y"), 2, "is no version"),
        (("label", "support_agent", "production", "v1,v2"), 1, "`v1,v2` is no version, weight or label"),
        (("label", "support_agent", "production", "v1=-5"), 1, "`v1=-5` is no version, weight or label"),
        (("label", "support_agent", "nope", "--protect"), 1, "nope"),
        (("diff", "support_agent:v1", "v1", "v2"), 2, "say each version once"),
        (("delete", "support_agent", "-y"), 2, "say which version"),
        (("edit", "support_agent:v1", "--from-file", "document.yaml"), 2, "write the name alone"),
        (("edit", "../x", "--from-file", "document.yaml"), 1, "no prompt name"),
        (("edit", "support_agent", "--refresh", "--from-file", "x"), 2, "leave out --from-file"),
        (("edit", "nope", "--refresh"), 1, "nope"),
        (("edit", "support_agent", "--from-file", "absent.yaml"), 2, "absent.yaml can't be read"),
    ],
)
def test_refusal_is_one_clear_error(lor3: Run, arguments: tuple[str, ...], code: int, says: str) -> None:
    """Nothing on stdout, the fault and the remedy on stderr, as text and as JSON."""
    text, as_json = lor3(*arguments), lor3(*arguments, "--json")

    assert (text.code, text.out, as_json.code, as_json.out) == (code, "", code, "")
    assert says in text.err
    assert says in json.loads(as_json.err)["detail"]


def test_plain_text_stays_one(lor3: Run, tmp_path: Path) -> None:
    """It declares nothing, wherever its text comes from: those that include it do."""
    (tmp_path / "tone.md").write_text("Be {{how}}.\n")
    lor3("edit", "tone", "--from-file", "tone.md")
    (tmp_path / "tone.yaml").write_text(lor3("show", "tone", "--yaml").out)
    same = lor3("edit", "tone", "--from-file", "tone.yaml")
    (tmp_path / "tone.yaml").write_text("template: Be very {{how}}.\n")
    changed = lor3("edit", "tone", "--from-file", "tone.yaml")

    assert (same.out, changed.out) == ("tone:v1\n", "tone:v2\n")
    assert json.loads(lor3("show", "tone", "--json").out)["variables"] is None


def test_files_are_listed_and_broken_ones_told(lor3: Run, tmp_path: Path) -> None:
    """Once, on stderr, with what to do; and where it matters: of one prompt only its own."""
    folder = tmp_path / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "good.yaml").write_text("template: Fine.\n")
    (folder / "torn.yaml").write_text("template: Fine.\n")
    lor3("list")
    (tmp_path / "document.yaml").write_text("template: Changed here.\n")
    lor3("edit", "torn", "--from-file", str(tmp_path / "document.yaml"))
    (folder / "torn.yaml").write_text("template: Changed there.\n")
    (folder / "bad.yaml").write_text('template: "{{x"\n')
    listed, shown = lor3("list"), lor3("show", "good")
    own = lor3("show", "torn")

    assert [line.split("\t")[4] for line in listed.out.splitlines()] == [
        "config/prompts/good.yaml",
        "config/prompts/torn.yaml (file diverged)",
    ]
    assert listed.err.count("warning: ") == 2
    assert "bad.yaml can't be used" in listed.err
    assert listed.err.count("bad.yaml, line 1, column 12") == 1
    assert "lor3 prompt sync torn --prefer remote" in listed.err
    assert shown.err == ""
    assert own.err.count("warning: ") == 1


def test_files_that_are_behind_or_gone_are_marked(lor3: Run, tmp_path: Path) -> None:
    """By the list and by `show`; whoever leaves one behind is told at once what brings it up."""
    folder = tmp_path / "config" / "prompts"
    folder.mkdir(parents=True)
    for name in ("behind", "gone", "same"):
        (folder / f"{name}.yaml").write_text("template: Fine.\n")
    lor3("label", "behind", "production", "v1")
    (folder / "gone.yaml").unlink()
    (tmp_path / "document.yaml").write_text("template: Better.\n")
    edited = lor3("edit", "behind", "--from-file", str(tmp_path / "document.yaml"))
    moved = lor3("label", "behind", "staging", "v2")
    unmoved = lor3("label", "same", "staging", "v1")
    sources = {line.split("\t")[0]: line.split("\t")[4] for line in lor3("list").out.splitlines()}
    states = {each["name"]: each["file_state"] for each in json.loads(lor3("list", "--json").out)["items"]}
    synced = lor3("sync", "behind")
    after = json.loads(lor3("show", "behind", "--json").out)["file_state"]

    for done in (edited, moved):
        assert "config/prompts/behind.yaml is behind v2 now" in done.err
        assert "  lor3 prompt sync behind\n" in done.err
    assert unmoved.err == ""
    assert sources == {
        "behind": "config/prompts/behind.yaml (file behind)",
        "gone": "config/prompts/gone.yaml (file gone)",
        "same": "config/prompts/same.yaml",
    }
    assert states == {"behind": "behind", "gone": "gone", "same": "same"}
    assert "config/prompts/gone.yaml (file gone)" in lor3("show", "gone").out
    assert (synced.code, after) == (0, "same")


def test_delete_says_that_a_file_brings_the_prompt_back(lor3: Run, tmp_path: Path) -> None:
    """With its last version; not while there are others, nor where the file is gone too."""
    folder = tmp_path / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "nl.yaml").write_text("template: Fine.\n")
    (folder / "gone.yaml").write_text("template: Fine.\n")
    lor3("list")
    (folder / "gone.yaml").unlink()
    (tmp_path / "document.yaml").write_text("template: Better.\n")
    lor3("edit", "nl", "--from-file", str(tmp_path / "document.yaml"))
    other = lor3("delete", "nl", "v2", "--yes")
    last = lor3("delete", "nl", "v1", "--yes")
    gone = lor3("delete", "gone", "v1", "--yes")

    assert (other.code, other.err) == (0, "")
    assert last.out == "deleted nl:v1\n"
    assert "config/prompts/nl.yaml will bring `nl` back" in last.err
    assert (gone.code, gone.err) == (0, "")
    assert lor3("show", "nl").code == 0


def test_doubtful_json_of_a_variable_is_refused(lor3: Run, save: Save) -> None:
    """As over HTTP: readers differ on which of two equal keys counts, and NaN is no JSON."""
    save("o", "template: '{{o}}'\nvariables: {o: object}\n")
    twice = lor3("render", "o", "--var", 'o={"k": 1, "k": 2}')
    no_number = lor3("render", "o", "--var", 'o={"k": NaN}')

    assert (twice.code, twice.out) == (1, "")
    assert "the key `k` is given twice" in twice.err
    assert "NaN is not JSON" in no_number.err


def test_warnings_of_a_version_are_said_when_it_is_made(lor3: Run, save: Save, tmp_path: Path) -> None:
    """On stderr: a fragment without a newline at its end runs into the line behind its tag."""
    save("tone", "template: Be kind.\n")
    (tmp_path / "glued.yaml").write_text("template: |\n  {{> tone}}\n  Be brief.\n")
    done = lor3("edit", "glued", "--from-file", "glued.yaml")

    assert (done.code, done.out) == (0, "glued:v1\n")
    assert done.err.count("warning: ") == 1
    assert "tone" in done.err
