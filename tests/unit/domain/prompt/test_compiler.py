"""Fragments, macros, and what names mean."""

from typing import Any

import attrs
import pytest

from domain.errors import InvalidRequest
from domain.prompt.compiler import compile_prompt, faults_of_its_own
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import Origin, Variable
from domain.prompt.version import Pin, PromptVersion
from tests.support.spent import cpu_below
from tests.support.templates import compiled, faults, first_line, source_of, version

GREET = {
    "template": "Hello {{name}}, {{style}}!",
    "variables": {"name": "string", "style": {"default": "friend"}},
}


def _refusal(document: Any, **fragments: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        compiled(document, **fragments)
    assert 1 == len(caught.value.faults)
    return first_line(caught.value.faults[0])


def _text(document: Any, values: dict[str, Any] | None = None, **fragments: Any) -> str | None:
    return compiled(document, **fragments).render(values or {}).system


def test_fragments_are_put_in_their_places() -> None:
    """The program is one text: nothing of the composition is left to rendering."""
    prompt = compiled(
        {"template": "A {{> one}} B {{> two}}"}, one={"template": "[1]"}, two={"template": "({{> one}})"}
    )

    assert ("A [1] B ([1])",) == prompt.turns[0].program
    assert ["one:v1", "two:v1"] == [str(ref) for ref in prompt.fragments]


def test_fragment_is_found_by_its_pin() -> None:
    """`tone@staging` is the version that the snapshot was made with, whatever the label says now."""
    old, new = version("tone", {"template": "old"}), version("tone", {"template": "new"}, number=2)
    main = version("main", {"template": "{{> tone@staging}}/{{> tone}}"}, {"tone@staging": old, "tone": new})

    prompt = compile_prompt(main, {old.ref: old, new.ref: new})

    assert "old/new" == prompt.render({}).system
    assert (old.ref, new.ref) == prompt.fragments


def test_standalone_fragment_is_indented() -> None:
    """Every line of it, those of its own fragments too; never the lines of a value or of quoted text."""
    template = "List:\n  {{> outer}}\nEnd"

    text = _text(
        {"template": template, "variables": {"v": "string"}},
        {"v": "1\n2"},
        inner="i\n",
        outer='a\n\n  {{> inner}}\n{{v}}\n{{"q\\nr"}}\n{{#v}}\nin\n{{/v}}\n{{! c }}b {{> inner}}',
    )

    assert "List:\n  a\n  \n    i\n  1\n2\n  q\nr\n  in\n  b i\nEnd" == text


# Parameters


def test_macro_takes_literals_paths_and_defaults() -> None:
    """A literal is text of the flat template; what is not given is the declared default."""
    prompt = compiled(
        {
            "template": "{{> greet name=\"Ada\" style='dear'}} {{> greet name=user}}",
            "variables": {"user": "string"},
        },
        greet=GREET,
    )

    assert "Hello Ada, dear! Hello {{user}}, {{style}}!" == prompt.text
    assert "Hello Ada, dear! Hello Bob, friend!" == prompt.render({"user": "Bob"}).system


def test_literal_decides_a_section() -> None:
    """A branch that can never be taken is not in the flat template."""
    macro = {"template": "{{#loud}}HEY {{.}}{{/loud}}{{^loud}}hey{{/loud}}", "variables": {"loud": "boolean"}}

    assert "HEY true hey" == compiled({"template": "{{> m loud=true}} {{> m loud=false}}"}, m=macro).text


def test_macro_in_a_loop_sees_the_item() -> None:
    """Parameters are found where the tag stands, and hide the names of the items around."""
    card = {
        "template": "{{title}}:{{#tags}} {{title}}/{{.}}{{/tags}};",
        "variables": {"title": "string", "tags": "list"},
    }
    people = [{"name": "Ada", "tags": ["x", "y"], "title": "no"}, {"name": "Bob", "tags": [], "title": "no"}]

    text = _text(
        {
            "template": "{{#people}}{{> card title=name tags=tags}}{{/people}}",
            "variables": {"people": "list"},
        },
        {"people": people},
        card=card,
    )

    assert "Ada: Ada/x Ada/y;Bob:;" == text


def test_item_hides_a_parameter_inside_the_fragment() -> None:
    """What is further in wins, as everywhere."""
    macro = {"template": "{{#rows}}{{title}} {{/rows}}", "variables": {"title": "string", "rows": "list"}}

    text = _text(
        {"template": "{{> m title=t rows=rows}}", "variables": {"t": "string", "rows": "list"}},
        {"t": "outer", "rows": [{"title": "own"}, {}]},
        m=macro,
    )

    assert "own outer " == text


def test_parameters_do_not_leak_into_each_other() -> None:
    """`topic=other style=topic` means the two values of the includer."""
    macro = {
        "template": "{{topic}}-{{style}}{{#rows}}({{style}}){{/rows}}",
        "variables": {"topic": "string", "style": "string", "rows": "list"},
    }
    prompt = compiled(
        {
            "template": "{{> m topic=other style=topic rows=rows}}",
            "variables": {"topic": "string", "other": "string", "rows": "list"},
        },
        m=macro,
    )
    values: dict[str, Any] = {"topic": "T", "other": "O", "rows": [1, {"topic": "x"}]}
    again = compiled(
        {"template": prompt.text, "variables": {"topic": "string", "other": "string", "rows": "list"}}
    )

    assert "O-T(T)(T)" == prompt.render(values).system
    assert "O-T(T)(T)" == again.render(values).system


def test_parameters_pass_through_fragments() -> None:
    """A parameter may be passed on, and a fragment inside sees the one around."""
    text = _text(
        {"template": '{{> outer name="Ada"}}'},
        inner={"template": "{{name}}/{{who}}", "variables": {"name": "string", "who": "string"}},
        outer={"template": "{{> inner who=name}}", "variables": {"name": "string"}},
    )

    assert "Ada/Ada" == text


def test_with_names_values() -> None:
    """The block form of parameters, which flat texts are written in."""
    document = {
        "template": '{{#with a=user.name b="x"}}{{a}}{{b}}{{#rows}}{{a}}{{/rows}}{{/with}}{{#with}}{{.}}{{/with}}',
        "variables": {"user": "object", "rows": "list", "with": "string"},
    }

    assert "NxNNw" == _text(document, {"user": {"name": "N"}, "rows": [1, 2], "with": "w"})


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        (
            '{{> greet nmae="x"}}',
            "`greet:v1` has no parameter `nmae`; did you mean `name`?; it has: `name`, `style`",
        ),
        ("{{> greet name=3}}", "the parameter `name` of `greet:v1` must be a string, not an integer"),
        ("{{> greet name=people}}", "must be a string, and `people` is a list; declare them alike"),
        ('{{> pick lang="fr"}}', 'must be one of "de", "en", not "fr"'),
        ("{{> pick lang=word}}", 'must be one of "de", "en", and `word` is a string'),
        ("{{> greet name=wrod}}", "`wrod` is not declared; did you mean `word`?"),
        ("{{> plain nmae=word}}", "`plain:v1` has no parameter `nmae`; did you mean `name`?"),
    ],
)
def test_unfit_parameter_is_refused(tag: str, words: str) -> None:
    """Checked where it is written, not when it is rendered."""
    message = _refusal(
        {
            "template": f"{tag}",
            "variables": {
                "people": "list",
                "word": "string",
                "name": "string",
                "lang": {"enum": ["de", "en"]},
            },
        },
        greet=GREET,
        pick={"template": "{{lang}}", "variables": {"lang": {"enum": ["de", "en"]}}},
        plain="{{name}}",
    )

    assert words in message
    assert "line 1, column " in message


def test_fitting_types_may_be_passed() -> None:
    """An integer is a number, an enum's value a string, and a narrower enum fits a wider one."""
    prompt = compiled(
        {
            "template": "{{> m n=i s=e e=e}}",
            "variables": {"i": "integer", "e": {"enum": ["a"]}},
        },
        m={
            "template": "{{n}}{{s}}{{e}}",
            "variables": {"n": "number", "s": "string", "e": {"enum": ["a", "b"]}},
        },
    )

    assert "3aa" == prompt.render({"i": 3, "e": "a"}).system


# Variables


def test_variables_of_fragments_are_the_prompts_own() -> None:
    """Those that no parameter binds; the prompt's own declaration wins."""
    fragment = {
        "template": "{{a}}{{b}}{{c}}",
        "variables": {
            "a": {"default": "theirs", "description": "theirs"},
            "b": {"type": "integer", "description": "B"},
            "c": "string",
        },
    }

    prompt = compiled(
        {"template": "{{> f c=own}}", "variables": {"own": "string", "a": {"default": "mine"}}}, f=fragment
    )

    assert prompt.variables == (
        Variable(name="own"),
        Variable(name="a", required=False, default="mine"),
        Variable(name="b", type="integer", description="B"),
    )


def test_same_name_of_two_types_is_refused() -> None:
    """Both are named, and the way out."""
    message = _refusal(
        {"template": "{{> one}}{{> two}}"},
        one={"template": "{{x}}", "variables": {"x": "string"}},
        two={"template": "{{x}}", "variables": {"x": "integer"}},
    )

    assert (
        "line 1, column 10: `x` must be an integer in `two:v1`, and a string in `one:v1`; rename one of them, "
        "or pass it as a parameter: `x=…`"
    ) == message


def test_variable_that_one_fragment_requires_is_required() -> None:
    """Another fragment's default is not meant for it."""
    prompt = compiled(
        {"template": "{{> one}}{{> two}}"},
        one={"template": "{{x}}", "variables": {"x": {"default": "d"}}},
        two={"template": "{{x}}", "variables": {"x": "string"}},
    )

    assert (Variable(name="x"),) == prompt.variables


def test_undeclared_name_is_refused() -> None:
    """Each once a template, with the name that was meant."""
    with pytest.raises(InvalidRequest) as caught:
        compiled({"template": "{{nmae}} {{nmae}}\n{{other}}", "variables": {"name": "string"}})

    assert [first_line(each) for each in caught.value.faults] == [
        "line 1, column 1: `nmae` is not declared; did you mean `name`?",
        "line 2, column 1: `other` is not declared; declare it under `variables`",
    ]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (
            "{{#on}}a{{else}}b{{/on}}",
            "what is shown otherwise is a section of its own: `{{^name}}…{{/name}}`",
        ),
        ("{{#on}}{{this}}{{/on}}", "the item of a section is `{{.}}`"),
        ("{{on.off}}", "`on` is a boolean, which has no parts; declare it as an object"),
        ("{{rows.name}}", "`rows` is a list, which has no parts; go through it: `{{#rows}}…{{/rows}}`"),
        ("{{.}}", "there is no section around it"),
        ("{{^on}}{{.}}{{/on}}", "there is no section around it"),
        ("{{#.}}x{{/.}}", "there is no section around it"),
    ],
)
def test_name_that_means_nothing_is_refused(template: str, words: str) -> None:
    """With the remedy for whoever knows other template languages."""
    assert words in _refusal({"template": template, "variables": {"on": "boolean", "rows": "list"}})


def test_names_inside_a_list_may_be_the_items() -> None:
    """They can't be checked before there are items."""
    document = {
        "template": "{{#rows}}{{name}}{{#deep}}{{x.y}}{{/deep}}{{/rows}}",
        "variables": {"rows": "list"},
    }

    assert "Ada1" == _text(document, {"rows": [{"name": "Ada", "deep": {"x": {"y": 1}}}]})


def test_names_inside_a_scalar_section_are_checked() -> None:
    """A text has no keys, so a wrong name in it is always wrong."""
    message = _refusal(
        {"template": "{{#on}}{{nmae}}{{/on}}", "variables": {"on": "string", "name": "string"}}
    )

    assert "`nmae` is not declared; did you mean `name`?" in message


def test_fragment_may_use_only_what_it_declares() -> None:
    """What it means must not hang on who includes it."""
    message = _refusal(
        {"template": "{{> f}}", "variables": {"x": "string"}},
        f={"template": "{{x}}", "variables": {"y": "string"}},
    )

    assert "`f:v1`, line 1, column 1: `x` is not declared" in message


def test_plain_fragment_uses_what_the_prompt_declares() -> None:
    """A text file can't declare; who includes it does, and is told where a name is missing."""
    assert "Ada" == _text({"template": "{{> f}}", "variables": {"x": "string"}}, {"x": "Ada"}, f="{{x}}")
    assert "`f:v1`, line 1, column 1: `x` is not declared" in _refusal({"template": "{{> f}}"}, f="{{x}}")


def test_plain_text_alone_takes_any_value() -> None:
    """Nobody declared its variables, so that they have no type; they are required all the same."""
    prompt = compile_prompt(version("main", "{{#rows}}{{.}}{{/rows}} {{name}}"), {})

    assert ("rows", "name") == prompt.untyped
    assert "12 3" == prompt.render({"rows": [1, 2], "name": 3}).system
    with pytest.raises(InvalidRequest, match=r"variables\.name: is missing"):
        prompt.render({"rows": []})


def test_variable_of_a_fragment_in_a_list_may_be_the_items() -> None:
    """It is asked of the caller only where neither the item nor the caller has it."""
    prompt = compiled(
        {"template": "{{#rows}}{{> f}};{{/rows}}", "variables": {"rows": "list"}},
        f={"template": "{{name}}", "variables": {"name": "string"}},
    )

    assert ("name",) == prompt.deferred
    assert "Ada;Bob;" == prompt.render({"rows": [{"name": "Ada"}, {"name": "Bob"}]}).system
    assert "Ada;Eve;" == prompt.render({"rows": [{"name": "Ada"}, {}], "name": "Eve"}).system
    with pytest.raises(InvalidRequest, match=r"variables\.rows\[1\]\.name: `name` is missing"):
        prompt.render({"rows": [{"name": "Ada"}, {}]})


def test_deferred_variable_that_is_also_used_outside_is_required() -> None:
    """In either order."""
    fragment = {"template": "{{name}}", "variables": {"name": "string"}}
    for template in ("{{#rows}}{{> f}}{{/rows}}{{> f}}", "{{> f}}{{#rows}}{{> f}}{{/rows}}"):
        prompt = compiled({"template": template, "variables": {"rows": "list"}}, f=fragment)

        assert () == prompt.deferred
        with pytest.raises(InvalidRequest, match=r"variables\.name: is missing"):
            prompt.render({"rows": []})


# What can't be included


def test_cycle_is_named() -> None:
    """By name: which version it is does not matter."""
    b = version("b", {"template": "{{> a}}"}, {"a": version("a", {"template": ""})})
    c = version("c", {"template": "{{> b}}"}, {"b": b})
    a = version("a", {"template": "x\n {{> c}}"}, {"c": c}, number=2)

    with pytest.raises(InvalidRequest) as caught:
        compile_prompt(a, {b.ref: b, c.ref: c})

    assert (
        "`b:v1`, line 1, column 1: a prompt can't include itself: a → c → b → a; take one of the steps out"
        == first_line(caught.value.faults[0])
    )


def test_prompt_that_includes_itself_is_refused() -> None:
    """By whichever version or label."""
    main = version("main", {"template": "{{> main@staging}}"})

    with pytest.raises(InvalidRequest, match="main → main"):
        compile_prompt(main, {})


def test_missing_fragment_is_refused() -> None:
    """With the fragment that was meant."""
    message = _refusal({"template": "{{> tone}}{{> tnoe}}"}, tone={"template": "x"})

    assert "line 1, column 11: there is no prompt `tnoe` to include; did you mean `tone`?" == message


def test_pin_without_its_version_is_refused() -> None:
    """A library that lacks it can't be compiled from."""
    tone = version("tone", {"template": "x"})

    with pytest.raises(InvalidRequest, match="there is no prompt `tone` to include"):
        compile_prompt(version("main", {"template": "{{> tone}}"}, {"tone": tone}), {})


def test_chat_can_not_be_included() -> None:
    """Only what is one system text."""
    turns = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]

    assert "`f:v1` is a chat of 2 turns" in _refusal({"template": "{{> f}}"}, f={"messages": turns})
    assert "a" == _text({"template": "{{> f}}"}, f={"messages": turns[:1]})


@pytest.mark.parametrize("depth", [10, 11])
def test_depth_is_limited(depth: int) -> None:
    """Ten fragments inside one another, and the way to the eleventh is named."""
    fragments: dict[str, Any] = {"f1": {"template": "x"}}
    for number in range(2, depth + 1):
        fragments[f"f{number}"] = {"template": f"{{{{> f{number - 1}}}}}"}
    document = {"template": f"{{{{> f{depth}}}}}"}

    if depth == 10:
        assert "x" == _text(document, **fragments)
    else:
        message = _refusal(document, **fragments)

        assert "more than 10 deep: main → f11 → f10 → " in message
        assert message.endswith("→ f1; join some of them")


@pytest.mark.parametrize("leaf", ["", "lol", "{{x}}"])
def test_a_billion_fragments_are_refused_at_once(leaf: str) -> None:
    """Ten levels of a hundred fragments each are never expanded, be they empty."""
    fragments: dict[str, Any] = {"f1": leaf}
    for number in range(2, 11):
        fragments[f"f{number}"] = f"{{{{> f{number - 1}}}}}" * 100
    with cpu_below(10):
        message = _refusal_of_a_bomb(fragments)

        assert "more than 20000 texts and tags" in message


def _refusal_of_a_bomb(fragments: dict[str, Any]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        compiled({"template": "{{> f10}}", "variables": {"x": "string"}}, **fragments)
    return caught.value.faults[0].message


def test_much_text_from_fragments_is_refused() -> None:
    """256 KiB of text, counted in UTF-8 and with every use."""
    message = _refusal({"template": "{{> f}}" * 5}, f={"template": "é" * 30_000})

    assert "more than 262144 bytes of text" in message


def test_sections_are_counted_through_fragments() -> None:
    """Twenty inside twenty are more than 32."""
    nest = "{{#x}}" * 20 + "{}" + "{{/x}}" * 20
    message = _refusal(
        {"template": nest.replace("{}", "{{> f}}"), "variables": {"x": "boolean"}},
        f={"template": nest.replace("{}", ""), "variables": {"x": "boolean"}},
    )

    assert "nested deeper than 32" in message


def test_faults_of_a_fragment_name_it() -> None:
    """By its file where it has one, else by its version."""
    broken = version("f", {"template": "a\n{{}}"})
    turn = attrs.evolve(broken.source.turns[0], origin=Origin(file="config/prompts/f.md", line=1))
    filed: PromptVersion = attrs.evolve(broken, source=attrs.evolve(broken.source, turns=(turn,)))
    main = version("main", {"template": "{{> f}} {{> f}}"}, {"f": broken})

    for each, path, start in (
        (broken, "template", "`f:v1`, line 2, column 1: "),
        (filed, "", "config/prompts/f.md, line 2, column 1: "),
    ):
        with pytest.raises(InvalidRequest) as caught:
            compile_prompt(main, {broken.ref: each})

        assert [path] == list(faults(caught.value))
        assert 1 == len(caught.value.faults)
        assert caught.value.faults[0].message.startswith(start)


# Lines that run into one another


_SWITCH = {"template": "{{#on}}\n{{> r}}\n{{/on}}\nx", "variables": {"on": "boolean"}}


def _warnings(template: str, **fragments: Any) -> list[str]:
    variables = {"x": "string", "rows": "list", "o": "object"}
    return list(compiled({"template": template, "variables": variables}, **fragments).warnings)


def test_fragment_without_a_last_newline_is_warned_of() -> None:
    """The specification has its tag take the line's newline, and the author is told where and what to do."""
    prompt = compiled({"template": "Rules:\n{{> r1}}\nNever lie.\n"}, r1="Be kind and brief.")

    assert "Rules:\nBe kind and brief.Never lie.\n" == prompt.render({}).system
    assert (
        "template: line 2, column 1: `{{> r1}}` takes its line's newline with it, and `r1:v1` does not end in one, "
        "so the text below moves up into the line above; end `r1` with a new line, or put the tag into a line with "
        "other text",
    ) == prompt.warnings


@pytest.mark.parametrize(
    ("template", "fragments"),
    [
        ("{{> r}}\nx", {"r": "a"}),
        ("{{> r}}\n\nx", {"r": "a"}),
        ("{{> r}}\n\n{{x}}", {"r": "a"}),
        ("{{> r}}\n{{x}}", {"r": "{{x}}"}),
        ('{{> r}}\n{{"x"}}', {"r": '{{"a"}}'}),
        ("{{> r}}\n{{> s}}\n", {"r": "a", "s": "b\n"}),
        ("{{> r}}\n{{> e}}\nx", {"r": "a", "e": ""}),
        ("{{#x}}\n  {{> r}}\n{{/x}}\nx", {"r": "a"}),
        ("{{> r}}\n{{#x}}\ny\n{{/x}}\n", {"r": "a"}),
        ("{{> r}}\nx", {"r": "a\n{{#x}}b{{/x}}"}),
        ("{{#rows}}\n{{> r}}\n{{/rows}}\n", {"r": "- a"}),
    ],
)
def test_lines_that_run_into_one_another(template: str, fragments: dict[str, Any]) -> None:
    """By whatever text follows, the next item of a list too."""
    (warning,) = _warnings(template, **fragments)

    assert "`{{> r}}` takes its line's newline with it, and `r:v1` does not end in one" in warning


@pytest.mark.parametrize(
    ("template", "fragments"),
    [
        ("{{> r}}\nx", {"r": "a\n"}),
        ("{{> r}}\nx", {"r": "a\r\n"}),
        ("{{> r}}\nx", {"r": '{{"a\\n"}}'}),
        ("{{> r}}\nx", {"r": "{{#rows}}\n- {{.}}\n{{/rows}}"}),
        ("{{> r}}\nx", {"r": "a\n{{! why }}"}),
        ("{{> r}}\nx", {"r": ""}),
        ("So {{> r}}\nx", {"r": "a"}),
        ("So {{> r}}\nx", {"e": "", "r": "{{> e}}\nb"}),
        ("x\n{{> r}}", {"r": "a"}),
        ("x\n{{> r}}\n", {"r": "a"}),
        ("x\n{{> r}}\n \n\n", {"r": "a"}),
        ("x\n{{#o}}\n{{> r}}\n{{/o}}\n", {"r": "a"}),
        ("{{> m on=false}}", {"r": "a", "m": _SWITCH}),
    ],
)
def test_lines_that_do_not(template: str, fragments: dict[str, Any]) -> None:
    """No false alarm: the fragment ends its line, or nothing follows, or the tag is in a line with others."""
    assert [] == _warnings(template, **fragments)


def test_innermost_fragment_is_named() -> None:
    """A new line at the end of the outer one would be taken by the tag in it."""
    (warning,) = _warnings("{{> outer}}\nx", inner="a", outer="o\n{{> inner}}\n")

    assert warning.startswith("template: `outer:v1`, line 2, column 1: `{{> inner}}` takes")


def test_warnings_name_the_file_and_each_tag_once() -> None:
    """However often it is included; and turns of a chat do not run into one another."""
    tone = version("tone", "a")
    library = {"tone": tone, "twice": version("twice", "{{> tone}}\nb\n", {"tone": tone})}
    turns = [
        {"role": "system", "content": "{{> twice}}\n{{> twice}}\n{{> tone}}\n"},
        {"role": "user", "content": "\n{{> tone}}\nx"},
    ]
    main = version("main", {"messages": turns}, library)
    user = attrs.evolve(main.source.turns[1], origin=Origin(file="p/main.yaml", line=7, column=5))
    source = attrs.evolve(main.source, turns=(main.source.turns[0], user))

    warnings = compile_prompt(
        attrs.evolve(main, source=source), {each.ref: each for each in library.values()}
    ).warnings

    assert [
        "messages[0].content: `twice:v1`, line 1, column 1",
        "p/main.yaml, line 8, column 5",
    ] == [each.partition(": `{{>")[0] for each in warnings]


def test_warnings_are_bounded_and_quick() -> None:
    """A prompt of thousands of such lines."""
    with cpu_below(10):
        warnings = _warnings("{{> r}}\n" * 9_000, r="a")

        assert 50 == len(warnings)


# Without its fragments


def test_faults_of_the_text_around_missing_fragments() -> None:
    """In the order of the text: what it uses must be declared in it, whatever a fragment would bring."""
    source = source_of(
        {
            "template": "{{nmae}}\n{{> tnoe}}{{> tnoe}}{{> ok x=wrod}}\n{{#rows}}{{any}}{{/rows}}{{name.x}}",
            "variables": {"name": "string", "rows": "list"},
        }
    )

    found = faults_of_its_own(PromptName("main"), source, {"tnoe": "there is none"})

    assert [first_line(each) for each in found] == [
        "line 1, column 1: `nmae` is not declared; did you mean `name`?",
        "line 2, column 1: there is none",
        "line 2, column 28: `wrod` is not declared; declare it under `variables`",
        "line 3, column 26: `name` is a string, which has no parts; declare it as an object, or name a variable that "
        "is one",
    ]


def test_plain_text_without_its_fragments_has_no_faults_of_its_own() -> None:
    """It can't declare what it uses."""
    found = faults_of_its_own(PromptName("main"), source_of("{{x}}{{> tnoe}}"), {"tnoe": "there is none"})

    assert ["line 1, column 6: there is none"] == [first_line(each) for each in found]


def test_pin_of_a_hash_is_not_looked_at() -> None:
    """Only the reference finds the version."""
    tone = version("tone", {"template": "x"})
    main = attrs.evolve(
        version("main", {"template": "{{> tone}}"}),
        pins=(Pin(written="tone", ref=VersionRef(PromptName("tone"), 1), hash="0" * 64),),
    )

    assert "x" == compile_prompt(main, {tone.ref: tone}).render({}).system


def test_literals_that_are_never_printed_count_as_text() -> None:
    """Else a fragment that names a long literal, included often enough, would outgrow the memory."""
    block = f'{{{{#with a="{"x" * 20_000}"}}}}{{{{/with}}}}'
    fragment = {"template": block}

    assert _text({"template": "{{> f}}" * 12 + "."}, f=fragment) == "."
    assert "bytes of text" in _refusal({"template": "{{> f}}" * 14 + "."}, f=fragment)
