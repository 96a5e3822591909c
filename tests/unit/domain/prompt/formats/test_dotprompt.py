"""Dotprompt files mean in lor3 what they mean to Genkit, or are refused by name."""

from typing import Any

import pytest

from domain.errors import InvalidRequest
from domain.prompt.source import Variable
from tests.support.importing import compiled, dotprompt, rendered, text_of

SUPPORT = """\
{{role "system"}}
You are a support agent of {{company}}.
{{#if tone}}
Speak in a {{tone}} tone.
{{else}}
Speak plainly.
{{/if}}
{{#each orders}}
- {{id}}: {{#if late}}late{{else}}in time{{/if}}, for {{../customer.name}}
{{else}}
No orders.
{{/each}}
{{role "user"}}
{{{question}}}
{{role "model"}}
Let me see.
"""
SUPPORT_FRONT: dict[str, Any] = {
    "model": "googleai/gemini-2.5-flash",
    "config": {"temperature": 0.2},
    "description": "Answers customers.",
    "input": {
        "schema": {
            "company": "string, who we are",
            "tone?(enum, how to speak)": ["friendly", "formal"],
            "orders(array, what they bought)": {"id": "integer", "late?": "boolean"},
            "customer": {"name": "string"},
            "question": "string",
        },
        "default": {"company": "Acme"},
    },
}


def test_support_file_becomes_a_chat_template() -> None:
    """Roles, defaults, conditions and loops carry over, whole lines of tags leaving no blank ones behind."""
    prompt = dotprompt(SUPPORT, **SUPPORT_FRONT)
    made = rendered(
        prompt,
        tone="formal",
        orders=[{"id": 7, "late": True}, {"id": 8}],
        customer={"name": "Ada"},
        question="Where is {{it}}?",
    )

    assert (
        "You are a support agent of Acme.\nSpeak in a formal tone.\n- 7: late, for Ada\n- 8: in time, for Ada\n"
        == made.system
    )
    assert ["user", "assistant"] == [turn.role for turn in made.turns]
    assert "Where is {{it}}?" == getattr(made.turns[0].parts[0], "text", None)


def test_support_file_declares_its_variables() -> None:
    """Picoschema's types, optional marks, descriptions and values are lor3's declarations."""
    prompt = dotprompt(SUPPORT, **SUPPORT_FRONT)

    assert (
        Variable(name="company", required=False, default="Acme", description="who we are"),
        Variable(
            name="tone",
            type="enum",
            required=False,
            values=("friendly", "formal"),
            description="how to speak",
        ),
        Variable(name="orders", type="list", description="what they bought"),
        Variable(name="customer", type="object"),
        Variable(name="question"),
    ) == prompt.source.variables
    assert "Answers customers." == prompt.source.description


def test_what_has_no_place_is_noted() -> None:
    """Model and settings are named, with where they go."""
    notes = "\n".join(dotprompt(SUPPORT, **SUPPORT_FRONT).notes)

    assert "`model` (googleai/gemini-2.5-flash) is not carried over" in notes
    assert "`config` is not carried over" in notes


def test_else_of_an_empty_list_and_of_an_absent_value() -> None:
    """Both sides of a block work."""
    made = rendered(dotprompt(SUPPORT, **SUPPORT_FRONT), orders=[], customer={"name": "A"}, question="?")

    assert "You are a support agent of Acme.\nSpeak plainly.\nNo orders.\n" == made.system


def test_text_without_roles_is_one_turn_of_the_user() -> None:
    """As dotprompt has it; what nothing declares is inferred from its use, and said."""
    prompt = dotprompt(
        "Sum up {{text}}{{#if short}} in a line{{/if}}: {{#each tags}}#{{this}} {{/each}}{{user.name}}"
    )

    assert [("text", "string"), ("short", "boolean"), ("tags", "list"), ("user", "object")] == [
        (variable.name, variable.type) for variable in prompt.source.variables
    ]
    assert "Sum up it in a line: #a #b Ada" == text_of(
        prompt, text="it", short=True, tags=["a", "b"], user={"name": "Ada"}
    )
    assert any("one turn of the user" in note for note in prompt.notes)


@pytest.mark.parametrize(
    ("body", "variables", "expected"),
    [
        ("{{#unless done}}open{{else}}done{{/unless}}", {"done": True}, "done"),
        ("{{#if a}}A{{else if b}}B{{else}}C{{/if}}", {"a": False, "b": True}, "B"),
        ("{{#if a}}A{{else if b}}B{{else}}C{{/if}}", {"a": False, "b": False}, "C"),
        ("{{#if a}}A{{else if b}}B{{else}}C{{/if}}", {"a": True, "b": True}, "A"),
        ("{{#with user}}{{name}}{{/with}}", {"user": {"name": "Ada"}}, "Ada"),
        ("{{#each xs}}{{this.id}}{{/each}}", {"xs": [{"id": 1}, {"id": 2}]}, "12"),
        ("a {{~ x ~}} b", {"x": "-"}, "a-b"),
        ("\\{{x}} is {{x}}", {"x": "1"}, "{{x}} is 1"),
        ('{"a": "{{x}}"} {', {"x": "1"}, '{"a": "1"} {'),
        ("{ {{~x}}", {"x": "1"}, "{1"),
        ("{{!-- a }} comment --}}{{! another }}{{&x}}", {"x": "<b>"}, "<b>"),
        ("{{^x}}none{{/x}}{{x}}", {"x": ""}, "none"),
        ("one\n{{#if a}}\ntwo\n{{else}}\nthree\n{{/if}}\nfour", {"a": False}, "one\nthree\nfour"),
    ],
)
def test_block_renders_as_handlebars_does(body: str, variables: dict[str, Any], expected: str) -> None:
    """Conditions, chains, loops, trimming, escapes and comments."""
    assert expected == text_of(dotprompt(body), **variables)


def test_json_helper_is_what_lor3_prints_anyway() -> None:
    """Of a list or an object; of a text the quotes would be missing."""
    prompt = dotprompt("{{json xs}}", input={"schema": {"xs(array)": "integer"}})

    assert "[1,2]" == text_of(prompt, xs=[1, 2])
    with pytest.raises(InvalidRequest, match="`json` has no equivalent"):
        dotprompt("{{json x}}", input={"schema": {"x": "string"}})


def test_partial_becomes_a_fragment_with_parameters() -> None:
    """Texts, numbers, truth values and names carry over."""
    prompt = dotprompt(
        "{{>tone style='warm' n=2 on=true who=user.name}}", input={"schema": {"user": {"name": "string"}}}
    )

    assert '{{> tone style="warm" n=2 on=true who=user.name}}' == prompt.source.turns[0].template


def test_json_schema_declares_too() -> None:
    """`type: object` with properties is JSON Schema."""
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "array", "items": {"type": "string"}, "description": "some"},
            "b": {"type": ["integer", "null"]},
            "c": {"enum": ["x", "y"], "default": "x"},
        },
    }
    prompt = dotprompt("{{#each a}}{{this}}{{/each}}{{b}}{{c}}", input={"schema": schema})

    assert (
        Variable(name="a", type="list", description="some"),
        Variable(name="b", type="integer", required=False),
        Variable(name="c", type="enum", required=False, values=("x", "y"), default="x"),
    ) == prompt.source.variables
    assert "px" == text_of(prompt, a=["p"])


SCHEMA = {
    "schema": {
        "s": "string",
        "xs(array)": "string",
        "people(array)": {"name": "string"},
        "user": {"name": "string"},
        "name": "string",
        "any_list": "array",
    }
}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{{media url=s}}", "the helper `media` has no equivalent: lor3's turns are texts"),
        ("{{history}}", "the helper `history` has no equivalent"),
        ('{{section "code"}}', "the helper `section`"),
        ("{{shout s}}", "the helper `shout`"),
        ('{{#ifEquals s "a"}}x{{/ifEquals}}', "the helper `ifEquals`"),
        ("{{#if (gt s 1)}}x{{/if}}", "has no equivalent"),
        ("{{#if xs}}x{{/if}}", "over a list has no equivalent"),
        ("{{#each s}}x{{/each}}", "`s` is no list"),
        ("{{#each xs as |x|}}{{x}}{{/each}}", "has no equivalent"),
        ("{{#each xs}}{{@index}}{{/each}}", "`@index` has no equivalent"),
        ("{{#each people}}{{s}}{{/each}}", "write `../s`"),
        ("{{#each people}}{{../name}}{{/each}}", "could be another value"),
        ("{{#each any_list}}{{../s}}{{/each}}", "could be another value"),
        ("{{#with user}}{{nick}}{{/with}}", "`user` has no field `nick`"),
        ("{{#each xs}}{{#if ../s}}{{this}}{{/if}}{{/each}}", "inside `s`"),
        ("{{#if user}}{{name}}{{/if}}", "could be another value"),
        ("{{this}}", "the whole input"),
        ("{{../s}}", "goes above"),
        ("{{nobody}}", "`nobody` is declared nowhere"),
        ("{{s.[0]}}", "names are letters"),
        ('{{role "tool"}}x', "the role `tool`"),
        ('{{#if s}}{{role "user"}}x{{/if}}', "inside a block"),
        ("{{> tone user}}", "own context"),
        ("{{> (lookup . 'x')}}", "can be no prompt's name"),
        ("{{#> layout}}x{{/layout}}", "kind of tag"),
        ("{{{{raw}}}}x{{{{/raw}}}}", "kind of tag"),
        ("{{#if s}}x", "is never closed"),
        ("x{{/if}}", "closes what is not open"),
        ("{{#if s}}x{{/each}}", "close `if` first"),
        ("{{else}}", "no block"),
        ("x {{ y", "never closed"),
        ("{{}}", "nothing that can be read"),
        ('{{s "x}}', "nothing that can be read"),
    ],
)
def test_what_lor3_can_not_say_is_refused_by_name(body: str, words: str) -> None:
    """With the line and the column."""
    with pytest.raises(InvalidRequest) as caught:
        dotprompt(f"first line\n {body}", input=SCHEMA)

    assert any(words in fault.message for fault in caught.value.faults), caught.value.detail
    assert "line 2, column " in caught.value.faults[0].message


def test_faults_are_named_all_at_once() -> None:
    """Of the declarations and of the text."""
    with pytest.raises(InvalidRequest) as caught:
        dotprompt(
            "{{media url=x}} {{@first}}",
            input={"schema": {"x": "any", "y(thing)": "string", "(*)": "string"}},
        )

    assert ["input.schema.x", "input.schema.y(thing)", "input.schema.(*)", "", ""] == [
        fault.path for fault in caught.value.faults
    ]


@pytest.mark.parametrize(
    ("front", "path"),
    [
        ({"input": "x"}, "input"),
        ({"input": {"schema": "Greeting"}}, "input.schema"),
        ({"input": {"schema": {"x": 7}}}, "input.schema.x"),
        ({"input": {"schema": {"x(enum)": [1, 2]}}}, "input.schema.x(enum)"),
        ({"input": {"schema": {"my-var": "string"}}}, "input.schema.my-var"),
        ({"input": {"schema": {"x": "string"}, "default": {"y": 1}}}, "input.default.y"),
        ({"input": {"default": [1]}}, "input.default"),
        ({"description": 7}, "description"),
    ],
)
def test_odd_front_matter_is_refused(front: dict[str, Any], path: str) -> None:
    """With the path of what is wrong."""
    with pytest.raises(InvalidRequest) as caught:
        dotprompt("text", **front)

    assert [path] == [fault.path for fault in caught.value.faults]


def test_default_without_schema_gives_the_type() -> None:
    """Whole numbers, truth values, lists and objects."""
    prompt = dotprompt(
        "{{n}}{{#each xs}}{{this}}{{/each}}", input={"default": {"n": 3, "xs": [1], "flag": True}}
    )

    assert {"n": "integer", "xs": "list", "flag": "boolean"} == {
        variable.name: variable.type for variable in prompt.source.variables
    }
    assert "31" == text_of(prompt)


def test_deep_nesting_is_refused() -> None:
    """No recursion, no crash."""
    with pytest.raises(InvalidRequest, match="nested"):
        dotprompt("{{#if a}}" * 5000 + "{{/if}}" * 5000)


def test_system_role_alone_is_a_system_text() -> None:
    """So that other prompts can include it."""
    prompt = dotprompt('{{role "system"}}Be brief.')

    assert (False, "Be brief.") == (prompt.source.is_chat, compiled(prompt.source).render({}).system)


@pytest.mark.parametrize("piece", ["{{", "{{{", "{{!--", '{{"', "\\{{", "{{a.", "{{#if a}}", "{{/if}}"])
def test_long_nonsense_is_refused_in_linear_time(piece: str) -> None:
    """A file may have a megabyte of it; fifty faults are shown."""
    with pytest.raises(InvalidRequest) as caught:
        dotprompt(piece * (500_000 // len(piece)))

    assert len(caught.value.faults) <= 51
