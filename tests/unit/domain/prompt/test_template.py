"""Reading templates: the language, and what it says about mistakes."""

import pytest

from domain.errors import InvalidRequest
from domain.prompt.compiler import compile_prompt, included
from domain.prompt.nodes import Include, Open, Value
from domain.prompt.source import Origin, PromptSource, Turn
from domain.prompt.template import parse
from domain.prompt.template_fault import MAX_FAULTS
from tests.support.spent import cpu_below
from tests.support.templates import compiled, faults, rendered, source_of, version


def _message(template: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        included(source_of({"template": template}))
    return caught.value.faults[0].message


def test_fault_shows_the_line_and_a_caret() -> None:
    """An author sees what is meant without counting characters."""
    message = _message("You are kind.\n  Say {{#name}} twice.\n")

    assert message == (
        "line 2, column 7: `{{#name}}` is never closed; add `{{/name}}`\n  Say {{#name}} twice.\n      ^"
    )


def test_long_line_is_cut_around_the_caret() -> None:
    """A line of a thousand characters fits an error, and the caret stays under its character."""
    _, line, caret = _message("x" * 500 + "{{ }}" + "y" * 500).split("\n")

    assert len(line) <= 102
    assert line.startswith("…xxx")
    assert line.endswith("yyy…")
    assert "{{ }}" == line[len(caret) - 1 : len(caret) + 4]


def test_control_characters_of_the_line_are_not_shown() -> None:
    """An error never carries what a terminal obeys."""
    _, line, caret = _message("\x1b[31m\t{{ }}\r\n").split("\n")

    assert " [31m {{ }}" == line
    assert len("......^") == len(caret)


def test_fault_names_the_file_and_its_line() -> None:
    """Where a template stands inside a YAML file, the error points into that file, and begins with it."""
    turn = Turn(
        role="user", template="Hello\n{{/x}}", origin=Origin(file="config/prompts/a.yaml", line=7, column=5)
    )

    with pytest.raises(InvalidRequest) as caught:
        included(PromptSource(turns=(turn,), is_chat=True))

    assert "" == caught.value.faults[0].path
    assert caught.value.faults[0].message.startswith(
        "config/prompts/a.yaml, line 8, column 5: `{{/x}}` closes nothing"
    )


@pytest.mark.parametrize(
    ("template", "column", "words"),
    [
        ("a {{ name", 3, "not closed; add `}}`"),
        ("a {{{ name }}", 3, "not closed; add `}}}`"),
        ("{{ name {{other}}", 1, "not closed"),
        ("{{! note", 1, "not closed"),
        ("{{", 1, "not closed"),
        ("{{>", 1, "not closed"),
        ("{{> tone name=x", 1, "not closed"),
        ("{{}}", 1, "the tag is empty"),
        ("{{{}}}", 1, "the tag is empty"),
        ("{{#}}{{/}}", 1, "the tag is empty"),
        ("{{>}}", 1, "the fragment's name is missing"),
        ("{{/x}}", 1, "closes nothing; take it out"),
        ("{{#a}}{{/b}}{{/a}}", 7, "closes nothing; `{{#a}}` is what is open"),
        ("{{#a}}{{#b}}{{/a}}", 7, "`{{#b}}` is not closed before `{{/a}}`"),
        ("{{#a}}", 1, "never closed; add `{{/a}}`"),
        ("{{=<% %>=}}", 1, "delimiters can't be changed"),
        ("{{< parent}}{{/parent}}", 1, "can't inherit; include a fragment"),
        ("{{$ block}}{{/block}}", 1, "no blocks to override"),
        ("{{> *name}}", 1, "can't come from a variable"),
        ("{{%PRAGMA}}", 1, "no pragmas"),
        ("{{@root.x}}", 1, "no data variables"),
        ("{{../x}}", 1, "no parent paths"),
        ("{{1x}}", 1, "is no name"),
        ("{{a b}}", 1, "is no name"),
        ("{{a..b}}", 1, "is no name"),
        ("{{a.}}", 1, "is no name"),
        ("{{ä}}", 1, "is no name"),
        ("{{" + "a" * 65 + "}}", 1, "is no name"),
        ("{{" + ".".join("a" * 33) + "}}", 1, "at most 32 names"),
        ("{{x | upper}}", 1, "no filters and no calls"),
        ("{{f(x)}}", 1, "no filters and no calls"),
        ("{{#if x}}{{/if}}", 1, "no helpers; write `{{#x}}…{{/x}}`"),
        ("{{#unless x}}{{/unless}}", 1, "no helpers; write `{{^x}}…{{/x}}`"),
        ("{{#each x}}{{/each}}", 1, "no helpers; write `{{#x}}…{{/x}}`"),
        ('{{"a": 1}}', 1, 'for two braces as text write `{{"{{"}}`'),
        ('{{"a}}', 3, "the text in quotes does not end"),
        ('{{"\\x"}}', 3, "none of JSON's"),
        ("{{> tone:3}}", 1, "names no fragment; write `name`, `name:v3` or `name@label`"),
        ("{{> tone name}}", 10, "`name` has no value"),
        ("{{> tone name=}}", 15, "a value is missing"),
        ("{{> tone =x}}", 10, "parameters are written `key=value`"),
        ("{{> tone a-b=x}}", 10, "is no parameter"),
        ("{{> tone a=1 a=2}}", 14, "given twice"),
        ("{{> tone a=1x}}", 12, "is no value"),
        ("{{> tone a=1e400}}", 12, "too large"),
        ('{{> tone a="x}}', 12, "the text in quotes does not end"),
        ("{{#x}}" * 33 + "{{/x}}" * 33, 193, "nested deeper than 32"),
    ],
)
def test_mistake_is_named_with_its_remedy(template: str, column: int, words: str) -> None:
    """Each says what is wrong, where, and what to write."""
    message = _message(template)

    assert message.startswith(f"line 1, column {column}: ")
    assert words in message


def test_all_mistakes_are_named_at_once() -> None:
    """One mistake does not hide the next."""
    with pytest.raises(InvalidRequest) as caught:
        included(
            source_of(
                {
                    "messages": [
                        {"role": "system", "content": "{{}} {{#a}} {{/b}} {{x|y}}\n{{= =}}"},
                        {"role": "user", "content": "{{/z}}"},
                    ]
                }
            )
        )

    assert 6 == len(caught.value.faults)
    assert ["messages[0].content"] * 5 + ["messages[1].content"] == [
        each.path for each in caught.value.faults
    ]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{{"{{"}}x{{"}}"}}', "{{x}}"),
        ('{{ "a \\"b\\" }} \\u00e9" }}', 'a "b" }} é'),
        ("{a} }} {b}} { {", "{a} }} {b}} { {"),
        ('{"a":{"b":1}}', '{"a":{"b":1}}'),
        ("{{! a note }}", ""),
        ("{{!-- {{a note --}}", ""),
        ("a {{!\n\n}} b", "a  b"),
    ],
)
def test_text_without_variables(template: str, expected: str) -> None:
    """Quotes, braces that are no tag, and comments."""
    assert expected == rendered(template)


def test_fragments_are_listed_once_in_order() -> None:
    """As they are written, which is what pins are made for."""
    source = source_of({"template": "{{> b@staging}}{{>a}}{{> b@staging x=1}}{{> b:v2 }}"})

    assert ("b@staging", "a", "b:v2") == included(source)


def test_parameters_are_read() -> None:
    """JSON's literals, strings in either quotes, and paths."""
    template = parse(
        r"""{{> f a="x \"y\" }}" b='it\'s "q"' c=-1.5 d=2 e=true f=false g=user.name h=. i = "k" }}"""
    )

    assert () == template.faults
    include = template.nodes[0]
    assert isinstance(include, Include)
    values = {each.name: getattr(each.value, "text", each.value) for each in include.parameters}
    assert values == {
        "a": 'x "y" }}',
        "b": 'it\'s "q"',
        "c": -1.5,
        "d": 2,
        "e": True,
        "f": False,
        "g": "user.name",
        "h": ".",
        "i": "k",
    }


def test_nodes_know_their_offsets() -> None:
    """The later checks point at the tag."""
    nodes = parse("ab {{x}}\n{{#y}}z{{/y}}").nodes

    assert [3, 9] == [node.at for node in nodes if isinstance(node, Value | Open)]


HOSTILE = {
    "open sections": "{{#a}}" * 43_000,
    "sections that are closed": "{{#a}}" * 20_000 + "{{/a}}" * 20_000,
    "one left open below many": "{{#b}}" * 20_000 + "{{#a}}{{/a}}" * 10_000,
    "closes": "{{/a}}" * 43_000,
    "mismatches": "{{#a}}{{/b}}" * 21_000,
    "braces": "{{" * 131_072,
    "braces and one end": "{{" * 131_000 + "}}",
    "triple braces": "{{{" * 87_000 + "}}}",
    "newlines": "\n" * 262_144,
    "blanks": " " * 262_144,
    "blanks before tags": (" " * 1000 + "{{!x}}") * 260,
    "tags, then blanks": "{{!x}}" * 20_000 + " " * 140_000 + "x",
    "a quote": '{{"' + "\\" * 262_000,
    "quotes": '{{"' * 87_000,
    "quoted parameters": "{{> a b='" * 29_000,
    "a long name": "{{" + "a" * 262_000 + "}}",
    "a long path": "{{" + "a." * 131_000 + "a}}",
    "a long word": "{{> a " + "b" * 262_000 + "}}",
    "many parameters": "{{> a " + "b=1 " * 65_000 + "}}",
    "comments": "{{!" * 87_000 + "}}",
    "carriage returns": "\r" * 200_000 + "{{!x}}\r\n",
    "values": "{{a}}" * 52_000,
    "empty literals": '{{""}}' * 43_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_linear_time(name: str) -> None:
    """256 KiB of anything are read or refused in about a second, and no more than 50 faults come of it."""
    main = version("main", {"template": HOSTILE[name], "variables": {"a": "string"}})

    with cpu_below(20):
        try:
            compile_prompt(main, {})
        except InvalidRequest as error:
            assert len(error.faults) <= MAX_FAULTS  # noqa: PT017 - some of the texts are fine


def test_empty_template_is_refused_wherever_it_comes_from() -> None:
    """Imports make sources of their own, and what is stored must be read again."""
    turns = (Turn(role="user", template="x"), Turn(role="user", template=" \n"))

    with pytest.raises(InvalidRequest) as caught:
        included(PromptSource(turns=turns, is_chat=True))

    assert {"messages[1].content": "is empty; write its text"} == faults(caught.value)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n", " "])
def test_end_of_a_template_is_printed_as_it_is(end: str) -> None:
    """As the specification has it; and so in the flat text."""
    assert f"x{end}" == rendered(f"x{end}") == compiled({"template": f"x{end}"}).text


@pytest.mark.parametrize(
    ("items", "expected"), [([], "Rules:\n"), (["a"], "Rules:\n- a\n"), (["a", "b"], "Rules:\n- a\n- b\n")]
)
@pytest.mark.parametrize("end", ["", "\n"])
def test_section_of_whole_lines_leaves_no_empty_line(items: list[str], expected: str, end: str) -> None:
    """Its last tag has the line to itself, so the newline behind it goes with it."""
    assert expected == rendered("Rules:\n{{#rules}}\n- {{.}}\n{{/rules}}" + end, rules=items)


def test_newlines_of_values_are_kept() -> None:
    """Besides the template's own."""
    assert "a\n\n" == rendered("{{x}}\n", x="a\n")
    assert "a\n\n" == rendered("{{#x}}{{.}}{{/x}}\n", x="a\n")


def test_faults_of_a_chat_are_at_their_turns() -> None:
    """`messages[1].content`, behind the path that the caller gives."""
    main = version(
        "main", {"messages": [{"role": "system", "content": "ok"}, {"role": "user", "content": "{{x}}"}]}
    )

    with pytest.raises(InvalidRequest) as caught:
        compile_prompt(main, {}, path="prompt")

    assert ["prompt.messages[1].content"] == list(faults(caught.value))


def test_flat_text_of_a_chat_names_the_roles() -> None:
    """For a person who looks at what is sent."""
    prompt = compiled(
        {
            "messages": [
                {"role": "system", "content": "Be {{> tone}}.\n"},
                {"role": "user", "content": "{{q}}"},
            ],
            "variables": {"q": "string"},
        },
        tone={"template": "kind"},
    )

    assert "system:\nBe kind.\n\nuser:\n{{q}}\n" == prompt.text


def test_flat_text_keeps_sections_on_their_lines() -> None:
    """What was written in whole lines is shown in whole lines."""
    template = (
        'Hi.\n{{#rules}}\n- {{.}} in {{"{{"}}\n{{/rules}}\n{{^rules}}\nNone.\n{{/rules}}\nBye {{^x}}now{{/x}}'
    )

    assert template == compiled({"template": template, "variables": {"rules": "list", "x": "boolean"}}).text
