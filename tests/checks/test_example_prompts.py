"""The prompts that lor3 ships as examples work, and as their first lines say."""

import shlex
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from application.use_cases.render_prompt import RenderPromptCommand
from domain.prompt.reference import PromptReference
from entrypoints.application import Application
from entrypoints.resources import resource
from entrypoints.settings import PromptSettings
from lor3.testing import ScriptedProvider, fake_application, fake_settings
from tests.support.forked_lor3 import Printed, run_lor3

FOLDER = resource("config/prompts")
COMMANDS = sorted(
    (path.name, line.removeprefix("# "))
    for path in FOLDER.glob("*.yaml")
    for line in path.read_text("utf-8").splitlines()
    if line.startswith("# lor3 ")
)


@pytest.fixture
async def lor3() -> AsyncIterator[Application]:
    """With the folder imported, on a store in memory."""
    providers = {"scripted": ScriptedProvider()}
    settings = attrs.evolve(
        fake_settings(providers, primary="scripted:test"), prompts=PromptSettings(directory=str(FOLDER))
    )
    async with fake_application(providers, settings=settings) as application:
        yield application


async def _render(lor3: Application, name: str, /, **variables: Any) -> tuple[str, list[str]]:
    command = RenderPromptCommand(reference=PromptReference.parse(name), variables=variables)
    rendered = await lor3.render_prompt.execute(command)
    return rendered.system or "", [f"{turn.role}: {turn.text}" for turn in rendered.turns]


async def test_every_file_is_a_prompt(lor3: Application) -> None:
    """None is broken, and none has a template that does not compile."""
    report = lor3.prompt_report()

    assert report is not None
    assert (report.broken, report.diverged) == ((), ())
    assert [str(ref) for ref in sorted(report.made, key=str)] == [
        "escalation:v1",
        "rag_summary:v1",
        "support_agent:v1",
        "tone:v1",
        "translator:v1",
    ]


async def test_support_agent_needs_a_name_alone(lor3: Application) -> None:
    """The rest has defaults; the fragment and the macro are in it."""
    short, _ = await _render(lor3, "support_agent", name="Ada")
    full, _ = await _render(
        lor3, "support_agent", name="Ada", plan="plus", topics=["skis"], notice="The carrier is late."
    )

    assert "talk to Ada, a customer on the basic plan" in short
    assert "- orders\n- deliveries\n- returns\n" in short
    assert "short sentences" in short
    assert "within 4 hours" in short
    assert "Mention this first" not in short
    assert "\n- skis\n" in full
    assert "Mention this first: The carrier is late." in full


async def test_rag_summary_shows_what_was_found(lor3: Application) -> None:
    """Each document, its URL where there is one; without documents it says so."""
    found, _ = await _render(
        lor3,
        "rag_summary",
        documents=[
            {"title": "Returns", "text": "30 days", "url": "https://x"},
            {"title": "B", "text": "{{c}}"},
        ],
    )
    nothing, _ = await _render(lor3, "rag_summary")

    assert '<document title="Returns" url="https://x">\n30 days\n</document>\n' in found
    assert '<document title="B">\n{{c}}\n</document>' in found
    assert "found no documents" not in found
    assert "found no documents" in nothing


async def test_translator_shows_examples_in_the_same_manner(lor3: Application) -> None:
    """The turns before the user's own speak as the system text asks."""
    formal, formal_turns = await _render(lor3, "translator")
    familiar, familiar_turns = await _render(
        lor3, "translator", formal=False, glossary=[{"term": "parcel", "translation": "Sendung"}]
    )

    assert "`Sie`" in formal
    assert formal_turns[1] == "assistant: Sie haben %d neue Nachrichten."
    assert "`du`" in familiar
    assert "“parcel” as “Sendung”" in familiar
    assert familiar_turns[1] == "assistant: Du hast %d neue Nachrichten."
    assert [turn.partition(":")[0] for turn in familiar_turns] == ["user", "assistant"] * 2


@pytest.mark.parametrize(("file", "command"), COMMANDS)
def test_command_at_the_head_of_a_file_works(tmp_path: Path, file: str, command: str) -> None:
    """With the demo, in a folder that holds the examples and nothing else."""
    shutil.copytree(FOLDER, tmp_path / "config/prompts")
    program, *arguments = shlex.split(command)
    done = Printed.of(run_lor3(tmp_path, *arguments))

    assert program == "lor3"
    assert done.returncode == 0, done.stderr
    assert f"{Path(file).stem}:v1" in done.stderr


def test_every_example_has_its_command() -> None:
    """But the fragments, which are for others."""
    assert [file for file, _ in COMMANDS] == ["rag_summary.yaml", "support_agent.yaml", "translator.yaml"]
