"""Files of other tools: told apart, bounded, and imported or refused with every fault."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.prompts.foreign_documents import ForeignDocuments
from application.ports.prompt_documents import DocumentFormat
from domain.errors import Fault, InvalidRequest
from domain.prompt.formats.imported import ImportedPrompt
from tests.support.importing import compiled, rendered

LANGFUSE = {"name": "movie-critic", "type": "text", "prompt": "Like {{movie}}?", "version": 1}
ASSISTANT = {"id": "asst_1", "object": "assistant", "name": "Math Tutor", "instructions": "Teach {{x}}."}
DOTPROMPT = '---\nmodel: m\ninput:\n  schema:\n    name: string\n---\n{{role "system"}}\nHello {{name}}.\n'
OWN = "template: Hello {{name}}.\nvariables: {name: string}\n"


async def _read(
    tmp_path: Path,
    name: str,
    content: str | bytes,
    wanted: DocumentFormat = "auto",
    *,
    variables: bool = False,
) -> ImportedPrompt:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return await ForeignDocuments().read(str(file), format=wanted, variables=variables)


@pytest.mark.parametrize(
    ("file", "content", "wanted", "name"),
    [
        ("greet.prompt", DOTPROMPT, "auto", "greet"),
        ("greet.formal.prompt", DOTPROMPT, "auto", "greet.formal"),
        ("greet.prompt", DOTPROMPT.replace("\n", "\r\n"), "auto", "greet"),
        ("notes.md", DOTPROMPT, "auto", "notes"),
        ("export", DOTPROMPT, "auto", "export"),
        ("x.json", json.dumps(LANGFUSE), "auto", "movie-critic"),
        ("x", json.dumps(LANGFUSE), "auto", "movie-critic"),
        ("x.json", json.dumps(LANGFUSE), "langfuse", "movie-critic"),
        ("x.json", json.dumps({"prompt": "hi"}), "auto", "x"),
        ("a.json", json.dumps(ASSISTANT), "auto", "Math Tutor"),
        ("a.txt", json.dumps(ASSISTANT), "assistant", "Math Tutor"),
        ("agent.yaml", OWN, "auto", "agent"),
        ("agent", OWN, "lor3", "agent"),
        ("agent.json", json.dumps({"template": "Hi"}), "auto", "agent"),
        ("tone.md", "Calm.", "auto", "tone"),
        ("tone.txt", "﻿Calm.", "auto", "tone"),
    ],
)
async def test_format_is_told_by_name_and_content(
    tmp_path: Path, file: str, content: str, wanted: DocumentFormat, name: str
) -> None:
    """And the prompt has the name that the content gives, else the file's."""
    read = await _read(tmp_path, file, content, wanted)

    assert name == read.name
    compiled(read.source)


async def test_partial_is_a_fragment(tmp_path: Path) -> None:
    """Dotprompt's files that start with `_` are what others include."""
    read = await _read(tmp_path, "_tone.prompt", "Be {{mood}}.")

    assert ("tone", False, "Be calm.") == (
        read.name,
        read.source.is_chat,
        rendered(read, mood="calm").system,
    )


async def test_variables_are_asked_for(tmp_path: Path) -> None:
    """An assistant's braces are text else."""
    plain = await _read(tmp_path, "a.json", json.dumps(ASSISTANT))
    template = await _read(tmp_path, "a.json", json.dumps(ASSISTANT), variables=True)

    assert "Teach {{x}}." == rendered(plain).system
    assert "Teach maths." == rendered(template, x="maths").system


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("x.prompt", "---\nmodel: m\n", "front matter never ends"),
        ("x.prompt", "---\n- a\n---\nhi", "front matter holds no settings"),
        ("x.prompt", "---\nmodel: m\nmodel: n\n---\nhi", "x.prompt, line 3, column 1: model: is given twice"),
        ("x.prompt", "---\na: &x 1\nb: *x\n---\nhi", "line 2, column 4: the anchor `&x` is refused"),
        (
            "x.prompt",
            "---\ninput:\n  schema:\n    n: any\n---\nhi",
            "line 4, column 8: input.schema.n: the type `any`",
        ),
        (
            "x.prompt",
            "---\nmodel: m\n---\nhi\n  {{media url=a}}",
            "x.prompt, line 5, column 3: the helper `media`",
        ),
        ("x.prompt", "", "no text"),
        (
            "x.json",
            '{\n "object": "assistant",\n "instructions": null}',
            "line 3, column 18: instructions: is missing",
        ),
        ("x.json", '{\n"prompt": "{{#a}}",\n"type": "text"}', "line 2: prompt: line 1, column 1: `{{#a}}`"),
        ("x.json", '{"prompt": ', "line 1"),
        ("x.json", '{"a": 1, "a": 2}', "given twice"),
        ("x.json", '{"prompt": NaN}', "NaN"),
        ("x.json", "[]", "a list of 0"),
        ("x.json", '{"data": [{}, {}], "meta": {}}', "a list of 2"),
        ("x.json", "7", "no object"),
        ("x.json", '{"foo": 1}', "foo"),
        ("x.yaml", "template: [", "line 1"),
        ("x.bin", "hello", "name it with --format"),
        ("x.prompt", b"\xff\xfe", "is not UTF-8"),
        ("x.json", "[" * 5000, "nested"),
        ("x.prompt", "---\na: " + "[" * 5000 + "\n---\n", "nested"),
        ("x.prompt", "a" * (1024 * 1024 + 1), "larger than 1 MiB"),
    ],
)
async def test_what_can_not_be_read_is_told_with_its_place(
    tmp_path: Path, file: str, content: str | bytes, words: str
) -> None:
    """File and line, and what is wrong."""
    with pytest.raises(InvalidRequest) as caught:
        await _read(tmp_path, file, content)

    assert words in caught.value.detail


async def test_absent_file_and_folder_are_told(tmp_path: Path) -> None:
    """With the reason."""
    for path in (tmp_path / "no.prompt", tmp_path):
        with pytest.raises(InvalidRequest, match="can't be read"):
            await ForeignDocuments().read(str(path), format="auto", variables=False)


_TAG = st.sampled_from(
    [
        "{{name}}", "{{#if a}}", "{{else}}", "{{/if}}", "{{#each xs}}", "{{/each}}", "{{this}}", "{{../name}}", "{{.}}",
        "{{role \"system\"}}", "{{role \"user\"}}", "{{> tone}}", "{{> tone a=1 b='x'}}", "{{{x}}}", "{{~a~}}", "\\{{b}}",
        "{{#unless a}}", "{{/unless}}", "{{#with o}}", "{{o.p}}", "{{/with}}", "{{!c}}", "{{!-- c --}}", "{{^xs}}", "{{/xs}}",
        "{{media url=x}}", "{{", "}}", "{", "}", "{{else if b}}", "@@@langfusePrompt:name=tone|label=x@@@", "{{json o}}",
        '{{"', "{{#", "\n", "  ", "text", "{{ a b=c }}", "{{@index}}", "{{#with}}", "{{&x}}", "{{^}}", "{{=", "\r\n", "\0", "é",
    ]
)  # fmt: skip
_BODY = st.lists(_TAG, max_size=24).map("".join)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | _BODY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_DOCUMENT = st.fixed_dictionaries(
    {},
    optional={
        "name": _JSON,
        "object": st.just("assistant") | _JSON,
        "instructions": _BODY | _JSON,
        "type": st.sampled_from(["text", "chat"]) | _JSON,
        "prompt": _BODY
        | st.lists(
            st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "x"]), "content": _BODY})
        )
        | _JSON,
        "template": _BODY | _JSON,
        "description": _JSON,
        "variables": _JSON,
        "config": _JSON,
    },
)
_FRONT = st.fixed_dictionaries(
    {},
    optional={
        "name": _JSON,
        "input": st.fixed_dictionaries(
            {},
            optional={
                "schema": st.dictionaries(
                    st.sampled_from(
                        ["a?", "b", "name", "xs(array)", "o(object)", "e(enum, which)", "x", "(*)"]
                    ),
                    st.sampled_from(["string", "boolean, d", "integer", "any", ["p", "q"], {"p": "string"}]),
                    max_size=5,
                )
                | _JSON,
                "default": _JSON,
            },
        )
        | _JSON,
        "model": _JSON,
    },
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("foreign")


def _compiles_or_names_its_faults(path: Path, content: str, variables: bool) -> None:
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    faults: tuple[Fault, ...] = (Fault(path="", message="none"),)
    try:
        read = asyncio.run(ForeignDocuments().read(str(path), format="auto", variables=variables))
        compiled(read.source)
    except InvalidRequest as error:
        faults = error.faults

    assert all(fault.message for fault in faults or (Fault(path="", message=""),))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(front=_FRONT, body=_BODY)
def test_any_dotprompt_file_compiles_or_names_its_faults(folder: Path, front: Any, body: str) -> None:
    """JSON is YAML, so the front matter may be written as it."""
    text = f"---\n{json.dumps(front)}\n---\n{body}"

    _compiles_or_names_its_faults(folder / "any.prompt", text, False)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(document=_DOCUMENT | _JSON, variables=st.booleans())
def test_any_json_file_compiles_or_names_its_faults(folder: Path, document: Any, variables: bool) -> None:
    """Assistants, Langfuse's and lor3's own."""
    _compiles_or_names_its_faults(folder / "any.json", json.dumps(document), variables)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(max_size=60) | _BODY, suffix=st.sampled_from(["", ".yaml", ".md", ".prompt", ".json"]))
def test_any_text_compiles_or_names_its_faults(folder: Path, text: str, suffix: str) -> None:
    """Whatever the file is called."""
    _compiles_or_names_its_faults(folder / f"any{suffix}", text, False)
