"""`--var` and `--var-file`: text where the prompt wants text, JSON where it wants anything else."""

from pathlib import Path

import click
import pytest

from domain.errors import Fault, InvalidRequest
from domain.prompt.source import Variable
from entrypoints.cli.variables import texts_from, typed


def test_text_stays_text_for_strings_and_enums() -> None:
    """Though it looks like JSON."""
    declared = (Variable(name="a"), Variable(name="b", type="enum", values=("1", "2")))

    assert {"a": "12", "b": "1"} == typed({"a": "12", "b": "1"}, declared).values


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "3", 3),
        ("number", "0.5", 0.5),
        ("boolean", "true", True),
        ("list", '["a", {"b": null}]', ["a", {"b": None}]),
        ("object", '{"a": [1]}', {"a": [1]}),
        ("integer", "null", None),
    ],
)
def test_other_types_are_json(kind: str, text: str, value: object) -> None:
    """Whether the value fits the type, the prompt checks."""
    declared = (Variable(name="a", type=kind),)  # type: ignore[arg-type] # the parameters are of the type

    assert {"a": value} == typed({"a": text}, declared).values


def test_what_is_no_json_is_explained_when_the_prompt_refuses_it() -> None:
    """Together with all else that is wrong, each with an example of what to write."""
    declared = (Variable(name="n", type="integer"), Variable(name="l", type="list"), Variable(name="s"))
    given = typed({"n": "three", "l": "a,b", "s": "fine"}, declared)
    refusal = InvalidRequest.of(*(Fault(path=f"variables.{name}", message="no") for name in ("n", "l", "x")))
    with pytest.raises(InvalidRequest) as refused, given.hinting():
        raise refusal
    faults = {fault.path: fault.message for fault in refused.value.faults}

    assert {"n": "three", "l": "a,b", "s": "fine"} == given.values
    assert {
        "variables.n": "the prompt declares an integer; write it as JSON: --var n=3",
        "variables.l": 'the prompt declares a list; write it as JSON: --var l=\'["a", "b"]\'',
        "variables.x": "no",
    } == faults


def test_other_refusals_pass_as_they_are() -> None:
    """Such as one of a prompt that is too long."""
    refusal = InvalidRequest.of(Fault(path="messages", message="no"))
    with pytest.raises(InvalidRequest) as refused, typed({"a": "x"}, ()).hinting():
        raise refusal

    assert refused.value is refusal


@pytest.mark.parametrize("text", ["NaN", "Infinity", "[" * 100_000, "1" * 5000])
def test_what_only_python_reads_as_json_stays_text(text: str) -> None:
    """Nor does depth or length bring it down."""
    given = typed({"a": text}, (Variable(name="a", type="list"),))

    assert ({"a": text}, {"a"}) == (given.values, set(given.hints))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"k": 1, "k": 2}', "the key `k` is given twice"),
        ('{"k": NaN}', "NaN is not JSON"),
        ('{"k": 1e999}', "beyond the range"),
        ('{"k": "\\ud800"}', "half of a surrogate pair"),
        ('{"k": ' + "[" * 40 + "]" * 40 + "}", "nested too deeply"),
    ],
)
def test_json_that_readers_differ_on_is_refused_with_its_reason(text: str, says: str) -> None:
    """By the decoder that reads the bodies of requests."""
    given = typed({"o": text}, (Variable(name="o", type="object"),))

    assert {"o": text} == given.values
    assert says in given.hints["o"]


def test_undeclared_name_is_passed_on_as_text() -> None:
    """The prompt then says that it declares no such variable."""
    assert {"nmae": "Ada"} == typed({"nmae": "Ada"}, (Variable(name="name"),)).values


def test_value_may_hold_anything(tmp_path: Path) -> None:
    """Equals signs, nothing at all, and the text of a file as it is."""
    file = tmp_path / "a.txt"
    file.write_text("Grüße\n=\n", "utf-8")

    assert {"a": "b=c", "b": "", "c": "Grüße\n=\n"} == texts_from(["a=b=c", "b="], [f"c={file}"])


@pytest.mark.parametrize(
    ("variables", "files", "says"),
    [
        (["name"], [], "--var wants NAME=VALUE"),
        (["=Ada"], [], "--var wants NAME=VALUE"),
        (["a=1", "a=2"], [], "`a` is given twice"),
        (["a=1"], ["a=x"], "given twice"),
        ([], ["a"], "--var-file wants NAME=FILE"),
        ([], ["a=absent.txt"], "absent.txt can't be read for `a`"),
        (["a=\udcff"], [], "not UTF-8"),
    ],
)
def test_misuse_says_what_is_wanted(variables: list[str], files: list[str], says: str) -> None:
    """Before anything runs."""
    with pytest.raises(click.UsageError, match=says):
        texts_from(variables, files)


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Such as an image."""
    file = tmp_path / "a.png"
    file.write_bytes(b"\x89PNG\xff")
    with pytest.raises(click.UsageError, match="not UTF-8"):
        texts_from([], [f"a={file}"])
